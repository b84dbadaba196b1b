from __future__ import annotations

import io
import json
from typing import Any

import pytest

from pbf_ray.errors import BrokerError, BufferFullError, RecordRefusedError
from pbf_ray.jobs.record_targets import FileTarget, TopicTarget
from pbf_ray.kafka.sensor_source import SensorRecord


class Producer:
    sent = 3
    failed = 1
    first_error = BrokerError("timed out")

    def __init__(self) -> None:
        self.raises: BrokerError | None = None
        self.given: list[tuple[Any, ...]] = []

    def send_record(self, topic: str, record: Any, *, max_block_s: float) -> None:
        if self.raises is not None:
            raise self.raises
        self.given.append((topic, record, max_block_s))

    def flush(self, timeout_s: float) -> int:
        return 7 if timeout_s == 0.5 else 0


def test_a_topic_takes_records_tells_of_a_full_buffer_and_goes_on_past_refused_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    producer = Producer()
    target = TopicTarget(producer, "t")  # type: ignore[arg-type]
    assert target.send({"n": 1})
    assert producer.given == [("t", {"n": 1}, 0.25)]
    producer.raises = BufferFullError("h:1", "away", waited_s=0.25, queued=5)
    assert not target.send({"n": 2})
    producer.raises = RecordRefusedError("t", "too large")
    assert target.send({"n": 3})
    assert "too large" in caplog.text
    producer.raises = BrokerError("fenced")
    with pytest.raises(BrokerError, match="fenced"):
        target.send({"n": 4})
    assert (target.where, target.sent, target.failed) == ("topic t", 3, 1)
    assert (target.error, target.flush(0.5)) == (Producer.first_error, 7)


def test_a_file_has_a_line_for_each_record() -> None:
    file = io.BytesIO()
    target = FileTarget(file, "records.jsonl")
    records: list[Any] = [
        {"sensor_id": "s1", "temperature": float("nan")},
        SensorRecord(b"two\r\nlines\n"),
        SensorRecord("text"),
        SensorRecord(None),
        {"odd": object()},
        5,
    ]
    assert all(target.send(record) for record in records)
    assert target.flush(0.0) == 0
    lines = file.getvalue().split(b"\n")
    assert json.loads(lines[0])["_metadata"]["message_id"]
    assert lines[1:] == [b"two  lines", b"text", b"", b""]
    assert (target.sent, target.failed) == (4, 2)
    assert isinstance(target.error, RecordRefusedError)
    assert "field 'odd'" in str(target.error)

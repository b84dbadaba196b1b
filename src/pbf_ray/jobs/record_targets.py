"""Where records may go: a topic, or a file with a line per record."""

from __future__ import annotations

import logging
from typing import IO, TYPE_CHECKING, Protocol

from pbf_ray.errors import BrokerError, BufferFullError, RecordRefusedError
from pbf_ray.kafka.record_json import RecordEncoder, default_producer_id, message_of
from pbf_ray.kafka.sensor_source import RecordFields, SensorMessage

if TYPE_CHECKING:
    from pbf_ray.kafka.producer import RecordProducer

__all__ = ["FileTarget", "RecordTarget", "TopicTarget"]

_log = logging.getLogger(__name__)

_ROOM_S = 0.25


class RecordTarget(Protocol):
    """Where records go. Every record that it is given is sent, failed, or still on its way.

    Attributes:
        where: For people.
    """

    where: str

    @property
    def sent(self) -> int:
        """Records that have arrived."""

    @property
    def failed(self) -> int:
        """Records that were given up."""

    @property
    def error(self) -> BrokerError | None:
        """Why the first of them was given up."""

    def send(self, record: RecordFields | SensorMessage) -> bool:
        """Take a record; False if there is no room for it just now."""

    def flush(self, timeout_s: float) -> int:
        """Wait for records on their way; how many there still are after so many seconds."""


class TopicTarget:
    """A Kafka topic.

    Args:
        producer: Sends the records.
        topic: The topic.
        where: For people; by default the topic.
    """

    def __init__(self, producer: RecordProducer, topic: str, where: str = "") -> None:
        self.where = where or f"topic {topic}"
        self._producer = producer
        self._topic = topic

    @property
    def sent(self) -> int:
        """Records that the broker has acknowledged."""
        return self._producer.sent

    @property
    def failed(self) -> int:
        """Records that were given up, or refused at once."""
        return self._producer.failed

    @property
    def error(self) -> BrokerError | None:
        """Why the first of the failed ones failed."""
        return self._producer.first_error

    def send(self, record: RecordFields | SensorMessage) -> bool:
        """Queue a record; False if the buffer stays full for a moment.

        Its Kafka timestamp is now: event time would meet retention.
        """
        try:
            self._producer.send_record(self._topic, record, max_block_s=_ROOM_S)
        except BufferFullError:
            return False
        except RecordRefusedError as refused:
            _log.warning("%s", refused.what)
        return True

    def flush(self, timeout_s: float) -> int:
        """Wait for acknowledgements."""
        return self._producer.flush(timeout_s)


class FileTarget:
    """A file with a line per record: its value.

    A record without a value, or one of line ends only, is an empty line, so that there are as
    many lines as records.

    Args:
        file: Where to write.
        name: Its name, for people.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.where = f"file {name}"
        self.sent = 0
        self.failed = 0
        self.error: BrokerError | None = None
        self._file = file
        self._encoder = RecordEncoder(default_producer_id())

    def send(self, record: RecordFields | SensorMessage) -> bool:
        """Write a line."""
        try:
            _, text = message_of(record, self._encoder, self.where)
        except RecordRefusedError as refused:
            _log.warning("%s", refused.what)
            self.failed += 1
            self.error = self.error or refused
            return True
        value = text.encode() if isinstance(text, str) else text or b""
        self._file.write(value.replace(b"\r", b" ").replace(b"\n", b" ").rstrip(b" ") + b"\n")
        self.sent += 1
        return True

    def flush(self, timeout_s: float) -> int:
        """Write what is buffered."""
        del timeout_s  # a file takes what it gets
        self._file.flush()
        return 0

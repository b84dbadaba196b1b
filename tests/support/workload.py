"""A seeded workload for the stream, whose every result is known beforehand.

Sensors are the record keys, so the records of a layer spread over partitions. Order on the wire
is shuffled within the allowed lateness; some records are void, flagged, or sent twice. The
*late* ones are generated apart, to be sent once the watermark has passed a barrier.
"""

from __future__ import annotations

import json
import random
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from support.oracle import Raw

__all__ = ["Workload", "produce"]

_VOID = (b"", b"not json", b"[1, 2]", b'{"layer": 1', b'{"timestamp": 1.0,}', None)


@dataclass(frozen=True)
class Workload:
    """What to generate.

    Attributes:
        records: Records in order; the late ones come on top.
        late: Records behind the barrier.
        seed: Source of all chance.
        lateness_s: Disorder stays below it.
        start_s: First event time.
    """

    records: int
    late: int = 0
    seed: int = 0
    lateness_s: float = 5.0
    start_s: float = 1_750_000_000.0
    sensors: int = 36
    builds: int = 3
    rows_per_layer: int = 4000
    interval_s: float = 0.01

    @property
    def end_s(self) -> float:
        """Event time of the newest record."""
        return self.start_s + self.records * self.interval_s

    def in_time(self) -> Iterator[tuple[bytes | None, bytes | None]]:
        """Key and value of all records that are not late, in the order of sending."""
        draw = random.Random(self.seed)
        waiting: list[tuple[float, int, bytes, bytes | None]] = []
        for number in range(self.records):
            key, value = self._record(draw, number, self.start_s + number * self.interval_s)
            if draw.random() < 0.01:
                value = draw.choice(_VOID)
            delay_s = draw.random() * self.lateness_s * 0.8
            waiting.append((number * self.interval_s + delay_s, number, key, value))
            if draw.random() < 0.005:
                waiting.append((number * self.interval_s + delay_s, number, key, value))
        waiting.sort(key=lambda item: item[:2])
        for _, _, key, value in waiting:
            yield key, value

    def behind_the_barrier(self) -> Iterator[tuple[bytes | None, bytes | None]]:
        """Key and value of records that are late once the watermark has passed ``barrier_s``."""
        draw = random.Random(self.seed + 1)
        for _ in range(self.late):
            number = draw.randrange(self.records // 2)
            yield self._record(draw, number, self.start_s + number * self.interval_s)

    @property
    def barrier_s(self) -> float:
        """All late records lie before it, and the watermark of every build comes to pass it."""
        return self.start_s + (self.records // 2) * self.interval_s

    def _record(self, draw: random.Random, number: int, timestamp: float) -> tuple[bytes, bytes]:
        sensor = f"S{draw.randrange(self.sensors):02d}"
        build = number % self.builds
        record = {
            "sensor_id": sensor,
            "timestamp": timestamp,
            "temperature": _maybe(draw, draw.gauss(1600, 22)),
            "pressure": _maybe(draw, draw.gauss(0.95, 0.02)),
            "laser_power": _maybe(draw, draw.gauss(200, 15)),
            "scan_speed": _maybe(draw, draw.gauss(1.2, 0.1)),
            "build_id": None if build == 2 else f"B{build}",
            "layer": number // self.rows_per_layer if draw.random() > 0.002 else None,
            "_metadata": {"producer_id": "w", "message_id": str(number)},
        }
        if draw.random() < 0.005:
            record["pressure"] = draw.choice(["1.0", float("nan"), True, 1e400])
        text = json.dumps(record)
        return sensor.encode(), text.encode()


def _maybe(draw: random.Random, value: float) -> float | None:
    return None if draw.random() < 0.003 else value


def produce(
    bootstrap_servers: str,
    topic: str,
    messages: Iterator[tuple[bytes | None, bytes | None]],
    partitions: int,
    *,
    first_offsets: dict[int, int] | None = None,
    partition_of: Callable[[bytes | None], int] | None = None,
) -> list[Raw]:
    """Send messages; gives them as they lie in Kafka.

    The partition is chosen here (by key), so the place of every record is known without asking.

    Args:
        first_offsets: Next offset per partition, 0 where not named.
        partition_of: Partition of a key, instead of a stable hash.
    """
    from confluent_kafka import Producer

    from pbf_ray.kafka.client import client_config

    producer = Producer(
        client_config(bootstrap_servers) | {"enable.idempotence": True, "linger.ms": 20}
    )
    offsets = dict(first_offsets or {})
    now_ms = int(time.time() * 1000)
    sent = []
    failed: list[str] = []

    def report(error: object, _message: object) -> None:
        if error is not None:
            failed.append(str(error))

    for number, (key, value) in enumerate(messages):
        partition = (
            partition_of(key) if partition_of is not None else zlib.crc32(key or b"") % partitions
        )
        offset = offsets.get(partition, 0)
        offsets[partition] = offset + 1
        stamp = now_ms + number  # send times: old ones would meet retention
        while True:
            try:
                producer.produce(
                    topic, value, key, partition=partition, timestamp=stamp, on_delivery=report
                )
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
        sent.append(Raw(topic, partition, offset, key, value, stamp))
    assert producer.flush(60) == 0
    assert not failed, failed[:3]
    return sent

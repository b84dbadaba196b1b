"""Five million records through a bounded run: exact counts, balanced books, flat memory.

``make soak`` runs it; ``PBF_RAY_SOAK_RECORDS`` chooses another number. What every record becomes is
known from its number, so nothing has to be kept to compare with.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Producer

from pbf_ray.jobs.results import Results
from pbf_ray.kafka.client import client_config
from support.stream_runs import committed, settings_for, start_driver

RECORDS = int(os.environ.get("PBF_RAY_SOAK_RECORDS", "5000000"))
PARTITIONS = 12
SENSORS = 36
BUILDS = 4
ROWS_PER_LAYER = 5_000
VOID_EVERY = 1_000
INTERVAL_S = 0.001
MARGIN = 1.10
"""Allocators round up; what grows with the records would double."""
KINDS = ("Coordinator", "Reader", "Window")
MIB = 1 << 20


def messages(records: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Partition, key and value; in the order of their event times."""
    start_s = 1_750_000_000.0
    for number in range(records):
        sensor = number % SENSORS
        key = b"S%02d" % sensor
        if number % VOID_EVERY == 7:
            yield sensor % PARTITIONS, key, b"not json"
            continue
        build, layer = number % BUILDS, number // (BUILDS * ROWS_PER_LAYER)
        wave = (number * 7919) % 1000
        text = (
            f'{{"sensor_id":"S{sensor:02d}","timestamp":{start_s + number * INTERVAL_S:.3f},'
            f'"temperature":{1550 + wave / 10},"pressure":{0.90 + wave / 10000},'
            f'"laser_power":{180 + wave / 25},"scan_speed":{1.1 + wave / 5000},'
            f'"build_id":"B{build}","layer":{layer},'
            f'"_metadata":{{"producer_id":"soak","message_id":"{number}"}}}}'
        )
        yield sensor % PARTITIONS, key, text.encode()


def send(servers: str, topic: str, records: int) -> None:
    failed: list[str] = []

    def report(error: object, _message: object) -> None:
        if error is not None:
            failed.append(str(error))

    producer = Producer(
        client_config(servers)
        | {
            "enable.idempotence": True,
            "linger.ms": 50,
            "compression.type": "lz4",
            "on_delivery": report,
        }
    )
    for number, (partition, key, value) in enumerate(messages(records)):
        while True:
            try:
                producer.produce(topic, value, key, partition=partition)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(300) == 0
    assert not failed, failed[:3]


@dataclass
class Memory:
    """Resident memory of the job's processes, by kind, against the records that are committed."""

    driver: psutil.Process
    samples: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def take(self, records: int) -> None:
        """Weigh every process; of several of a kind the heaviest counts."""
        heaviest: dict[str, int] = {"driver": self._private(self.driver)}
        for process in self.driver.children(recursive=True):
            try:
                name = process.cmdline()[0]
                kind = next((kind for kind in KINDS if name.startswith(f"ray::{kind}")), None)
                if kind is not None:
                    heaviest[kind] = max(heaviest.get(kind, 0), self._private(process))
            except (psutil.Error, IndexError):
                continue
        for kind, weight in heaviest.items():
            self.samples[kind].append((records, weight))

    @staticmethod
    def _private(process: psutil.Process) -> int:
        """Without what is shared: Ray's object store, mapped by everybody, is bounded by itself."""
        info = process.memory_info()
        return int(info.rss - info.shared)

    def halves(self, kind: str, total: int) -> tuple[int, int]:
        """The most of the first half (its first tenth left out) and of the second, bytes."""
        first = [weight for at, weight in self.samples[kind] if total // 10 <= at < total // 2]
        second = [weight for at, weight in self.samples[kind] if at >= total // 2]
        assert first, f"{kind}: no sample in the first half"
        assert second, f"{kind}: no sample in the second half"
        return max(first), max(second)


@pytest.mark.timeout(14_400)
def test_five_million_records_in_flat_memory(
    needs_apache_kafka: None, kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic = make_topic(partitions=PARTITIONS)
    began_s = time.monotonic()
    send(kafka_broker, topic, RECORDS)
    sending_s = time.monotonic() - began_s
    print(f"\nsent {RECORDS:,} records in {sending_s:.0f} s ({RECORDS / sending_s:,.0f}/s)")

    settings = settings_for(kafka_broker, topic, tmp_path, job="soak", epoch_max_rows=50_000)
    output = tmp_path / "driver.log"
    began_s = time.monotonic()
    driver = start_driver(settings, "--until-end", "--json", output=output)
    memory = Memory(psutil.Process(driver.pid))
    first_s: float | None = None
    told = 0
    try:
        while driver.poll() is None:
            records = committed(settings)
            memory.take(records)
            if first_s is None and records:
                first_s = time.monotonic() - began_s
            if records - told >= RECORDS // 10:
                told = records
                now = {kind: held[-1][1] // MIB for kind, held in memory.samples.items()}
                print(f"{time.monotonic() - began_s:6.0f} s  {records:>9,} records  MiB {now}")
            time.sleep(1.0)
    finally:
        if driver.poll() is None:
            driver.kill()
            driver.wait()
    seconds = time.monotonic() - began_s
    assert driver.returncode == 0, output.read_text()
    print(f"read {RECORDS:,} records in {seconds:.0f} s ({RECORDS / seconds:,.0f}/s)")

    void = sum(1 for _ in range(7, RECORDS, VOID_EVERY))
    results = Results(settings)
    books = results.books()
    wanted = {
        "consumed": RECORDS, "accepted": RECORDS - void, "dead_letters": void,
        "late": 0, "dropped": 0, "duplicates": 0, "pending": 0,
    }  # fmt: skip
    assert {name: books[name] for name in wanted} == wanted
    for table in ("ispm_monitoring", "quality_metrics"):
        assert results.count(table) == RECORDS - void
    assert results.count("dead_letters") == void
    layers = results.read("layer_quality")
    per_layer = BUILDS * ROWS_PER_LAYER
    assert layers.num_rows == BUILDS * -(-RECORDS // per_layer)
    assert sum(layers["n"].to_pylist()) == RECORDS - void
    for kind in memory.samples:
        first, second = memory.halves(kind, RECORDS)
        print(f"{kind:<12} most in the first half {first / MIB:.0f} MiB, second {second / MIB:.0f}")
    grown = {
        kind: halves
        for kind in memory.samples
        if (halves := memory.halves(kind, RECORDS))[1] > MARGIN * halves[0] + 16 * MIB
    }
    assert not grown, f"memory grows with the records: {grown}"

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

from pbf_ray.config import Settings
from pbf_ray.jobs.results import Results
from pbf_ray.kafka.client import client_config
from support.stream_runs import committed, settings_for, start_driver

RECORDS = int(os.environ.get("PBF_RAY_SOAK_RECORDS", "5000000"))
PARTITIONS = 12
SENSORS = 36
BUILDS = 4
ROWS_PER_LAYER = 5_000
VOID_EVERY = 1_000
EPOCH_ROWS = 50_000
INTERVAL_S = 0.001
KINDS = ("Coordinator", "Reader", "Window")
MARGIN = 1.25
"""Allocators round up; what grows with the records would be several times as much."""
UPKEEP_MIB = 384
"""The coordinator also merges files of the lake, by row groups: some 150 MiB, however large.

It was 282 MiB in all with 2.5 million records.
"""
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

    def most(self, kind: str, first: int, last: int) -> int:
        """The most that one of a kind had while so many records were committed, bytes."""
        weights = [weight for at, weight in self.samples[kind] if first <= at < last]
        assert weights, f"{kind}: no sample between {first} and {last} records"
        return max(weights)


@pytest.mark.timeout(14_400)
def test_five_million_records_in_flat_memory(
    needs_apache_kafka: None, kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    # All records of a backlog wait for its end, so the last epoch releases and closes everything:
    # memory has to be flat while reading, and at the end no more than for a fifth of the records.
    fifth = soak(kafka_broker, make_topic(partitions=PARTITIONS), tmp_path / "fifth", RECORDS // 5)
    whole = soak(kafka_broker, make_topic(partitions=PARTITIONS), tmp_path / "whole", RECORDS)
    grown = []
    for kind in ("driver", *KINDS):
        early = whole.most(kind, RECORDS // 10, RECORDS // 2)
        late = whole.most(kind, RECORDS // 2, RECORDS - 2 * EPOCH_ROWS)
        small, end = fifth.most(kind, 0, RECORDS), whole.most(kind, 0, RECORDS + 1)
        print(
            f"{kind:<12} MiB at most: first half {early // MIB}, second half {late // MIB}, "
            f"whole run {end // MIB}, whole run with a fifth of the records {small // MIB}"
        )
        if kind == "Coordinator":
            assert end < UPKEEP_MIB * MIB
        elif late > MARGIN * early + 16 * MIB or end > MARGIN * small + 32 * MIB:
            grown.append(kind)
    assert not grown, f"memory grows with the records: {grown}"


def soak(broker: str, topic: str, folder: Path, count: int) -> Memory:
    """Send records, read them to the end, check what became of every one."""
    folder.mkdir()
    began_s = time.monotonic()
    send(broker, topic, count)
    seconds = time.monotonic() - began_s
    print(f"\nsent {count:,} records in {seconds:.0f} s ({count / seconds:,.0f}/s)")
    settings = settings_for(broker, topic, folder, job="soak", epoch_max_rows=EPOCH_ROWS)
    output = folder / "driver.log"
    began_s = time.monotonic()
    driver = start_driver(settings, "--until-end", "--json", output=output)
    memory = Memory(psutil.Process(driver.pid))
    told = 0
    try:
        while driver.poll() is None:
            records = committed(settings)
            memory.take(records)
            if records - told >= count // 10:
                told = records
                now = {kind: held[-1][1] // MIB for kind, held in memory.samples.items()}
                print(f"{time.monotonic() - began_s:6.0f} s  {records:>9,} records  MiB {now}")
            time.sleep(1.0)
    finally:
        if driver.poll() is None:
            driver.kill()
            driver.wait()
    assert driver.returncode == 0, output.read_text()
    seconds = time.monotonic() - began_s
    print(f"read {count:,} records in {seconds:.0f} s ({count / seconds:,.0f}/s)")
    check(settings, count)
    return memory


def check(settings: Settings, count: int) -> None:
    """Counts that are known from the numbers of the records, and the books."""
    void = sum(1 for _ in range(7, count, VOID_EVERY))
    results = Results(settings)
    books = results.books()
    wanted = {
        "consumed": count, "accepted": count - void, "dead_letters": void,
        "late": 0, "dropped": 0, "duplicates": 0, "pending": 0,
    }  # fmt: skip
    assert {name: books[name] for name in wanted} == wanted
    for table in ("ispm_monitoring", "quality_metrics"):
        assert results.count(table) == count - void
    assert results.count("dead_letters") == void
    layers = results.read("layer_quality")
    assert layers.num_rows == BUILDS * -(-count // (BUILDS * ROWS_PER_LAYER))
    assert sum(layers["n"].to_pylist()) == count - void

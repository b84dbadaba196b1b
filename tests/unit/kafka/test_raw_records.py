"""Records by their place: near ones together, vanished ones left out."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from pbf_ray.errors import BrokerUnavailableError, OffsetsVanishedError
from pbf_ray.kafka.origin import REPLAY_OF, copy_headers, replay_headers, replay_of
from pbf_ray.kafka.partition_reader import ReadBatch
from pbf_ray.kafka.raw_records import read_records
from support.memory_world import MemoryTopics


class Reader:
    def __init__(self) -> None:
        self.topics = MemoryTopics(2)
        for number in range(3000):
            self.topics.send(number % 2, json.dumps(number).encode(), key=b"%d" % number)
        self.asked: list[Mapping[tuple[str, int], tuple[int, int]]] = []
        self.first = 0
        self.away = False

    def read(
        self, ranges: Mapping[tuple[str, int], tuple[int, int]], *, timeout_s: float
    ) -> ReadBatch:
        self.asked.append(ranges)
        if self.away:
            raise BrokerUnavailableError("nowhere:1", "no answer")
        for (topic, partition), (start, _) in ranges.items():
            if start < self.first:
                raise OffsetsVanishedError(topic, partition, wanted=start, first=self.first)
        return self.topics.read(ranges, timeout_s=timeout_s)


def test_near_ones_are_read_together() -> None:
    reader = Reader()
    places = [("ispm", 1, 1400), ("ispm", 0, 3), ("ispm", 0, 450), ("ispm", 0, 3), ("ispm", 1, 2)]
    found = read_records(reader, places)
    assert found == {
        ("ispm", 0, 3): (b"6", b"6"),
        ("ispm", 0, 450): (b"900", b"900"),
        ("ispm", 1, 2): (b"5", b"5"),
        ("ispm", 1, 1400): (b"2801", b"2801"),
    }
    assert reader.asked == [
        {("ispm", 0): (3, 451)},
        {("ispm", 1): (2, 3)},
        {("ispm", 1): (1400, 1401)},
    ]


def test_what_is_gone_is_left_out() -> None:
    reader = Reader()
    reader.first = 100
    found = read_records(reader, [("ispm", 0, 3), ("ispm", 0, 1000), ("ispm", 0, 9999)])
    assert set(found) == {("ispm", 0, 1000)}
    assert read_records(reader, []) == {}


def test_a_broker_that_is_away_is_an_error() -> None:
    reader = Reader()
    reader.away = True
    with pytest.raises(BrokerUnavailableError):
        read_records(reader, [("ispm", 0, 3)])


def test_headers() -> None:
    headers = replay_headers('["job","s",0,1]', table="dead_letters", topic="t")
    assert replay_of(headers) == '["job","s",0,1]'
    assert replay_of([("trace", b"x"), (REPLAY_OF, None), (REPLAY_OF, "text")]) == "text"
    assert replay_of([(REPLAY_OF, b"\xff")]) == "\ufffd"
    assert replay_of([("trace", b"x")]) is None
    assert copy_headers({"epoch": 7, "value": None}) == [("pbf-epoch", b"7")]

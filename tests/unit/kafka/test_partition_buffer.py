"""The buffer of one partition."""

from __future__ import annotations

from dataclasses import dataclass

from pbf_ray.kafka.partition_buffer import PartitionBuffer


@dataclass
class Message:
    at: int
    size: int = 10

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return 1, self.at

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return b"x" * self.size if self.size else None

    def headers(self) -> list[tuple[str, bytes]] | None:
        return None


def test_what_was_taken_before_is_not_taken_twice() -> None:
    buffer = PartitionBuffer(position=5, reached=5)
    buffer.append([Message(3), Message(6), Message(8)])
    buffer.append([Message(6), Message(8)])
    buffer.append([Message(8), Message(9)])
    assert buffer.offset == [6, 8, 9]
    assert buffer.reached == 10
    assert buffer.cut_below(9).offset == [6, 8]
    assert (buffer.position, buffer.offset, buffer.value) == (9, [9], [b"x" * 10])


def test_only_what_lies_beyond_the_range_is_ahead() -> None:
    buffer = PartitionBuffer(position=0, reached=0)
    buffer.want(10)
    buffer.append([Message(at) for at in range(8)])
    assert buffer.ahead_bytes == 0
    buffer.append([Message(at) for at in range(8, 14)])
    four = buffer.ahead_bytes
    assert four >= 4 * 10
    buffer.append([Message(at, size=0) for at in range(14, 20)])
    # Records without a value take memory too.
    assert buffer.ahead_bytes > four
    buffer.cut_below(10)
    buffer.want(14)
    buffer.want(20)
    assert buffer.ahead_bytes == 0
    assert buffer.cut_below(20).timestamp_ms == list(range(10, 20))

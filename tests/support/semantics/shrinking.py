"""Finds the shortest record that still shows a difference; many candidates are tried a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["shortest"]

_MOST_CANDIDATES = 3000
_MOST_ROUNDS = 40


def shortest(record: bytes, differ: Callable[[Sequence[bytes]], Sequence[bool]]) -> bytes:
    """Leave out bytes as long as the difference stays.

    Args:
        record: A record that shows a difference.
        differ: Tells of each of many records whether it does.
    """
    for _ in range(_MOST_ROUNDS):
        candidates = sorted(_shorter(record), key=len)[:_MOST_CANDIDATES]
        fitting = [c for c, bad in zip(candidates, differ(candidates), strict=True) if bad]
        if not fitting:
            break
        record = fitting[0]
    return record


def _shorter(record: bytes) -> set[bytes]:
    candidates = set()
    size = len(record)
    while size:
        step = max(1, size // 2, len(record) // 200)
        for start in range(0, len(record) - size + 1, step):
            candidates.add(record[:start] + record[start + size :])
        size //= 2
    return candidates - {record}

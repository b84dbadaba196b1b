"""Differences are shown by the shortest record."""

from __future__ import annotations

from support.semantics.shrinking import shortest


def test_all_that_the_difference_does_not_need_is_left_out() -> None:
    record = b'{"sensor_id":"' + b"x" * 5000 + b'", "layer":tru, "a":[1,2,3]}'

    def needs_both(records: list[bytes]) -> list[bool]:
        return [b"tru" in text and text.endswith(b"}") for text in records]

    assert shortest(record, needs_both) == b"tru}"


def test_what_cannot_be_shorter_stays() -> None:
    assert shortest(b"{}", lambda records: [False] * len(records)) == b"{}"

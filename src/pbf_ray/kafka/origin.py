"""Headers that say where a record comes from: of copies, and of replays.

A copy of a dead letter or a late record names the place of its original. A record that is sent
again (``pbf-ray deadletters replay``) names the key of its original, and the stream of that job
then takes it as if it had been good from the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["REPLAY_OF", "Header", "copy_headers", "replay_headers", "replay_of"]

REPLAY_OF: Final = "pbf-replay-of"
"""Header of a replayed record: the ``record_key`` of its original."""

Header = tuple[str, bytes]


def replay_of(headers: Iterable[tuple[str, bytes | str | None]]) -> str | None:
    """The record key that a record says it is a replay of; None if it says nothing.

    Args:
        headers: Name and value, as Kafka has them.
    """
    for name, value in headers:
        if name == REPLAY_OF and value:
            return value if isinstance(value, str) else value.decode("utf-8", "replace")
    return None


def replay_headers(record_key: str, *, table: str, topic: str) -> list[Header]:
    """Headers of a record that is sent again.

    Args:
        record_key: Key of the original.
        table: ``dead_letters`` or ``late_records``: where the original lies.
        topic: Topic of the original.
    """
    return [
        (REPLAY_OF, record_key.encode()),
        ("pbf-replay-table", table.encode()),
        ("pbf-origin-topic", topic.encode()),
    ]


def copy_headers(facts: Mapping[str, object]) -> list[Header]:
    """Headers of a copy, from its facts; those that are None are left out.

    Args:
        facts: By name without the prefix ``pbf-``, for example ``{"reason": "syntax"}``.
    """
    return [(f"pbf-{name}", str(fact).encode()) for name, fact in facts.items() if fact is not None]

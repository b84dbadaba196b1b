"""A record as a handler gets it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

__all__ = ["ConsumedRecord"]


class ConsumedRecord(NamedTuple):
    """One message of a topic.

    Attributes:
        topic: Topic.
        partition: Partition.
        offset: Offset.
        key: Raw key.
        value: Raw value; None is a tombstone.
        timestamp_ms: Kafka's timestamp, milliseconds since 1970 UTC; -1 where there is none.
        headers: Names and values, in order.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int = -1
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of key and value."""
        return len(self.key or b"") + len(self.value or b"")

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.topic}/{self.partition} offset {self.offset}"

    def json(self) -> Any:
        """The value as Python's ``json`` reads it, NaN and infinities included.

        The stream decodes records as Spark does, which differs in odd cases; see
        ``pbf_ray.decode``.

        Raises:
            ValueError: It is no JSON, or there is none.
        """
        if self.value is None:
            raise ValueError(f"{self.place}: a tombstone has no JSON")
        return json.loads(self.value)

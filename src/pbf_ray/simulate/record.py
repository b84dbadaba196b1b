"""One message of a simulated or replayed stream, and what was done to it on its way."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

__all__ = [
    "FLAGGED_KINDS",
    "MALFORMED_KINDS",
    "VOID_KINDS",
    "MalformedKind",
    "RecordKind",
    "SimulatedRecord",
]

MalformedKind = Literal[
    "truncated", "not_json", "blank", "tombstone", "wrong_type", "extra_field", "nan_literal"
]
"""Ways in which a message is not the plain record that it should be."""

RecordKind = Literal["whole", "repeat"] | MalformedKind

MALFORMED_KINDS: Final[tuple[MalformedKind, ...]] = get_args(MalformedKind)

VOID_KINDS: Final[frozenset[str]] = frozenset({"truncated", "not_json", "blank", "tombstone"})
"""Nothing of the record can be used: a dead letter."""

FLAGGED_KINDS: Final[frozenset[str]] = frozenset({"wrong_type"})
"""One field cannot be used and is null; the record is kept and flagged.

The other malformed kinds are accepted as they are: unknown fields are ignored, and a bare ``NaN``
is a number.
"""


class SimulatedRecord(NamedTuple):
    """A message, in the order of sending.

    Attributes:
        key: Message key, the sensor id in UTF-8.
        value: Message value; None is a tombstone.
        event_time_s: When it was measured, seconds since 1970-01-01 UTC. Of a message that cannot
            be read, when it would have been.
        kind: What was done to it; ``"repeat"`` is the second copy of the message before it.
        behind_s: How far it is behind the newest readable record of its build that was sent
            before it, in seconds; 0 for a record in order and for one that cannot be read.
    """

    key: bytes
    value: bytes | None
    event_time_s: float
    kind: RecordKind = "whole"
    behind_s: float = 0.0

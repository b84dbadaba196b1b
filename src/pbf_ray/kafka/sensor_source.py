"""What a source of sensor records is: the machine twin, the replay of a log, a user's own class.

class ChamberPressure:
def records(self):
with connect("gauge-1") as gauge:
while True:
yield {"sensor_id": "gauge-1", "timestamp": time.time(),
"pressure": gauge.read(), "build_id": "B7", "layer": gauge.layer}

def close(self):
pass
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

__all__ = ["RecordFields", "SensorMessage", "SensorRecord", "SensorSource"]

RecordFields: TypeAlias = Mapping[str, Any]
"""A record by the names of its fields: ``sensor_id``, ``timestamp``, ``temperature``..."""


class SensorMessage(Protocol):
    """A record that is a message already, or has a key or an event time of its own."""

    @property
    def key(self) -> bytes | str | None:
        """Partition key; None is the ``sensor_id`` of a mapping, and otherwise none."""

    @property
    def value(self) -> bytes | str | RecordFields | None:
        """The message, or the fields to make it of; None is a tombstone."""

    @property
    def event_time_s(self) -> float:
        """When it was measured, seconds since 1970-01-01 UTC; decides the pace."""


class SensorRecord(NamedTuple):
    """A plain ``SensorMessage``.

    Attributes:
        value: The message, or the fields to make it of; None is a tombstone.
        key: Partition key; None is the ``sensor_id`` of a mapping, and otherwise none.
        event_time_s: When it was measured, seconds since 1970-01-01 UTC; only a pace by event
            time looks at it.
    """

    value: bytes | str | RecordFields | None
    key: bytes | str | None = None
    event_time_s: float = 0.0


class SensorSource(Protocol):
    """Gives records, one after the other; may be without end."""

    def records(self) -> Iterable[RecordFields | SensorMessage]:
        """The records from here on, in the order of sending.

        It may wait for the next record. When it raises, it is called again after a pause, and is
        to go on where it was: connect here, not in the constructor. An error of ``pbf_ray`` that
        is not transient, for example ``InputFileError``, ends the sending at once.
        """

    def close(self) -> object:
        """Give back what it holds; called once, after the last record."""

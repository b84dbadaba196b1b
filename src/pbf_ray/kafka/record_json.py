"""From a record, a mapping of fields, to the message that the stream decodes."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from pbf_ray.errors import RecordRefusedError
from pbf_ray.kafka.sensor_source import RecordFields, SensorMessage

__all__ = ["RecordEncoder", "default_producer_id", "message_of"]


def default_producer_id() -> str:
    """Host name and process id."""
    return f"{socket.gethostname()}-{os.getpid()}"


class RecordEncoder:
    """Makes key and value of a record, with its ``_metadata``. Thread-safe.

    The value is JSON as ``from_json`` reads it: NaN and the infinities are bare words. The key is
    the ``sensor_id``, so that the records of a sensor keep their order.

    Args:
        producer_id: Who sends.
        clock: Seconds since 1970.
    """

    def __init__(self, producer_id: str, *, clock: Callable[[], float] = time.time) -> None:
        self.producer_id = producer_id
        self._clock = clock
        # Message ids tell repeats apart, so they may not begin again with the next process.
        self._prefix = uuid.uuid4().hex[:16]
        self._numbers = count()

    def encode(self, record: Mapping[str, Any], topic: str) -> tuple[bytes | None, bytes]:
        """Key and value of a record, which is left as it is.

        Args:
            record: Fields by name; numbers may be NumPy's. What ``_metadata`` it has is kept, and
                ``timestamp`` (seconds since 1970), ``producer_id`` and ``message_id`` are added
                where they are absent.
            topic: Where it goes, for messages.

        Raises:
            RecordRefusedError: It cannot be written as JSON; the field is named.
        """
        given = record.get("_metadata")
        if given is not None and not isinstance(given, Mapping):
            raise RecordRefusedError(topic, f"_metadata is {type(given).__name__}, no mapping")
        metadata: dict[str, Any] = {
            "timestamp": self._clock(),
            "producer_id": self.producer_id,
            "message_id": f"{self._prefix}-{next(self._numbers)}",
        }
        if given is not None:
            metadata.update({name: value for name, value in given.items() if value is not None})
        whole = {**record, "_metadata": metadata}
        try:
            value = _json(whole)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise RecordRefusedError(topic, _problem(whole, error)) from error
        sensor = record.get("sensor_id")
        key = None if sensor is None else str(sensor).encode("utf-8", "replace")
        return key, value


def message_of(
    record: RecordFields | SensorMessage, encoder: RecordEncoder, topic: str
) -> tuple[bytes | str | None, bytes | str | None]:
    """Key and value of whatever a source may give.

    Args:
        record: Fields by name, or a message with a key or a value of its own.
        encoder: For those that are fields.
        topic: Where it goes, for messages.

    Raises:
        RecordRefusedError: It is neither, or no JSON.
    """
    key: object = None
    value: object = record
    if not isinstance(record, Mapping):
        if not (hasattr(record, "key") and hasattr(record, "value")):
            kind = type(record).__name__
            raise RecordRefusedError(topic, f"{kind} is neither a mapping nor a SensorRecord")
        key, value = record.key, record.value
    if isinstance(value, Mapping):
        sensor, value = encoder.encode(value, topic)
        key = sensor if key is None else key
    for what, part in (("key", key), ("value", value)):
        if not isinstance(part, bytes | str | None):
            raise RecordRefusedError(topic, f"its {what} is {type(part).__name__}")
    return key, value  # type: ignore[return-value] # the loop has seen to it


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=_plain).encode("ascii")


def _plain(value: Any) -> Any:
    """What JSON does not know: NumPy's scalars and arrays, and mappings other than dicts."""
    if isinstance(value, Mapping):
        return dict(value)
    for unwrap in ("item", "tolist"):
        # An array of more than one number has item as well, and refuses.
        if hasattr(value, unwrap) and not (unwrap == "item" and getattr(value, "shape", ()) != ()):
            return getattr(value, unwrap)()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _problem(record: Mapping[str, Any], error: Exception) -> str:
    for name, value in record.items():
        try:
            _json({name: value})
        except (TypeError, ValueError, OverflowError, RecursionError) as of_field:
            return f"field {name!r}: {of_field}"
    return str(error)

"""The forms in which the values of a batch may come, all read in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from typing_extensions import Buffer

__all__ = ["Chunk", "RecordBuffer", "Values", "packed_chunks"]


@dataclass(frozen=True)
class RecordBuffer:
    """Values that lie in one buffer, one behind the other.

    Attributes:
        data: Their bytes, as anything with the buffer protocol.
        offsets: int32 or int64, one more than there are values: value ``i`` is
            ``data[offsets[i]:offsets[i + 1]]``.
    """

    data: Buffer
    offsets: npt.NDArray[np.int32] | npt.NDArray[np.int64]


Values: TypeAlias = "Sequence[bytes | None] | RecordBuffer | pa.Array | pa.ChunkedArray"
"""Values of records; None or null for a message without a value."""

Chunk: TypeAlias = "tuple[int, int, Buffer | None, Buffer, int, Buffer]"
"""First value, number of values, validity bits, offsets, bytes of an offset, data."""

_OFFSET_BYTES: Final = {"binary": 4, "string": 4, "large_binary": 8, "large_string": 8}


def packed_chunks(values: RecordBuffer | pa.Array | pa.ChunkedArray) -> list[Chunk]:
    """The buffers of packed values.

    Args:
        values: A `RecordBuffer`, or an Arrow array of binary or string, sliced and chunked at will.

    Raises:
        TypeError: The values, or their offsets, are of another type.
        ValueError: The offsets are not one-dimensional, or there are none.
    """
    if isinstance(values, RecordBuffer):
        return [_of_buffer(values)]
    width = _OFFSET_BYTES.get(str(values.type))
    if width is None:
        raise TypeError(f"values have type {values.type}; binary or string is wanted")
    arrays = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
    return [_of_array(array, width) for array in arrays]


def _of_array(array: pa.Array, width: int) -> Chunk:
    validity, offsets, data = array.buffers()
    # Arrow may leave both out of an array without values.
    return (
        array.offset,
        len(array),
        validity,
        offsets if offsets is not None else bytes(8),
        width,
        data if data is not None else b"",
    )


def _of_buffer(values: RecordBuffer) -> Chunk:
    offsets = values.offsets
    if offsets.dtype not in (np.int32, np.int64):
        raise TypeError(f"offsets have type {offsets.dtype}; int32 or int64 is wanted")
    if offsets.ndim != 1 or not len(offsets):
        raise ValueError(
            f"offsets have shape {offsets.shape}; one dimension and at least one are wanted"
        )
    places = np.ascontiguousarray(offsets).data
    return 0, len(offsets) - 1, None, places, offsets.itemsize, values.data

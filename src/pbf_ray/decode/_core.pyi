from collections.abc import Sequence
from typing import Any, TypeAlias

from typing_extensions import Buffer

class OwnedBuffer:
    """Memory of the core, read through the buffer protocol without a copy."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

# Arrow's buffers of a column (validity first), and the same of each field of a struct.
ColumnBuffers: TypeAlias = tuple[list[OwnedBuffer], list[Any]]

class Batch:
    """What became of a batch; ``pbf_ray.decode.DecodeResult`` tells it in full."""

    rows: int
    exact: int
    columns: list[ColumnBuffers]
    indices: OwnedBuffer
    flagged: OwnedBuffer
    corrupt_record: ColumnBuffers | None
    rejected: int
    # Index, reason, detail.
    rejects: tuple[OwnedBuffer, ColumnBuffers, ColumnBuffers]
    # Index and text of the first corrupt record, in mode FAILFAST.
    failure: tuple[int, str] | None

class Schema:
    # Fields are (name, type, fields of a struct).
    def __init__(self, fields: Sequence[tuple[str, str, Sequence[Any]]]) -> None: ...
    def decode_list(
        self, values: list[bytes | None], mode: str, all_exactly: bool = False
    ) -> Batch: ...
    # Chunks are (first value, number of values, validity, offsets, bytes of an offset, data).
    def decode_packed(
        self,
        chunks: Sequence[tuple[int, int, Buffer | None, Buffer, int, Buffer]],
        mode: str,
        all_exactly: bool = False,
    ) -> Batch: ...

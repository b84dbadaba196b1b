from collections.abc import Sequence
from typing import Any, TypeAlias

from typing_extensions import Buffer

class OwnedBuffer:
    """Memory of the core, read through the buffer protocol without a copy."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

# Arrow's buffers of a column (validity first), and the same of each field of a struct.
ColumnBuffers: TypeAlias = tuple[list[OwnedBuffer], list[Any]]

class Schema:
    # Fields are (name, type, fields of a struct).
    def __init__(self, fields: Sequence[tuple[str, str, Sequence[Any]]]) -> None: ...
    def decode_list(
        self, values: list[bytes | None]
    ) -> tuple[list[ColumnBuffers], OwnedBuffer]: ...
    def decode_arrow(
        self,
        offset: int,
        length: int,
        validity: Buffer | None,
        offsets: Buffer,
        offset_width: int,
        data: Buffer,
    ) -> tuple[list[ColumnBuffers], OwnedBuffer]: ...

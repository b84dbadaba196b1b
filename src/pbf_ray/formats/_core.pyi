from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

class NativeFormatError(Exception):
    """Its ``args`` are (code, byte offset, message)."""

class OwnedBuffer:
    """Memory of the core, read through the buffer protocol without a copy."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

# Length, nulls, validity bitmap (None: no nulls), values.
ColumnParts: TypeAlias = tuple[int, int, OwnedBuffer | None, OwnedBuffer]
# Code, byte offset, layer, message.
DamageParts: TypeAlias = tuple[str, int, int | None, str]

class Limits:
    max_layers: int
    max_geometries_per_layer: int
    max_points_per_layer: int
    max_models: int
    max_build_styles: int
    max_header_bytes: int
    max_nesting: int
    max_expansion: int
    def __init__(self) -> None: ...

def sniff(buffer: Buffer) -> str: ...
def sniff_file(path: str) -> str: ...

class Reader:
    @staticmethod
    def open_bytes(data: Buffer, format: str, limits: Limits, tolerate_damage: bool) -> Reader: ...
    @staticmethod
    def open_file(path: str, format: str, limits: Limits, tolerate_damage: bool) -> Reader: ...
    @property
    def header(self) -> dict[str, Any]: ...
    @property
    def damage(self) -> list[DamageParts]: ...
    @property
    def warnings(self) -> list[DamageParts]: ...
    @property
    def layer_count(self) -> int: ...
    def index(
        self,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]: ...
    def read_layers(
        self, start: int, stop: int, skip_damaged: bool
    ) -> tuple[
        dict[str, ColumnParts],
        dict[str, ColumnParts],
        dict[str, ColumnParts],
        list[DamageParts],
        list[DamageParts],
    ]: ...

class Writer:
    def __init__(
        self, format: str, path: str | None, options: Sequence[tuple[str, str]]
    ) -> None: ...
    def begin(self, header: dict[str, Any]) -> None: ...
    def layer(
        self,
        z_mm: float,
        kind: npt.NDArray[np.uint8],
        model_id: npt.NDArray[np.int32],
        build_style_id: npt.NDArray[np.int32],
        laser_id: npt.NDArray[np.int32],
        closed: npt.NDArray[np.uint8],
        offset: npt.NDArray[np.int64],
        count: npt.NDArray[np.int64],
        x_mm: npt.NDArray[np.float32],
        y_mm: npt.NDArray[np.float32],
    ) -> None: ...
    def finish(self) -> bytes | None: ...
    @property
    def lost(self) -> list[str]: ...

"""Where the output lies, how its files are called, and how they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from pbf_ray.batch.places import Place
from pbf_ray.errors import StoreUnavailableError

__all__ = ["TableFile", "build_folder", "cannot_write", "part_name", "table_file"]

_KEYS: Final = [
    "layer", "z_mm", "kind", "model_id", "build_style_id", "laser_id", "closed",
]  # fmt: skip
_SPLIT: Final = "BYTE_STREAM_SPLIT"
_BUFFER_BYTES: Final = 1 << 20
_POINTS: Final = ("x_mm", "y_mm")


def build_folder(table: str, build: str) -> str:
    """The folder of a build in a table: ``TABLE/build=NAME``, escaped as Hive and Spark do."""
    return f"{table}/build={quote(build, safe=' ()+,@!~')}"


def part_name(part: int, parts: int) -> str:
    """The name of a file: the same input, split alike, gives the same names."""
    return f"part-{part:05d}-of-{parts:05d}.parquet"


class TableFile:
    """A Parquet file of one table, written by and by.

    Args:
        file: An open stream of bytes.
        schema: The columns.
        dictionary: Columns of few different values, where that is known.

    Attributes:
        rows: Rows so far.
    """

    def __init__(
        self, file: Any, schema: pa.Schema, dictionary: Sequence[str] | None = None
    ) -> None:
        vectors = set(_POINTS) <= set(schema.names)
        # Coordinates seldom repeat: split by byte they pack best, and fastest. Ids repeat always.
        how: dict[str, Any] = (
            {
                "use_dictionary": [name for name in _KEYS if name in schema.names],
                "column_encoding": {
                    f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in _POINTS
                },
                "write_statistics": [*_KEYS, "geometry_id"],
            }
            if vectors
            else {}
            if dictionary is None
            else {"use_dictionary": list(dictionary)}
        )
        self._writer = pq.ParquetWriter(file, schema, compression="zstd", **how)
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        """Write rows, as one row group."""
        if len(table):
            self._writer.write_table(table, row_group_size=len(table))
            self.rows += len(table)

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


@contextmanager
def table_file(
    place: Place, schema: pa.Schema, *, dictionary: Sequence[str] | None = None
) -> Iterator[TableFile]:
    """A new Parquet file at a place; its folder is made.

    Args:
        place: Where.
        schema: The columns.
        dictionary: Columns of few different values, where that is known.

    Raises:
        StoreUnavailableError: It cannot be written.
    """
    try:
        place.file_system.makedirs(place.parent, exist_ok=True)
        with (
            place.file_system.open(place.path, "wb") as file,
            # A column chunk is several small writes, each a call into Python without this.
            pa.BufferedOutputStream(pa.PythonFile(file, "w"), _BUFFER_BYTES) as stream,
        ):
            table = TableFile(stream, schema, dictionary)
            try:
                yield table
            finally:
                table.close()
    except OSError as error:
        raise cannot_write(place.url, error) from error


def cannot_write(url: str, error: OSError) -> StoreUnavailableError:
    """The error for a place that does not take what is written."""
    return StoreUnavailableError(
        url,
        f"cannot be written: {error.strerror or error}",
        advice="check --output: rights, room, and that it is a folder",
    )

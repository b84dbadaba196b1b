"""Tables as files, for other programs: the whole file or none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pbf_ray.cli.streams import json_ready
from pbf_ray.errors import PbfRayError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "export_table"]


def export_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet, CSV or JSON lines, as the file's extension says.

    Parquet keeps everything exactly. CSV has a column per field of a struct, and raw bytes as
    text; JSON lines write NaN and infinities as text, as ``--json`` does.

    Raises:
        KeyError: The extension is none of ``FORMATS``.
        PbfRayError: The file cannot be written.
    """
    write = FORMATS[path.suffix.lower()]
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(table, unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise PbfRayError(
            f"{path} cannot be written: {error.strerror or error}",
            advice="choose another place with --out",
            path=str(path),
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _write_parquet(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")


def _write_csv(table: pa.Table, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import csv

    flat = table.flatten()
    for index, field in enumerate(flat.schema):
        if pa.types.is_binary(field.type):
            texts = [json_ready(value) for value in flat.column(index).to_pylist()]
            flat = flat.set_column(index, field.name, pa.array(texts, pa.string()))
    csv.write_csv(flat, path)


def _write_jsonl(table: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for batch in table.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                line = json.dumps(json_ready(row), allow_nan=False, ensure_ascii=False)
                file.write(f"{line}\n")


FORMATS: Final[dict[str, Callable[[pa.Table, Path], None]]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
}
"""How to write a table, by extension."""

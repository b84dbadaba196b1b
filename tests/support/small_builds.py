"""Small CLI files whose content can be told in one line, and what a parsed output holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pbf_ray.contracts import BUILD_OUTPUTS

__all__ = ["ascii_cli", "damaged_cli", "output_digest", "output_table"]


def ascii_cli(layers: int, *, per_layer: int = 3, shift_mm: float = 0.0) -> bytes:
    """Layers of 0.05 mm: a square contour, and hatches of ``per_layer`` vectors; layer 2 empty."""
    lines = ["$$HEADERSTART", "$$ASCII", "$$UNITS/1", "$$VERSION/200", '$$LABEL/1,"plate"']
    lines += [f"$$LAYERS/{layers}", "$$HEADEREND", "$$GEOMETRYSTART"]
    for layer in range(layers):
        lines.append(f"$$LAYER/{0.05 * (layer + 1):.2f}")
        if layer == 2:
            continue
        side = 10 + layer + shift_mm
        lines.append(f"$$POLYLINE/1,1,5,0,0,{side},0,{side},{side},0,{side},0,0")
        vectors = [f"0,{0.1 * row:.1f},{side},{0.1 * row:.1f}" for row in range(per_layer)]
        lines.append(f"$$HATCHES/1,{per_layer},{','.join(vectors)}")
    return ("\n".join([*lines, "$$GEOMETRYEND"]) + "\n").encode()


def damaged_cli(layers: int, damaged: int) -> bytes:
    """The same, but a coordinate of one layer is no number."""
    text = ascii_cli(layers).decode()
    begin = text.index(f"$$LAYER/{0.05 * (damaged + 1):.2f}")
    place = text.index(",0,0,", begin)
    return f"{text[:place]},0,x,{text[place + 5 :]}".encode()


def output_digest(folder: Path) -> dict[str, str]:
    """The hash of every file of an output, by its name below the folder."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def output_table(folder: Path, table: str) -> pa.Table:
    """All rows of a table, builds in the order of their names, with the name in front."""
    parts = []
    for file in sorted((folder / table).rglob("*.parquet")):
        rows = pq.ParquetFile(file).read()
        contract = BUILD_OUTPUTS[table]
        assert rows.schema.names == contract.names, file
        assert [field.metadata for field in rows.schema] == [field.metadata for field in contract]
        rows = rows.cast(contract)  # Parquet calls the items of lists differently
        build = file.parent.name.removeprefix("build=")
        if file.parent.name != table:
            rows = rows.add_column(0, "build", pa.repeat(build, len(rows)))
        parts.append(rows)
    return pa.concat_tables(parts)

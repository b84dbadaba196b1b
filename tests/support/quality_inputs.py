"""Records for the engines of the batch, in every form, and what must come of them."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pbf_ray.contracts import OUTPUT_TABLES, RECORD_SCHEMA
from pbf_ray.decode import from_json
from support.oracle import Expected, Raw, expected
from support.workload import Workload

# ruff: noqa: E501 - odd records are best read as a list

__all__ = ["QualityInputs", "odd_records", "output_tables", "write_inputs"]

NAN, INF = float("nan"), float("inf")


def odd_records() -> list[bytes]:
    """Records at which engines could differ: nulls, NaN, ties, zeros, void and odd ones."""
    rows: list[dict[str, Any]] = []

    def add(**fields: Any) -> None:
        row = {"sensor_id": "S", "timestamp": 1.0, "temperature": 1600.0, "pressure": 0.95,
               "laser_power": 200.0, "scan_speed": 1.2, "build_id": "B", "layer": 1,
               "_metadata": {"producer_id": "p", "message_id": str(len(rows))}}  # fmt: skip
        rows.append({**row, **fields})

    for layer, builds in enumerate(([None, "", "null"], ['ü🙂"\\\n\x7f', "a,b", " "])):
        for build in builds:
            for number in range(4):
                add(build_id=build, layer=layer if number else None, temperature=1600.0 + number)
    # Ties, in an order that sums can feel.
    for number in range(60):
        add(layer=7, timestamp=float(number % 5), temperature=[1e16, 1.0, -1e16, 0.1][number % 4])
    for time in (
        None,
        NAN,
        INF,
        -INF,
        -0.0,
        0.0,
        1e300,
        -62135596800.0,
        253402300799.9,
        -1e-7,
        -0.001,
    ):
        for number in range(2):
            add(layer=8, timestamp=time, temperature=1601.5 + number)
    for value in (None, NAN, INF, -INF, 0.0, -0.0, 5e-324, 1.7e308):
        for channel in ("temperature", "pressure", "laser_power", "scan_speed"):
            add(layer=9, timestamp=float(len(rows)), **{channel: value})
    for value in (1700.0, 1500.0, 1700.0000000000002, 1499.9999999999998):
        add(layer=10, timestamp=float(len(rows)), temperature=value)
    add(layer=11, temperature=None, pressure=None, laser_power=None, scan_speed=None)
    add(layer=12, _metadata=None)
    add(layer=12, _metadata={"producer_id": "\x00"})
    add(layer=-(2**31), build_id="x" * 3000)
    written = [json.dumps(row).encode() for row in rows]
    return [
        *written,
        *(b"", b"   ", b"\t\r", b"null", b"{}", b"[]", b"12", b'"s"', b"[{}]", b"{", b'{"layer":1'),
        *(b'{"layer":"7"}', b'{"layer":1.5,"build_id":"B"}', b'{"layer":7,"layer":"x"}', b"{'layer':7}"),
        *(b'{"timestamp":01}', b'{"timestamp":1} x', b'{"layer":7}{"layer":8}', b'{"foo":tru}'),
        *(b'{"sensor_id":1.50,"build_id":1E5}', b'{"sensor_id":"a', b'{"build_id":"\xff\xfe"}'),
        *(b'{"temperature":"NaN","layer":7}', b'{"temperature":NaN,"timestamp":-Infinity}'),
        *(b'{"temperature":"1.5"}', b'{"_metadata":"s","layer":3}', b'{"_metadata":{"producer_id":[1, 2.50]}}'),
        *(b'{"sensor_id":"' + b"y" * (1 << 20) + b'z"}', b'{"sensor_id":"' + b"y" * (1 << 20) + b'"}'),
        *(b"\xef\xbb\xbf{}", b'{"layer":2147483648}', b'{"layer":-0,"timestamp":-0}'),
    ]  # fmt: skip


@dataclass(frozen=True)
class QualityInputs:
    """Inputs of a run.

    Attributes:
        folder: What is read.
        wanted: What must come of it.
    """

    folder: Path
    wanted: Expected


def write_inputs(folder: Path, job_id: str) -> QualityInputs:
    """A folder of JSON lines, packed and plain, and of Parquet, with values and with columns."""
    odd = odd_records()
    values = [value or b"" for _, value in Workload(1500, rows_per_layer=300).in_time()]
    (folder / "deep[1] b=c%").mkdir(parents=True)
    parts: dict[str, list[bytes | None]] = {
        "deep[1] b=c%/plain.jsonl": [*values[:700]],
        "odd.ndjson": [*odd],
        "packed.json.gz": [*values[700:900], *odd[:20]],
        "raw.parquet": [*values[900:1100], None, *odd],
        "columns.parquet": [*values[1100:]],
    }
    raws: list[Raw] = []
    for name, records in parts.items():
        file = folder / name
        if name == "columns.parquet":
            records = _write_columns(file, [value for value in records if value is not None])
        elif name == "raw.parquet":
            pq.write_table(
                pa.table({"value": pa.array(records, pa.binary())}), file, row_group_size=64
            )
        else:
            text = b"\n".join(value or b"" for value in records)
            # One file ends with a newline and one without: both end with their last record.
            text += b"\n" if "plain" not in name else b""
            file.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        raws += [Raw(name, 0, number, None, value) for number, value in enumerate(records)]
    (folder / "empty.jsonl").write_bytes(b"")
    (folder / "_hidden.jsonl").write_bytes(b"{}\n")
    (folder / "notes.md").write_text("no records")
    wanted = expected(raws, job_id=job_id, sources={name: name for name in parts}, whole_input=True)
    for rows in wanted.tables.values():
        for row in rows.values():
            if "kafka_timestamp" in row:
                row["kafka_timestamp"] = None
            if row.get("topic") == "columns.parquet" and "flagged" in row:
                row["flagged"] = False  # what was bad is null there, and nothing says why
    return QualityInputs(folder, wanted)


def _write_columns(file: Path, records: list[bytes]) -> list[bytes | None]:
    """The records as columns, without those that are void; what was written, as JSON again."""
    decoded = from_json(records, RECORD_SCHEMA, mode="dead_letter")
    table = decoded.table
    # Wider types than those of the record, as other tools write them.
    at = table.schema.get_field_index("layer")
    table = table.set_column(at, "layer", table["layer"].cast(pa.int64()))
    pq.write_table(table, file, row_group_size=100)
    return [records[index] for index in decoded.indices.to_pylist()]


def output_tables(folder: Path) -> dict[str, pa.Table]:
    """The tables of an output, in the schemas of their contracts."""
    return {
        name: pq.read_table(folder / name, schema=contract.schema)
        for name, contract in OUTPUT_TABLES.items()
    }

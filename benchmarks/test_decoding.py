"""JSON records to columns, against other ways to the same columns, on one core.

Run with ``python -m pytest benchmarks/test_decoding.py -s``. The answers are compared first, then
all take turns; results go to ``benchmarks/results/decoding.json``. Peers that want one text get the
records joined, and the joining is not timed. msgspec is also timed as it is mostly used: to objects
with checked types, without the columns.

Spark runs as ``local[1]`` in its own process on the same core, on records that it has cached, after
its compiler has warmed up; its result goes to its ``noop`` sink.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.json
import pytest
from benchmarks.comparison import compare, recorded, seconds

from pbf_ray.contracts import CHANNELS, RECORD_SCHEMA
from pbf_ray.decode import from_json
from pbf_ray.decode.batch import decoded_batch
from pbf_ray.decode.reference import from_json as reference_from_json

RECORDS = int(os.environ.get("PBF_RAY_BENCH_RECORDS", "500000"))
REFERENCE_RECORDS = 2_000
ROUNDS = 5


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[int]:
    """All, and what they start, share one core."""
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    yield core
    os.sched_setaffinity(0, before)


@pytest.fixture(scope="module")
def results(one_core: int) -> Iterator[dict[str, Any]]:
    assert os.sched_getaffinity(0) == {one_core}
    packages = ("orjson", "msgspec", "polars", "pyarrow", "pyspark")
    with recorded("decoding", packages, records=RECORDS, cores_used=1) as found:
        yield found


def make_records(count: int) -> list[bytes]:
    """Records of the main job, of some 283 bytes, as its producer writes them."""
    rng = np.random.default_rng(1)
    channels = {name: np.round(rng.normal(1.0, 0.1, count), 4).tolist() for name in CHANNELS}
    return [
        json.dumps(
            {
                "sensor_id": f"SENSOR-{row % 24:03d}",
                "timestamp": 1_700_000_000 + row / 1000,
                **{name: values[row] for name, values in channels.items()},
                "build_id": f"BUILD-2024-{row % 7:04d}",
                "layer": row // 1000,
                "_metadata": {
                    "producer_id": "ispm-producer-01",
                    "message_id": f"ispm-producer-01-{row:012d}",
                    "timestamp": 1_700_000_000 + row / 1000,
                },
            }
        ).encode()
        for row in range(count)
    ]


def make_awkward_records(count: int) -> list[bytes]:
    """Records none of which the fast reader takes: each kind of oddity in turn."""
    turns: list[Callable[[bytes], bytes]] = [
        lambda record: record.replace(b'"SENSOR-', b'"\\u0053ENSOR-'),
        lambda record: record.replace(b'"', b"'"),
        lambda record: record.replace(b'"BUILD-2024-', b'1600.50,"b":"BUILD-'),
        lambda record: record.replace(b'"layer": ', b'"layer": 7.5, "x": '),
        lambda record: record.replace(b"SENSOR", b"SENS\xffR"),
        lambda record: record.replace(b'"timestamp"', b'"layer": 1, "timestamp"'),
        lambda record: record[:-20],
        lambda record: record.replace(
            b'"_metadata": {', b'"_metadata": {"message_id": {"a": 1.0e3}, '
        ),
    ]
    return [turns[row % len(turns)](record) for row, record in enumerate(make_records(count))]


@pytest.fixture(scope="module")
def records() -> list[bytes]:
    return make_records(RECORDS)


Row = msgspec.defstruct(
    "Row",
    [
        *((name, str | None, None) for name in ("sensor_id", "build_id")),
        *((name, float | None, None) for name in ("timestamp", *CHANNELS)),
        ("layer", int | None, None),
        (
            "metadata",
            msgspec.defstruct(
                "Metadata", [(n, str | None, None) for n in ("producer_id", "message_id")]
            )
            | None,
            None,
        ),
    ],
    rename={"metadata": "_metadata"},
)


def by_orjson(values: Sequence[bytes]) -> pa.Table:
    rows = [orjson.loads(value) for value in values]
    return pa.Table.from_arrays(
        [pa.array([row.get(field.name) for row in rows], field.type) for field in RECORD_SCHEMA],
        schema=RECORD_SCHEMA,
    )


def to_objects(values: Sequence[bytes]) -> list[Any]:
    decode = msgspec.json.Decoder(Row).decode
    return [decode(value) for value in values]


def by_msgspec(values: Sequence[bytes]) -> pa.Table:
    rows = to_objects(values)
    columns = []
    for field in RECORD_SCHEMA:
        cells = [getattr(row, field.name.lstrip("_")) for row in rows]
        if pa.types.is_struct(field.type):
            parts = [
                pa.array([getattr(cell, part.name) for cell in cells]) for part in field.type.fields
            ]
            columns.append(pa.StructArray.from_arrays(parts, fields=list(field.type.fields)))
        else:
            columns.append(pa.array(cells, field.type))
    return pa.Table.from_arrays(columns, schema=RECORD_SCHEMA)


POLARS_SCHEMA = pl.Schema(
    pl.from_arrow(pa.Table.from_batches([], schema=RECORD_SCHEMA)).schema  # type: ignore[union-attr]
)


def by_polars(text: bytes) -> pa.Table:
    return pl.read_ndjson(text, schema=POLARS_SCHEMA).to_arrow()


def by_arrow(text: bytes) -> pa.Table:
    return pyarrow.json.read_json(
        pa.BufferReader(text),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=1 << 24),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=RECORD_SCHEMA, unexpected_field_behavior="ignore"
        ),
    )


class BySpark:
    """``from_json`` on records that Spark has cached."""

    def __init__(self, values: Sequence[bytes]) -> None:
        from pyspark.sql import SparkSession, functions
        from pyspark.sql.pandas.types import from_arrow_schema

        self.session = (
            SparkSession.builder.master("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.driver.memory", "4g")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .getOrCreate()
        )
        text = pa.table({"value": pa.array(values, pa.binary())})
        frame = self.session.createDataFrame(text).repartition(1).cache()
        assert frame.count() == len(values)
        decoded = functions.from_json(
            frame["value"].cast("string"), from_arrow_schema(RECORD_SCHEMA)
        )
        self.rows = frame.select(decoded.alias("row")).select("row.*")
        for _ in range(5):
            self()

    def __call__(self) -> None:
        self.rows.write.format("noop").mode("overwrite").save()

    def table(self) -> pa.Table:
        return self.rows.toArrow()


@pytest.fixture(scope="module")
def spark(records: list[bytes]) -> Iterator[BySpark]:
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, which is not there")
    found = BySpark(records)
    yield found
    found.session.stop()


def plain(table: pa.Table) -> list[dict[str, Any]]:
    wanted = pa.schema([(field.name, field.type) for field in RECORD_SCHEMA])
    return list(table.select(RECORD_SCHEMA.names).cast(wanted).to_pylist())


def test_common_records(results: dict[str, Any], records: list[bytes], spark: BySpark) -> None:
    text = b"\n".join(records)
    values = pa.array(records, pa.binary())
    decoded = from_json(values, RECORD_SCHEMA, "dead_letter")
    assert decoded.exact == 0
    wanted = plain(decoded.table)
    assert len(wanted) == len(records)
    for answer in (by_orjson(records), by_msgspec(records), by_polars(text), by_arrow(text)):
        assert plain(answer) == wanted
    assert sorted(plain(spark.table()), key=_message) == sorted(wanted, key=_message)
    results["bytes_per_record"] = round(len(text) / len(records))
    compare(
        results,
        "common_records",
        len(records) / 1e6,
        lambda: from_json(values, RECORD_SCHEMA, "dead_letter"),
        {
            "ours_from_a_list": lambda: from_json(records, RECORD_SCHEMA, "dead_letter"),
            "orjson_to_columns": lambda: by_orjson(records),
            "msgspec_to_columns": lambda: by_msgspec(records),
            "msgspec_to_objects": lambda: to_objects(records),
            "polars": lambda: by_polars(text),
            "pyarrow_json": lambda: by_arrow(text),
            "spark_from_json": spark,
        },
        unit="m_records_per_s",
        rounds=ROUNDS,
    )


def _message(row: dict[str, Any]) -> str:
    return str(row["_metadata"]["message_id"])


def test_awkward_records(results: dict[str, Any]) -> None:
    records = make_awkward_records(RECORDS)
    few = records[:REFERENCE_RECORDS]
    reference = reference_from_json(few, RECORD_SCHEMA, "dead_letter")
    found = from_json(few, RECORD_SCHEMA, "dead_letter")
    assert found.exact == len(few)
    assert repr(found.table.to_pylist()) == repr(reference.table.to_pylist())
    assert found.rejects.equals(reference.rejects)
    per_call = len(few) / len(records)

    def by_reference() -> float:
        return seconds(lambda: reference_from_json(few, RECORD_SCHEMA, "dead_letter")) / per_call

    compare(
        results,
        "awkward_records",
        len(records) / 1e6,
        lambda: from_json(records, RECORD_SCHEMA, "dead_letter"),
        {"reference": by_reference},
        unit="m_records_per_s",
        rounds=ROUNDS,
    )


def test_common_records_read_exactly(results: dict[str, Any], records: list[bytes]) -> None:
    fast = from_json(records, RECORD_SCHEMA, "dead_letter")
    exact = decoded_batch(records, RECORD_SCHEMA, "dead_letter", all_exactly=True)
    assert fast.table.equals(exact.table)
    compare(
        results,
        "common_records_by_the_exact_reader",
        len(records) / 1e6,
        lambda: decoded_batch(records, RECORD_SCHEMA, "dead_letter", all_exactly=True),
        {"fast_reader": lambda: from_json(records, RECORD_SCHEMA, "dead_letter")},
        unit="m_records_per_s",
        rounds=ROUNDS,
    )

"""``from_json`` over a batch of records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from pbf_ray.decode.columns import built_columns
from pbf_ray.decode.common import RecordValues, common_rows, value_at
from pbf_ray.decode.convert import Converter
from pbf_ray.decode.fields import CORRUPT_RECORD, converters_of
from pbf_ray.decode.java_text import decoded
from pbf_ray.decode.problems import UNSTORABLE
from pbf_ray.decode.record import Outcome, Problem, read_record
from pbf_ray.decode.storable import unstorable_detail
from pbf_ray.errors import MalformedRecordError

__all__ = ["MODES", "REJECTS_SCHEMA", "DecodeResult", "from_json"]

MODES: Final = ("PERMISSIVE", "DROPMALFORMED", "FAILFAST", "dead_letter")

REJECTS_SCHEMA: Final[pa.Schema] = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class DecodeResult:
    """What became of a batch.

    Attributes:
        table: The decoded rows, in the order of the values.
        rejects: In mode ``dead_letter`` the values not in ``table``: their ``index`` (int64), a
            ``reason`` (a code of ``REASONS``) and a ``detail`` for people. Empty in other modes.
        indices: int64, per row of ``table`` the index of its value.
        flagged: bool, per row of ``table`` whether a field could not be converted and is null
            while the others stand.
        exact: How many values the exact reader had to read, the fast one being in doubt. It is some
            hundred times slower: what sends mostly such records can be sped up at the source.
    """

    table: pa.Table
    rejects: pa.Table
    indices: pa.Int64Array
    flagged: pa.BooleanArray
    exact: int


def from_json(
    values: Sequence[bytes | None] | pa.Array | pa.ChunkedArray,
    schema: pa.Schema,
    mode: str = "PERMISSIVE",
) -> DecodeResult:
    """Decode JSON records as PySpark's ``from_json(CAST(value AS STRING), schema)`` does.

    Equal to Spark 4.3 on Java 17 with default options, to the bit.

    - ``PERMISSIVE``: one row per value, and a column ``_corrupt_record`` with the text of every
      value that is void or has a field that cannot be converted. A void record is a row of nulls.
    - ``FAILFAST``: raises at the first value that would have a ``_corrupt_record``.
    - ``DROPMALFORMED``: leaves out what would have a ``_corrupt_record``, and null and blank
      values. Spark's ``from_json`` does not know this mode; it is that of ``spark.read.json``,
      except that an array at the root is corrupt here and not split into rows.
    - ``dead_letter``: leaves out what is void as a whole, null and blank values, and records with a
      string that no store may hold; ``rejects`` has them. A record with a bad field stays, flagged.

    Args:
        values: Record values; None for a message without value.
        schema: Wanted fields: string, float64, float32, int8 to int64, bool, structs of those.
        mode: One of ``MODES``.

    Returns:
        Rows with the fields of ``schema`` in its order; see `DecodeResult`.

    Raises:
        TypeError: The schema has a type that cannot be decoded, or a value is no bytes.
        ValueError: The mode is unknown, or the schema is empty or names a field twice.
        MalformedRecordError: A record is corrupt and the mode is FAILFAST.
    """
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} is unknown; choose one of {', '.join(MODES)}")
    converters = converters_of(schema)
    listed = _one_piece(values)
    table, outcomes = _decoded_table(listed, schema, converters)
    rejects: dict[int, Problem] = {}
    dropped: Iterable[int] = ()
    if mode == "PERMISSIVE":
        table = _with_corrupt_record(table, listed, outcomes)
    elif mode == "FAILFAST":
        _raise_at_first_corrupt(outcomes)
    elif mode == "DROPMALFORMED":
        dropped = {
            index for index, outcome in outcomes.items() if outcome.is_corrupt or outcome.is_null
        }
    else:
        dropped = rejects = _rejects(outcomes)
    flagged = np.zeros(len(listed), np.bool_)
    flagged[[index for index, outcome in outcomes.items() if outcome.flagged]] = True
    kept = np.arange(len(listed))
    if dropped:
        kept = np.delete(kept, list(dropped))
        table = table.take(pa.array(kept))
    return DecodeResult(
        table=table,
        rejects=_rejects_table(rejects),
        indices=pa.array(kept, pa.int64()),
        flagged=pa.array(flagged[kept]),
        exact=len(outcomes),
    )


def _one_piece(values: Sequence[bytes | None] | pa.Array | pa.ChunkedArray) -> RecordValues:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.Array):
        if not (pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type)):
            raise TypeError(f"values have type {values.type}; binary is wanted")
        return values
    return values if isinstance(values, list) else list(values)


def _decoded_table(
    values: RecordValues, schema: pa.Schema, converters: dict[str, Converter]
) -> tuple[pa.Table, dict[int, Outcome]]:
    """Table with a row per value, and the outcomes of the values that were read exactly."""
    table, doubtful = common_rows(values, schema)
    outcomes = {
        index: read_record(value_at(values, index), converters) for index in doubtful.tolist()
    }
    if not outcomes:
        return table, outcomes
    columns = built_columns(list(schema), [outcome.row for outcome in outcomes.values()])
    exact = pa.Table.from_arrays(columns, schema=schema)
    if len(outcomes) == len(values):
        return exact, outcomes
    rows = np.arange(len(values))
    rows[doubtful] = len(values) + np.arange(len(outcomes))
    return pa.concat_tables([table, exact]).combine_chunks().take(pa.array(rows)), outcomes


def _with_corrupt_record(
    table: pa.Table, values: RecordValues, outcomes: dict[int, Outcome]
) -> pa.Table:
    texts: list[str | None] = [None] * len(values)
    for index, outcome in outcomes.items():
        value = value_at(values, index)
        if outcome.is_corrupt and value is not None:
            texts[index] = decoded(value)
    return table.append_column(CORRUPT_RECORD, pa.array(texts, pa.string()))


def _raise_at_first_corrupt(outcomes: dict[int, Outcome]) -> None:
    corrupt = [index for index, outcome in outcomes.items() if outcome.is_corrupt]
    if corrupt:
        index = min(corrupt)
        problem = outcomes[index].problem
        text = f"{problem.reason}, {problem.detail}" if problem else "a field cannot be converted"
        raise MalformedRecordError(text, index=index)


def _rejects(outcomes: dict[int, Outcome]) -> dict[int, Problem]:
    rejects: dict[int, Problem] = {}
    for index, outcome in sorted(outcomes.items()):
        if outcome.problem:
            rejects[index] = outcome.problem
        elif detail := unstorable_detail(outcome.row):
            rejects[index] = Problem(UNSTORABLE, detail)
    return rejects


def _rejects_table(rejects: dict[int, Problem]) -> pa.Table:
    return pa.table(
        [
            pa.array(list(rejects), pa.int64()),
            pa.array([problem.reason for problem in rejects.values()], pa.string()),
            pa.array([problem.detail for problem in rejects.values()], pa.string()),
        ],
        schema=REJECTS_SCHEMA,
    )

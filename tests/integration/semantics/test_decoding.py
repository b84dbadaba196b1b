"""Decoding is PySpark's, in every mode, for every type, for records odd in any way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.decode import CORRUPT_RECORD, MAX_STRING_BYTES, DecodeResult, from_json
from pbf_ray.errors import MalformedRecordError
from support.semantics.comparer import assert_same, differing_rows
from support.semantics.oddities import FLAGGED, NULL, ROW, VOID
from support.semantics.records import SCHEMA, Case, known_cases, random_records
from support.semantics.rounds import LONG, rounds
from support.semantics.shrinking import shortest
from support.semantics.spark_decoding import (
    SparkDecoded,
    spark_dropmalformed,
    spark_failfast,
    spark_permissive,
)

RECORDS = 2500
seeds = st.integers(0, 2**64 - 1)


@dataclass(frozen=True, eq=False)
class Known:
    """Records that are odd in one known way, and what both make of them."""

    cases: list[Case]
    spark: SparkDecoded
    ours: DecodeResult
    ours_kinds: list[str]


@pytest.fixture(scope="module")
def known(spark: Any) -> Known:
    """Every oddity of the list, alone, some times."""
    cases = list(known_cases(Random(54), repeats=20 if LONG else 4))
    values = [case.value for case in cases]
    return Known(
        cases, spark_permissive(spark, values, SCHEMA), from_json(values, SCHEMA), kinds_of(values)
    )


def kinds_of(values: Sequence[bytes | None], schema: pa.Schema = SCHEMA) -> list[str]:
    """What pbf_ray takes each value for: a kind of `SparkDecoded`, or ``unstorable``."""
    result = from_json(values, schema, "dead_letter")
    kinds = [VOID] * len(values)
    for index, flagged in zip(result.indices.to_pylist(), result.flagged.to_pylist(), strict=True):
        kinds[index] = FLAGGED if flagged else ROW
    for reject in result.rejects.to_pylist():
        if reject["reason"] in ("null_value", "blank"):
            kinds[reject["index"]] = NULL
        elif reject["reason"] == "unstorable":
            kinds[reject["index"]] = "unstorable"
    return kinds


def is_unstorable(row: dict[str, Any]) -> bool:
    """Whether a text of the row may not go to a store."""
    return any(
        is_unstorable(value)
        if isinstance(value, dict)
        else isinstance(value, str) and ("\x00" in value or len(value.encode()) > MAX_STRING_BYTES)
        for value in row.values()
    )


# -- item by item ------------------------------------------------------------------------------


@pytest.mark.semantics(*range(1, 34), *range(62, 73))
@pytest.mark.parametrize("item", [*range(1, 34), *range(62, 73)])
def test_items_of_the_list(item: int, known: Known) -> None:
    reached = [index for index, case in enumerate(known.cases) if item in case.items]
    assert len(reached) >= 4, "the generator does not reach it"
    rows = known.spark.table.take(pa.array(reached))
    for index, row in zip(reached, rows.to_pylist(), strict=True):
        case = known.cases[index]
        assert known.spark.kinds[index] == case.kind, case
        # repr tells NaN, infinities and -0.0 apart and prints doubles exactly
        assert {name: repr(row[name]) for name in case.fields} == {
            name: repr(value) for name, value in case.fields.items()
        }, case
        wanted = "unstorable" if is_unstorable(row) else case.kind
        assert known.ours_kinds[index] == wanted, case
    ours = known.ours.table.select(SCHEMA.names).take(pa.array(reached))
    assert_same(ours, rows, what=f"item {item}")


def test_the_list_was_read_to_its_end(known: Known) -> None:
    """Sound and odd records are both there, and both readers of pbf_ray had work."""
    kinds = {kind: known.spark.kinds.count(kind) for kind in (ROW, FLAGGED, VOID, NULL)}
    assert min(kinds.values()) >= 10, kinds
    assert len(known.cases) * 0.1 < known.ours.exact < len(known.cases) * 0.95


# -- any record --------------------------------------------------------------------------------


def drawn(seed: int) -> tuple[list[bytes | None], pa.Schema]:
    """Records of a seed, and the schema that is wanted of them: all fields, or some."""
    rng = Random(seed)
    names = set(SCHEMA.names)
    if rng.random() < 0.5:
        names = set(rng.sample(SCHEMA.names, rng.randrange(1, len(SCHEMA))))
    fields = [field for field in SCHEMA if field.name in names]
    return random_records(rng, RECORDS), pa.schema(fields)


def differing(
    spark: Any, values: Sequence[bytes | None], schema: pa.Schema
) -> tuple[set[int], SparkDecoded, DecodeResult]:
    """Indices of the records that pbf_ray decodes in another way than Spark does."""
    theirs, ours = spark_permissive(spark, values, schema), from_json(values, schema)
    rows: set[int] = set()
    for name in schema.names:
        rows.update(differing_rows(ours.table[name], theirs.table[name]).tolist())
    rows.update(differing_rows(ours.table[CORRUPT_RECORD], theirs.corrupt_text).tolist())
    spark_rows: list[dict[str, Any]] | None = None
    for index, (kind, wanted) in enumerate(
        zip(kinds_of(values, schema), theirs.kinds, strict=True)
    ):
        if kind != wanted:
            spark_rows = theirs.table.to_pylist() if spark_rows is None else spark_rows
            if kind != "unstorable" or wanted == VOID or not is_unstorable(spark_rows[index]):
                rows.add(index)
    return rows, theirs, ours


@rounds(3)
@given(seed=seeds)
def test_any_record_is_decoded_as_spark_does(seed: int, spark: Any) -> None:
    values, schema = drawn(seed)
    rows, theirs, ours = differing(spark, values, schema)
    if rows:
        worst = min((value for index in rows if (value := values[index])), key=len)

        def differ(candidates: Sequence[bytes]) -> list[bool]:
            bad = differing(spark, candidates, schema)[0]
            return [index in bad for index in range(len(candidates))]

        record = shortest(worst, differ)
        _, spark_side, our_side = differing(spark, [record], schema)
        pytest.fail(
            f"{len(rows)} of {len(values)} records differ, the shortest: {record!r}\n"
            f"wanted: {schema.names}\n"
            f"Spark:   {spark_side.kinds} {spark_side.table.to_pylist()}\n"
            f"pbf_ray: {kinds_of([record], schema)} {our_side.table.to_pylist()}"
        )
    same_bytes = [
        value == corrupt
        for value, corrupt in zip(values, theirs.corrupt.to_pylist(), strict=True)
        if corrupt is not None
    ]
    assert all(same_bytes)
    # a seed of which nothing can be learned would be a defect of the generator
    assert all(theirs.kinds.count(kind) > RECORDS * 0.05 for kind in (ROW, VOID))
    assert theirs.kinds.count(NULL) > 0
    assert len(schema) < len(SCHEMA) or theirs.kinds.count(FLAGGED) > RECORDS * 0.02
    assert RECORDS * 0.05 < ours.exact < RECORDS


@rounds(1)
@given(seed=seeds)
@pytest.mark.semantics(1, 2, 14)
def test_dropmalformed_leaves_what_spark_leaves(seed: int, spark: Any) -> None:
    values, schema = drawn(seed)
    # spark.read.json, the only one that knows this mode, makes rows of the elements of an array
    values = [value for value in values if not (value or b"").lstrip(b" \t\r\n").startswith(b"[")]
    theirs = spark_dropmalformed(spark, values, schema)
    ours = from_json(values, schema, "DROPMALFORMED")
    assert 0 < theirs.num_rows < len(values)
    assert_same(ours.table, theirs, what="DROPMALFORMED")
    left = ours.indices.to_pylist()
    assert_same(from_json(values, schema).table.select(schema.names).take(ours.indices), ours.table)
    assert left == sorted(left)


@rounds(1)
@given(seed=seeds)
@pytest.mark.semantics(1, 2, 14)
def test_failfast_stops_where_spark_stops(seed: int, spark: Any) -> None:
    values, schema = drawn(seed)
    kinds = spark_permissive(spark, values, schema).kinds
    sound = [value for value, kind in zip(values, kinds, strict=True) if kind in (ROW, NULL)]
    theirs = spark_failfast(spark, sound, schema)
    assert theirs is not None
    assert_same(from_json(sound, schema, "FAILFAST").table, theirs, what="FAILFAST")
    for wanted in (FLAGGED, VOID):
        corrupt = [value for value, kind in zip(values, kinds, strict=True) if kind == wanted]
        # few fields may be wanted, and none of them be flagged
        for value in corrupt[:1]:
            mixed = [*sound[:3], value, *sound[3:6]]
            assert spark_failfast(spark, mixed, schema) is None
            with pytest.raises(MalformedRecordError) as stopped:
                from_json(mixed, schema, "FAILFAST")
            assert stopped.value.index == 3


@rounds(1)
@given(seed=seeds)
@pytest.mark.semantics(1, 2, 4, 14)
def test_dead_letters_are_the_void_records_of_spark(seed: int, spark: Any) -> None:
    values, schema = drawn(seed)
    theirs = spark_permissive(spark, values, schema)
    rows = theirs.table.to_pylist()
    kept = [
        index
        for index, kind in enumerate(theirs.kinds)
        if kind in (ROW, FLAGGED) and not is_unstorable(rows[index])
    ]
    ours = from_json(values, schema, "dead_letter")
    assert ours.indices.to_pylist() == kept
    assert ours.flagged.to_pylist() == [theirs.kinds[index] == FLAGGED for index in kept]
    assert_same(ours.table, theirs.table.take(pa.array(kept)), what="dead_letter")
    assert sorted([*kept, *ours.rejects["index"].to_pylist()]) == list(range(len(values)))

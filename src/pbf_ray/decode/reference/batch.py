"""``from_json`` over a batch of records, one by one."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pbf_ray.decode.fields import CORRUPT_RECORD
from pbf_ray.decode.reasons import UNSTORABLE
from pbf_ray.decode.reference.columns import built_columns
from pbf_ray.decode.reference.fields import converters_of
from pbf_ray.decode.reference.java_text import decoded
from pbf_ray.decode.reference.record import Outcome, Problem, read_record
from pbf_ray.decode.reference.storable import unstorable_detail
from pbf_ray.decode.result import REJECTS_SCHEMA, DecodeResult
from pbf_ray.errors import MalformedRecordError

__all__ = ["from_json"]


def from_json(values: Sequence[bytes | None], schema: pa.Schema, mode: str) -> DecodeResult:
    """Decode as ``pbf_ray.decode.from_json`` does; ``exact`` counts all values.

    Args:
        values: Record values; None for a message without value.
        schema: Fields that can be decoded.
        mode: One of ``MODES``.

    Raises:
        MalformedRecordError: A record is corrupt and the mode is FAILFAST.
    """
    converters = converters_of(schema)
    outcomes = [read_record(value, converters) for value in values]
    if mode == "FAILFAST":
        _raise_at_first_corrupt(outcomes)
    rejects = {
        index: problem
        for index, outcome in enumerate(outcomes)
        if mode == "dead_letter" and (problem := _problem(outcome))
    }
    kept = [
        index
        for index, outcome in enumerate(outcomes)
        if index not in rejects
        and not (mode == "DROPMALFORMED" and (outcome.is_corrupt or outcome.is_null))
    ]
    columns = built_columns(list(schema), [outcomes[index].row for index in kept])
    table = pa.Table.from_arrays(columns, schema=schema)
    if mode == "PERMISSIVE":
        texts = [
            decoded(value) if outcome.is_corrupt and value is not None else None
            for value, outcome in zip(values, outcomes, strict=True)
        ]
        table = table.append_column(CORRUPT_RECORD, pa.array(texts, pa.string()))
    return DecodeResult(
        table=table,
        rejects=_rejects_table(rejects),
        indices=pa.array(kept, pa.int64()),
        flagged=pa.array([outcomes[index].flagged for index in kept], pa.bool_()),
        exact=len(outcomes),
    )


def _raise_at_first_corrupt(outcomes: Sequence[Outcome]) -> None:
    for index, outcome in enumerate(outcomes):
        if outcome.is_corrupt:
            problem = outcome.problem
            text = (
                f"{problem.reason}, {problem.detail}" if problem else "a field cannot be converted"
            )
            raise MalformedRecordError(text, index=index)


def _problem(outcome: Outcome) -> Problem | None:
    if outcome.problem:
        return outcome.problem
    detail = unstorable_detail(outcome.row)
    return Problem(UNSTORABLE, detail) if detail else None


def _rejects_table(rejects: dict[int, Problem]) -> pa.Table:
    return pa.table(
        [
            pa.array(list(rejects), pa.int64()),
            pa.array([problem.reason for problem in rejects.values()], pa.string()),
            pa.array([problem.detail for problem in rejects.values()], pa.string()),
        ],
        schema=REJECTS_SCHEMA,
    )

"""The C++ reader of records, held against the plain reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from pbf_ray.decode import MODES, DecodeResult
from pbf_ray.decode.batch import decoded_batch
from pbf_ray.decode.reference import from_json as reference_from_json
from pbf_ray.errors import MalformedRecordError

__all__ = ["assert_as_the_reference", "assert_same_columns"]


def assert_as_the_reference(
    values: Sequence[bytes | None], schema: pa.Schema, modes: Sequence[str] = MODES
) -> None:
    """Both ways through the C++ give what the reference gives: rows, rejects, errors, to the bit.

    One way lets the fast reader try first, the other reads all records exactly.
    """
    for mode in modes:
        wanted = _outcome(partial(reference_from_json, values, schema, mode))
        for all_exactly in (False, True):
            found = _outcome(partial(decoded_batch, values, schema, mode, all_exactly=all_exactly))
            if isinstance(wanted, tuple) or isinstance(found, tuple):
                assert found == wanted, mode
                continue
            found.table.validate(full=True)
            assert found.indices.to_pylist() == wanted.indices.to_pylist(), mode
            assert found.flagged.to_pylist() == wanted.flagged.to_pylist(), mode
            assert found.rejects.to_pylist() == wanted.rejects.to_pylist(), mode
            assert_same_columns(found.table, wanted.table)
            if all_exactly:
                assert found.exact == len(values)


def _outcome(decode: Callable[[], DecodeResult]) -> DecodeResult | tuple[int, str]:
    try:
        return decode()
    except MalformedRecordError as error:
        return error.index, error.reason


def assert_same_columns(found: pa.Table, wanted: pa.Table) -> None:
    """Equal to the bit, but for the bits of a NaN and of what is null."""
    assert found.schema.equals(wanted.schema, check_metadata=True)
    for name in wanted.schema.names:
        left, right = found[name].combine_chunks(), wanted[name].combine_chunks()
        assert _comparable(left) == _comparable(right), name


def _comparable(array: pa.Array) -> list[Any]:
    if pa.types.is_struct(array.type):
        fields = [_comparable(child) for child in array.flatten()]
        return [array.is_valid().to_pylist(), *fields]
    if pa.types.is_floating(array.type):
        numbers = np.asarray(array.fill_null(0))
        bits = numbers.view(f"i{numbers.itemsize}")
        return [
            None if not valid else "NaN" if math.isnan(number) else int(number_bits)
            for valid, number, number_bits in zip(
                array.is_valid().to_pylist(), numbers, bits, strict=True
            )
        ]
    return list(array.to_pylist())

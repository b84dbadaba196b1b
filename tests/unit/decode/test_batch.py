"""from_json over batches: modes, shapes, rejects, errors."""

from __future__ import annotations

import json
import pickle
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import RECORD_SCHEMA
from pbf_ray.decode import (
    CORRUPT_RECORD,
    MAX_STRING_BYTES,
    MODES,
    REASONS,
    REJECTS_SCHEMA,
    DecodeResult,
    RecordBuffer,
    from_json,
)
from pbf_ray.errors import MalformedRecordError

GOOD = b'{"sensor_id":"S1","temperature":1600.5,"layer":3,"_metadata":{"message_id":"m"}}'
BAD_FIELD = b'{"sensor_id":"S2","temperature":"hot","layer":4}'
VOID = b'{"sensor_id":"S3","layer":'
MIXED: list[bytes | None] = [GOOD, None, BAD_FIELD, b" ", VOID, b"{}", b"[1]", GOOD]

WHOLE = pa.array(MIXED, pa.binary())


def rows(result: DecodeResult, name: str) -> list[Any]:
    return list(result.table[name].to_pylist())


def test_permissive_gives_one_row_per_value() -> None:
    result = from_json(MIXED, RECORD_SCHEMA)
    assert result.table.schema.names == [*RECORD_SCHEMA.names, CORRUPT_RECORD]
    assert result.table.select(RECORD_SCHEMA.names).schema.equals(
        RECORD_SCHEMA, check_metadata=True
    )
    assert rows(result, "layer") == [3, None, 4, None, None, None, None, 3]
    corrupt = [None, None, BAD_FIELD.decode(), None, VOID.decode(), None, "[1]", None]
    assert rows(result, CORRUPT_RECORD) == corrupt
    assert result.indices.to_pylist() == list(range(len(MIXED)))
    assert result.flagged.to_pylist() == [index == 2 for index in range(len(MIXED))]
    assert result.rejects.num_rows == 0


def test_corrupt_record_is_decoded_as_spark_prints_it() -> None:
    (text,) = rows(from_json([b'{"layer":"\xed\xa0\x80\xff"}'], RECORD_SCHEMA), CORRUPT_RECORD)
    assert text == '{"layer":"\ufffd\ufffd"}'


def test_dropmalformed_leaves_out_what_is_corrupt_blank_or_null() -> None:
    result = from_json(MIXED, RECORD_SCHEMA, "DROPMALFORMED")
    assert result.table.schema.equals(RECORD_SCHEMA, check_metadata=True)
    assert result.indices.to_pylist() == [0, 5, 7]
    assert rows(result, "layer") == [3, None, 3]
    assert result.flagged.to_pylist() == [False] * 3
    assert result.rejects.num_rows == 0


@pytest.mark.parametrize(
    ("values", "index", "reason"),
    [
        ([GOOD, BAD_FIELD, VOID], 1, "a field cannot be converted"),
        ([GOOD, VOID, BAD_FIELD], 1, "truncated, the record ends inside an object at byte 26"),
        ([GOOD, b"[]", VOID], 1, "not_an_object, an object expected at byte 1"),
        ([b'{"layer":1.5}', VOID], 0, "a field cannot be converted"),
    ],
)
def test_failfast_raises_at_the_first_corrupt_record(
    values: list[bytes], index: int, reason: str
) -> None:
    with pytest.raises(MalformedRecordError) as caught:
        from_json(values, RECORD_SCHEMA, "FAILFAST")
    assert caught.value.index == index
    assert caught.value.reason == reason
    assert pickle.loads(pickle.dumps(caught.value)).index == index  # noqa: S301


def test_failfast_lets_null_and_blank_values_pass() -> None:
    result = from_json([GOOD, None, b" ", b"{}"], RECORD_SCHEMA, "FAILFAST")
    assert result.table.schema.equals(RECORD_SCHEMA)
    assert rows(result, "layer") == [3, None, None, None]


def test_dead_letter_rejects_void_records_and_keeps_bad_fields() -> None:
    result = from_json(MIXED, RECORD_SCHEMA, "dead_letter")
    assert result.table.schema.equals(RECORD_SCHEMA, check_metadata=True)
    assert result.indices.to_pylist() == [0, 2, 5, 7]
    assert result.flagged.to_pylist() == [False, True, False, False]
    assert rows(result, "layer") == [3, 4, None, 3]
    assert rows(result, "temperature") == [1600.5, None, None, 1600.5]
    assert result.rejects.schema.equals(REJECTS_SCHEMA)
    assert result.rejects.to_pydict() == {
        "index": [1, 3, 4, 6],
        "reason": ["null_value", "blank", "truncated", "not_an_object"],
        "detail": [
            "no value",
            "1 bytes of white space",
            "the record ends inside an object at byte 26",
            "an object expected at byte 1",
        ],
    }


def test_dead_letter_rejects_what_no_store_may_hold() -> None:
    longest = b"\xc3\xa9" * (MAX_STRING_BYTES // 2)
    values = [
        b'{"sensor_id":"a\\u0000b"}',
        b'{"_metadata":{"message_id":"\\u0000"}}',
        b'{"sensor_id":"' + longest + b'"}',
        b'{"sensor_id":"' + longest + b'x"}',
        b'{"other":"\\u0000"}',
        b'{"sensor_id":["\\u0000"]}',
        b'{"layer":"x","sensor_id":"\\u0000"}',
    ]
    result = from_json(values, RECORD_SCHEMA, "dead_letter")
    assert result.indices.to_pylist() == [2, 4, 5]
    assert set(result.rejects["reason"].to_pylist()) == {"unstorable"}
    assert result.rejects["detail"].to_pylist() == [
        "sensor_id holds U+0000",
        "_metadata.message_id holds U+0000",
        f"sensor_id is longer than {MAX_STRING_BYTES} bytes",
        "sensor_id holds U+0000",
    ]
    # the same values are ordinary ones in Spark's own modes
    assert from_json(values[:1], RECORD_SCHEMA).table["sensor_id"].to_pylist() == ["a\x00b"]


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_batch_is_an_empty_table(mode: str) -> None:
    result = from_json([], RECORD_SCHEMA, mode)
    assert result.table.num_rows == 0
    assert result.table.select(RECORD_SCHEMA.names).schema.equals(RECORD_SCHEMA)
    assert (len(result.indices), len(result.flagged), result.rejects.num_rows) == (0, 0, 0)


@pytest.mark.parametrize(
    "values",
    [
        pa.array(MIXED, pa.binary()),
        pa.array(MIXED, pa.large_binary()),
        pa.array(MIXED, pa.binary()).cast(pa.string()),
        pa.array(MIXED, pa.large_string()),
        pa.array([VOID, *MIXED, None], pa.binary())[1:-1],
        pa.chunked_array([pa.array(MIXED[:3], pa.binary()), pa.array(MIXED[3:], pa.binary())]),
        pa.chunked_array([WHOLE[:2], WHOLE[2:5], WHOLE[5:5], WHOLE[5:]]),
        tuple(MIXED),
    ],
    ids=[
        *("binary", "large_binary", "string", "large_string", "slice"),
        *("chunked", "chunks of slices", "tuple"),
    ],
)
def test_arrow_values_decode_like_a_list(values: Any) -> None:
    for mode in ("PERMISSIVE", "dead_letter"):
        listed = from_json(MIXED, RECORD_SCHEMA, mode)
        result = from_json(values, RECORD_SCHEMA, mode)
        assert result.table.equals(listed.table)
        assert result.rejects.equals(listed.rejects)
        assert result.indices.equals(listed.indices)
        assert result.flagged.equals(listed.flagged)


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_one_buffer_and_offsets_decode_like_a_list(kind: type[np.int32 | np.int64]) -> None:
    listed = [value or b"" for value in MIXED]
    offsets = np.cumsum([3, *map(len, listed)]).astype(kind)
    values = RecordBuffer(memoryview(b"pad" + b"".join(listed) + b"pad"), offsets)
    result = from_json(values, RECORD_SCHEMA, "dead_letter")
    wanted = from_json(listed, RECORD_SCHEMA, "dead_letter")
    assert result.table.equals(wanted.table)
    assert result.rejects.equals(wanted.rejects)
    assert from_json(RecordBuffer(b"", offsets[:1]), RECORD_SCHEMA).table.num_rows == 0


@pytest.mark.parametrize(
    ("offsets", "error", "text"),
    [
        (np.array([0, 99]), ValueError, "the offsets of the values lie outside their data"),
        (np.array([2, 1]), ValueError, "the offsets of the values lie outside their data"),
        (np.array([-1, 1]), ValueError, "the offsets of the values lie outside their data"),
        (np.array([0, 1], np.uint8), TypeError, "offsets have type uint8; int32 or int64"),
        (np.empty(0, np.int64), ValueError, r"offsets have shape \(0,\)"),
        (np.zeros((1, 2), np.int64), ValueError, r"offsets have shape \(1, 2\)"),
    ],
)
def test_offsets_that_make_no_sense_are_refused(
    offsets: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        from_json(RecordBuffer(b"{}", offsets), RECORD_SCHEMA)


def test_a_batch_is_decoded_while_other_threads_run() -> None:
    # The decoder waits for nothing but itself: without the GIL another thread counts on.
    values = [b'{"sensor_id":[%d]}' % number for number in range(100_000)]
    started, done = threading.Event(), threading.Event()

    def decode() -> None:
        started.set()
        from_json(values, RECORD_SCHEMA)
        done.set()

    counted = 0
    thread = threading.Thread(target=decode)
    thread.start()
    started.wait()
    while not done.is_set():
        counted += 1
    thread.join()
    assert counted > 1000


def test_other_values_and_modes_are_refused() -> None:
    with pytest.raises(TypeError, match=r"values\[1\] is str"):
        from_json([GOOD, "{}"], RECORD_SCHEMA)  # type: ignore[list-item]
    with pytest.raises(TypeError, match="values have type int64; binary or string is wanted"):
        from_json(pa.array([1]), RECORD_SCHEMA)
    with pytest.raises(ValueError, match="mode 'permissive' is unknown"):
        from_json([GOOD], RECORD_SCHEMA, "permissive")


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*RECORD_SCHEMA.names, "x"]), inner, max_size=4),
    ),
    max_leaves=8,
)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


records = st.one_of(
    st.none(),
    st.binary(max_size=60),
    json_values.map(as_json),
    st.dictionaries(st.sampled_from(RECORD_SCHEMA.names), json_values, max_size=6).map(as_json),
    st.sampled_from([value for value in MIXED if value is not None]),
    st.tuples(st.sampled_from([GOOD, BAD_FIELD]), st.integers(0, 60), st.binary(max_size=3)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
    ),
    st.text(alphabet="{}[]:,\"'\\ eE0-+.tfn\x00layerI", max_size=40).map(str.encode),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(records, max_size=8))
def test_permissive_never_raises_and_gives_one_row_each(values: list[bytes | None]) -> None:
    result = from_json(values, RECORD_SCHEMA)
    result.table.validate(full=True)
    assert result.table.num_rows == len(result.flagged) == len(values)
    assert result.indices.to_pylist() == list(range(len(values)))


@settings(max_examples=300, deadline=None)
@given(st.lists(records, max_size=8))
def test_dead_letter_partitions_the_values(values: list[bytes | None]) -> None:
    result = from_json(values, RECORD_SCHEMA, "dead_letter")
    result.table.validate(full=True)
    kept = result.indices.to_pylist()
    rejected = result.rejects["index"].to_pylist()
    assert kept == sorted(kept)
    assert rejected == sorted(rejected)
    assert sorted(kept + rejected) == list(range(len(values)))
    assert result.table.num_rows == len(kept) == len(result.flagged)
    assert set(result.rejects["reason"].to_pylist()) <= set(REASONS)
    # what is kept is what PERMISSIVE gives in those rows
    permissive = from_json(values, RECORD_SCHEMA)
    assert repr(permissive.table.select(RECORD_SCHEMA.names).take(result.indices).to_pylist()) == (
        repr(result.table.to_pylist())
    )
    assert permissive.flagged.take(result.indices).equals(result.flagged)


@settings(max_examples=200, deadline=None)
@given(st.lists(records, min_size=1, max_size=6), st.sampled_from(["PERMISSIVE", "dead_letter"]))
def test_rows_do_not_depend_on_their_neighbours(values: list[bytes | None], mode: str) -> None:
    together = from_json(values, RECORD_SCHEMA, mode)
    alone = [from_json([value], RECORD_SCHEMA, mode) for value in values]
    assert repr(together.table.to_pylist()) == repr(
        [row for result in alone for row in result.table.to_pylist()]
    )
    assert together.flagged.to_pylist() == [
        flag for result in alone for flag in result.flagged.to_pylist()
    ]
    assert [reject["detail"] for reject in together.rejects.to_pylist()] == [
        reject["detail"] for result in alone for reject in result.rejects.to_pylist()
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(records, max_size=6))
def test_modes_agree_on_what_is_corrupt(values: list[bytes | None]) -> None:
    corrupt = from_json(values, RECORD_SCHEMA).table[CORRUPT_RECORD].is_valid().to_pylist()
    kept = set(from_json(values, RECORD_SCHEMA, "DROPMALFORMED").indices.to_pylist())
    assert not any(corrupt[index] for index in kept)
    if any(corrupt):
        with pytest.raises(MalformedRecordError) as caught:
            from_json(values, RECORD_SCHEMA, "FAILFAST")
        assert caught.value.index == corrupt.index(True)
    else:
        assert from_json(values, RECORD_SCHEMA, "FAILFAST").table.num_rows == len(values)

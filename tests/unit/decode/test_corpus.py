"""What a search found, and records at the limits, decoded as the reference does."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from support.decoding import assert_as_the_reference

CORPUS = Path(__file__).resolve().parents[2] / "data" / "records" / "corpus"
SCHEMA = pa.schema(
    [
        *(pa.field("s", pa.string()), pa.field("d", pa.float64()), pa.field("f", pa.float32())),
        *(pa.field("b", pa.int8()), pa.field("h", pa.int16()), pa.field("i", pa.int32())),
        *(pa.field("l", pa.int64()), pa.field("o", pa.bool_())),
        pa.field("m", pa.struct([("s", pa.string()), ("d", pa.float64())])),
        pa.field("\u00e9\U0001f600", pa.string()),
    ]
)
"""The schema of the search: ``native/fuzz/records.cpp``."""


@pytest.mark.parametrize("name", sorted(file.name for file in CORPUS.iterdir()))
def test_the_corpus(name: str) -> None:
    data = (CORPUS / name).read_bytes()
    assert_as_the_reference([data, *data.split(b"\n")], SCHEMA)

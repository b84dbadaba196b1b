"""Decoding, chunks and identifiers, recorded from Java 17."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.decode.reference.java_text import (
    READER_CHUNK,
    chunk_end,
    code_units,
    decoded,
    ends_inside_character,
    is_identifier_part,
    is_identifier_start,
    storable_text,
)

BAD = "\ufffd"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xff\xfe", BAD * 2),
        (b"\xc0\xaf", BAD * 2),
        (b"\xc2", BAD),
        (b"\xe2\x82", BAD),
        (b"\xe2\x82}", BAD + "}"),
        (b"\xe0\x80\x80", BAD * 3),
        (b"\xed\xa0\x80", BAD),
        (b"\xed\xa0", BAD),
        (b"\xed\xbf}", BAD + "}"),
        (b"\xed\xa0\xed\xa0\x80", BAD * 2),
        (b"\xed\x9f\xbf", "\ud7ff"),
        (b"\xed", BAD),
        (b"\xf0\x9f\x98", BAD),
        (b"\xf0\x9f\x98}", BAD + "}"),
        (b"\xf0\x80\x80\x80", BAD * 4),
        (b"\xf4\x90\x80\x80", BAD * 4),
        (b"\xf5\x80}", BAD * 2 + "}"),
        (b"\xf8\x88\x80\x80\x80", BAD * 5),
        (b"\x80\xbf", BAD * 2),
        (b"\xf4\x8f\xbf\xbf", "\U0010ffff"),
        (b"\xef\xbb\xbf", "\ufeff"),
    ],
)
def test_malformed_utf8_is_replaced_as_java_does(data: bytes, text: str) -> None:
    assert decoded(data) == text
    assert decoded(b"a" + data + b"b") == "a" + text + "b"


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_well_formed_text_passes_unchanged(text: str) -> None:
    units = code_units(decoded(text.encode()))
    assert len(units) == len(text.encode("utf-16-le")) // 2
    assert storable_text(units) == text


@settings(max_examples=300, deadline=None)
@given(st.binary())
def test_any_bytes_decode_to_storable_text(data: bytes) -> None:
    text = decoded(data)
    assert text.encode().decode() == text


def test_lone_surrogates_become_question_marks() -> None:
    assert storable_text("a\ud800") == "a?"
    assert storable_text("\udc00\ud800x") == "??x"
    assert storable_text("\ud83d\ude00") == "\U0001f600"
    assert storable_text("\ud83d\ud83d\ude00\ude00") == "?\U0001f600?"


def test_chunks_never_split_a_pair() -> None:
    assert chunk_end("x" * 10, 0) == 10
    assert chunk_end("x" * 9000, READER_CHUNK) == 2 * READER_CHUNK
    across = code_units("x" * (READER_CHUNK - 1) + "\U0001f600" + "y" * 10)
    assert chunk_end(across, 0) == READER_CHUNK - 1
    assert chunk_end(across, READER_CHUNK - 1) == len(across)
    before = code_units("x" * (READER_CHUNK - 2) + "\U0001f600" + "y" * 10)
    assert chunk_end(before, 0) == READER_CHUNK


@pytest.mark.parametrize(
    ("data", "unfinished"),
    [
        (b"", False),
        (b"a", False),
        (b"\xc3\xa9", False),
        (b"\xe2\x82\xac", False),
        (b"\xf0\x9f\x98\x80", False),
        (b"\xff", False),
        (b"\xc1", False),
        (b"\xe0\x80", False),
        (b"\xf5\x80", False),
        (b"\xf4\x90", False),
        (b"\xc3", True),
        (b"a\xe2\x82", True),
        (b"\xed\xa0", True),
        (b"\xf0\x9f", True),
        (b"a\xf0\x9f\x98", True),
        (b"\xf4\x8f\xbf", True),
    ],
)
def test_unfinished_character_makes_a_chunk_of_its_own(data: bytes, unfinished: bool) -> None:
    assert ends_inside_character(data) == unfinished
    units = code_units(decoded(b"xyz" + data))
    first = chunk_end(units, 0, unfinished=unfinished)
    assert first == len(units) - unfinished
    assert chunk_end(units, first, unfinished=unfinished) == len(units)


@pytest.mark.parametrize(
    ("unit", "starts", "continues"),
    [
        ("a", True, True),
        ("_", True, True),
        ("$", True, True),
        ("\u20ac", True, True),
        ("7", False, True),
        ("\x00", False, True),
        ("\x1b", False, True),
        ("\x7f", False, True),
        ("\xad", False, True),
        ("\u0301", False, True),
        ("\u00e9", True, True),
        ("\u2160", True, True),
        ("\u203f", True, True),
        ("-", False, False),
        ("\x09", False, False),
        ("\x1c", False, False),
        ("\u2028", False, False),
        ("\ud83d", False, False),
        ("\u20c0", False, False),  # Unicode 14, later than Java 17
        ("\u08c8", False, False),
    ],
)
def test_identifier_units_are_those_of_java_17(unit: str, starts: bool, continues: bool) -> None:
    assert is_identifier_start(unit) == starts
    assert is_identifier_part(unit) == continues


def test_number_of_identifier_units_is_that_of_java_17() -> None:
    assert sum(is_identifier_part(chr(point)) for point in range(0x10000)) == 50795
    assert sum(is_identifier_start(chr(point)) for point in range(0x10000)) == 49040

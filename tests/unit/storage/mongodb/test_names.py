from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.storage.mongodb.names import (
    escape_body,
    escape_name,
    unescape_body,
    unescape_name,
)

TAKEN = frozenset({"_id", "_metadata"})
NAMES = (
    st.sampled_from(("", "$", "$set", "a.b", "%", "%2E", "%%", "\0", "_id", "_metadata", "é%"))
    | st.text()
)


@given(NAMES)
def test_names_come_back_and_mongodb_takes_them(name: str) -> None:
    escaped = escape_name(name, TAKEN)
    assert unescape_name(escaped) == name
    assert escaped
    assert not escaped.startswith("$")
    assert not set(".\0") & set(escaped)
    assert escaped not in TAKEN


@given(st.lists(NAMES, unique=True))
def test_different_names_stay_different(names: list[str]) -> None:
    assert len({escape_name(name, TAKEN) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("layer", "layer"),
        ("x.y", "x%2Ey"),
        ("$in", "%24in"),
        ("", "%"),
        ("_id", "%5Fid"),
        ("%", "%25"),
    ],
)  # fmt: skip
def test_how_they_look(name: str, escaped: str) -> None:
    assert escape_name(name, TAKEN) == escaped


def test_only_the_outermost_names_are_taken() -> None:
    body: dict[str, Any] = {"_id": 1, "in": [{"_id": {"a.b": 2.0}}, True, None]}
    escaped = escape_body(body, TAKEN)
    assert escaped == {"%5Fid": 1, "in": [{"_id": {"a%2Eb": 2.0}}, True, None]}
    back = unescape_body(escaped)
    assert back == body
    assert back["in"][1] is True

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.storage.documents.content import digest, next_prefix

TEXT = st.text(st.sampled_from("a\ud7ff\ue000\U0010ffff\0") | st.characters(codec="utf-8"))


@given(TEXT, TEXT)
def test_texts_with_a_prefix_are_those_between_it_and_the_next(prefix: str, text: str) -> None:
    end = next_prefix(prefix)
    for one in (text, prefix + text):
        assert one.startswith(prefix) == (prefix <= one and (end is None or one < end))
    assert end is None or end.encode()


def test_digests_tell_contents_apart_and_not_their_order() -> None:
    body = {"a": 1, "b": [1.5, None]}
    assert digest(body, "s", "1") == digest({"b": [1.5, None], "a": 1}, "s", "1")
    others = [
        ({"a": 1.0, "b": [1.5, None]}, "s", "1"), ({"a": True, "b": [1.5, None]}, "s", "1"),
        ({"a": 1, "b": [None, 1.5]}, "s", "1"), (body, "t", "1"), (body, "s", "2"),
        ({"a": 0.0}, "s", "1"), ({"a": -0.0}, "s", "1"), ({"a": math.nan}, "s", "1"),
        ({"a": math.inf}, "s", "1"), ({"a": "NaN"}, "s", "1"),
    ]  # fmt: skip
    assert len({digest(*other) for other in others} | {digest(body, "s", "1")}) == 11

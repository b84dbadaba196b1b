"""Keys tell apart what is different, and are the same for ever."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.contracts import layer_key, record_key

parts = st.none() | st.text(max_size=8)
layers = st.tuples(st.text(max_size=8), parts, st.none() | st.integers(-(2**31), 2**31 - 1))


def test_keys_are_written_as_they_always_were() -> None:
    # Stores are full of them: these texts may never change.
    assert record_key("job", "cluster:topic", 3, 42) == '["job","cluster:topic",3,42]'
    assert layer_key("job", "B-1", 7) == '["job","B-1",7]'
    assert layer_key("job", None, None) == '["job",null,null]'
    assert layer_key("job", 'Prüfling "1"', 0) == '["job","Pr\\u00fcfling \\"1\\"",0]'


def test_null_is_not_its_name_nor_nothing() -> None:
    assert len({layer_key("j", build, 1) for build in (None, "null", "", "None")}) == 4
    assert layer_key("j", "1", None) != layer_key("j", None, 1)


@given(layers, layers)
def test_different_layers_have_different_keys(
    one: tuple[str, str | None, int | None], other: tuple[str, str | None, int | None]
) -> None:
    assert (layer_key(*one) == layer_key(*other)) == (one == other)
    assert layer_key(*one).isascii()
    assert tuple(json.loads(layer_key(*one))) == one

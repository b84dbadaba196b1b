"""Composite builds: members side by side, merged by height."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import BuildFile, open_build
from pbf_ray.formats.composite import Z_TOLERANCE_MM, CompositeSource, Member, _group_starts
from pbf_ray.formats.layer_source import LayerSource
from support.plain_builds import Layer, contour, hatch, header, plain_layers, read_layers, written


def _source(layers: list[Layer], on_damage: str = "raise", **head: Any) -> LayerSource:
    data, _ = written("cli", layers, header(**head), {"variant": "ascii"})
    return open_build(data, on_damage=on_damage, name="member.cli")._source  # type: ignore[arg-type]


def _mark(number: int, model: int = 1) -> Any:
    """A geometry that can be told from others."""
    return hatch((number, 0), (number, 1), model_id=model)


def _composite(*members: Member, **arguments: Any) -> BuildFile:
    return BuildFile("whole", CompositeSource("ilt", members, **arguments))


def _marks(build: BuildFile) -> list[tuple[float | None, list[float]]]:
    return [
        (layer.z_mm, [float(one.points_mm[0, 0]) for one in layer.geometries])
        for layer in read_layers(build)
    ]


def test_layers_of_the_same_height_are_one() -> None:
    part = _source([Layer(1.0, [_mark(10)]), Layer(2.0, [_mark(20), _mark(21)]), Layer(3.0, [])])
    support = _source([Layer(0.5, [_mark(5)]), Layer(1.0 + Z_TOLERANCE_MM / 2, [_mark(11)])])
    build = _composite(Member("part", part), Member("support", support))
    assert _marks(build) == [(0.5, [5]), (1.0, [10, 11]), (2.0, [20, 21]), (3.0, [])]
    assert build.metadata == {"member": "support"}
    assert [pair[1] for pair in build.header["metadata"]] == ["part", "support"]


def test_a_layer_ends_where_its_first_height_is_too_far() -> None:
    near = [Layer(1.0 + place * Z_TOLERANCE_MM * 0.7, [_mark(place)]) for place in range(4)]
    assert [marks for _, marks in _marks(_composite(Member("a", _source(near))))] == [
        [0, 1],
        [2, 3],
    ]


def test_models_are_numbered_anew_and_keep_their_names() -> None:
    named = _source(
        [Layer(1.0, [_mark(1, model=7), _mark(2, model=99)])],
        models=[{"model_id": 5, "name": "five"}, {"model_id": 7, "name": "seven"}],
    )
    nameless = _source([Layer(1.0, [_mark(3, model=7)])])
    build = _composite(Member("a", named), Member("b.cli", nameless))
    assert [(row["model_id"], row["name"]) for row in build.models.to_pylist()] == [
        (1, "five"),
        (2, "seven"),
        (3, "b.cli"),
    ]
    assert build.read_layer(0).geometries["model_id"].to_pylist() == [2, 1, 3]


def test_styles_that_say_the_same_are_one() -> None:
    def styled(*powers: float) -> LayerSource:
        styles = [
            {"build_style_id": number, "laser_power_w": power}
            for number, power in enumerate(powers, 1)
        ]
        rows = [
            hatch((0, 0), (1, 1), model_id=1, build_style_id=number)
            for number in range(1, len(powers) + 1)
        ]
        return _source([Layer(1.0, rows)], build_styles=styles)

    plain = _source([Layer(1.0, [_mark(1)])])
    build = _composite(
        Member("a", styled(100.0, 200.0)), Member("b", styled(200.0)), Member("c", plain)
    )
    assert [row["laser_power_w"] for row in build.build_styles.to_pylist()] == [100.0, 200.0]
    assert build.read_layer(0).geometries["build_style_id"].to_pylist() == [1, 2, 2, None]


def test_ids_of_a_member_can_be_set_for_all_its_geometries() -> None:
    build = _composite(
        Member("a", _source([Layer(1.0, [_mark(1), _mark(2)])]), model_id=4, build_style_id=6),
        models=[{"model_id": 4, "name": "m", "top_layer": None, "raw_tags": []}],
        build_styles=[],
    )
    geometries = build.read_layer(0).geometries
    assert geometries["model_id"].to_pylist() == [4, 4]
    assert geometries["build_style_id"].to_pylist() == [6, 6]


heights = st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.5]), max_size=5, unique=True).map(sorted)


@given(st.lists(heights, min_size=1, max_size=4), st.data())
def test_nothing_is_lost_whatever_is_read_at_once(members: list[list[float]], data: Any) -> None:
    sources = [
        _source([Layer(z, [_mark(100 * place + int(10 * z))]) for z in zs])
        for place, zs in enumerate(members)
    ]
    build = _composite(*(Member(str(place), source) for place, source in enumerate(sources)))
    expected = [
        (z, [float(100 * place + int(10 * z)) for place, zs in enumerate(members) if z in zs])
        for z in sorted({z for zs in members for z in zs})
    ]
    assert _marks(build) == expected
    start = data.draw(st.integers(0, len(build)))
    stop = data.draw(st.integers(start, len(build)))
    batch = build.read_layers(start, stop)
    assert plain_layers(read_layers(batch)) == plain_layers(read_layers(build)[start:stop])
    assert batch.layers["layer"].to_pylist() == list(range(start, stop))
    assert batch.geometries["layer"].to_pylist() == sorted(batch.geometries["layer"].to_pylist())


def test_damage_is_named_with_its_member_and_the_rest_is_read() -> None:
    good = [Layer(1.0, [_mark(1)]), Layer(2.0, [_mark(2)])]
    data, _ = written("cli", [Layer(2.0, [contour((0, 0), (1, 1), (2, 2), model_id=1)])])
    for on_damage in ("raise", "skip"):
        cut = data[:-2] if on_damage == "skip" else data
        broken = open_build(cut, on_damage=on_damage, name="broken.cli")._source  # type: ignore[arg-type]
        source = CompositeSource("ilt", [Member("a", _source(good)), Member("b", broken)])
        build = BuildFile("whole", source, on_damage=on_damage)  # type: ignore[arg-type]
        tables = build.to_arrow()
        if on_damage == "raise":
            assert tables.geometries.num_rows == 3
        else:
            assert _marks(build) == [(1.0, [1]), (2.0, [2])]
            assert [(one.member, one.layer) for one in tables.damage] == [("b", 1)]
            assert [(one.member, one.layer) for one in build.damage] == [("b", 1)]
            with pytest.raises(BuildFileError, match=r"broken\.cli"):
                source.read(0, 2, skip_damaged=False)


def test_layers_without_a_height_come_last_each_by_itself() -> None:
    class Heightless:
        def __init__(self, inner: LayerSource) -> None:
            self._inner = inner
            self.header, self.damage, self.warnings = inner.header, inner.damage, inner.warnings
            self.byte_offset, self.byte_size = inner.byte_offset, inner.byte_size
            self.z_mm = np.full(len(inner.z_mm), np.nan)

        def read(self, start: int, stop: int, *, skip_damaged: bool) -> Any:
            return self._inner.read(start, stop, skip_damaged=skip_damaged)

    unknown = Heightless(_source([Layer(1.0, [_mark(1)]), Layer(2.0, [_mark(2)])]))
    known = _source([Layer(9.0, [_mark(3)])])
    build = _composite(Member("a", unknown), Member("b", known))
    assert _marks(build) == [(9.0, [3]), (None, [1]), (None, [2])]


@given(st.lists(st.floats(0, 0.01).map(lambda z: round(z, 5)), max_size=30))
def test_groups_are_those_of_one_pass_over_the_heights(heights: list[float]) -> None:
    z_mm = np.array([*sorted(heights), np.nan, np.nan])
    expected: list[int] = []
    for row, height in enumerate(z_mm):
        if not expected or not height - z_mm[expected[-1]] <= Z_TOLERANCE_MM:
            expected.append(row)
    assert _group_starts(z_mm).tolist() == expected

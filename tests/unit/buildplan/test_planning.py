"""What is not known is null, what is cut can be stitched, and what does not fit is refused."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.buildplan import BuildPlan, LayerBefore, MachineTimes, plan_batches, plan_layers
from pbf_ray.contracts import BUILD_PLAN_TABLES, GEOMETRY_KINDS
from support.build_tables import Block, build_styles, build_tables, hatched, ring
from support.vectors import GEOMETRIES

FULL = {
    "build_style_id": 1,
    "laser_power_w": 200.0,
    "speed_mm_s": 800.0,
    "exposure_time_us": 40.0,
    "point_distance_um": 60.0,
    "point_delay_us": 10.0,
    "jump_speed_mm_s": 5000.0,
    "jump_delay_us": 100.0,
}
HATCH = Block("hatch", hatched(5.0, 4.0, 0.1), style=1)
CONTOUR = Block("contour", ring(5.0), style=1)
POINTS = Block("points", [(0.0, 0.0), (1.0, 0.0)], style=1)
JUMP = Block("jump", [(0.0, 0.0), (50.0, 0.0)], style=1)

SPEED = {"exposure_time_s", "scan_time_s", "layer_time_s", "laser_energy_j"} | {
    "linear_energy_j_mm", "areal_energy_j_mm2", "volumetric_energy_j_mm3", "laser_time_imbalance",
}  # fmt: skip
POWER = {
    "laser_energy_j", "linear_energy_j_mm", "areal_energy_j_mm2", "volumetric_energy_j_mm3",
}  # fmt: skip
IMPLIED = {"implied_jump_time_s", "scan_time_s", "layer_time_s"}
WATCHED = SPEED | IMPLIED | {
    "jump_time_s", "hatch_distance_mm", "hatched_area_mm2", "contour_area_mm2", "rotation_deg",
    "layer_thickness_um", "scan_axis_deg",
}  # fmt: skip
AREA = {"hatch_distance_mm", "hatched_area_mm2", "areal_energy_j_mm2", "volumetric_energy_j_mm3"}
NO_POINTS = {"speed_mm_s": None, "point_distance_um": None}


@pytest.mark.parametrize(
    ("blocks", "missing", "null"),
    [
        ([HATCH, CONTOUR], {}, set()),
        ([HATCH, CONTOUR], {"speed_mm_s": None}, set()),  # points take its place
        ([HATCH, CONTOUR], NO_POINTS, SPEED),
        ([HATCH, CONTOUR], {"speed_mm_s": 0.0, "exposure_time_us": None}, SPEED),
        ([HATCH, CONTOUR], {"speed_mm_s": None, "point_delay_us": None}, SPEED),
        ([HATCH, CONTOUR], {"speed_mm_s": -1.0, "exposure_time_us": float("nan")}, SPEED),
        ([HATCH, CONTOUR], {"laser_power_w": None}, POWER),
        ([HATCH, CONTOUR], {"laser_power_w": -5.0}, POWER),
        ([HATCH, CONTOUR], {"jump_speed_mm_s": None}, IMPLIED),
        ([HATCH, CONTOUR], {"jump_delay_us": None}, IMPLIED),
        ([CONTOUR, JUMP], {"jump_delay_us": None}, IMPLIED | {"jump_time_s"} | AREA),
        ([HATCH, CONTOUR, POINTS], {"exposure_time_us": None},
         {"exposure_time_s", "scan_time_s", "layer_time_s", "laser_energy_j"}
         | {"laser_time_imbalance"}),
        ([CONTOUR], {"jump_delay_us": None, "jump_speed_mm_s": None},
         AREA - {"hatched_area_mm2"} | {"scan_axis_deg", "rotation_deg"}),
        ([HATCH], {}, {"contour_area_mm2"}),
        ([dataclasses.replace(HATCH, points=HATCH.points[:6]), CONTOUR], {}, AREA),
    ],
)  # fmt: skip
def test_what_is_missing_makes_null_what_needs_it_and_nothing_else(
    blocks: list[Block], missing: dict[str, Any], null: set[str]
) -> None:
    blocks = [dataclasses.replace(block, laser=1) for block in blocks]
    if JUMP.points in [block.points for block in blocks]:
        null = (null - {"hatched_area_mm2"}) | {"scan_axis_deg", "rotation_deg"}
    plan = plan_layers(
        *build_tables([[HATCH], blocks]),
        build_styles({**FULL, **missing}),
        machine=MachineTimes(recoat_time_s=8.0),
    )
    found = plan.layers.to_pylist()[1]
    assert {name for name in WATCHED if found[name] is None} == null


def test_nothing_is_known_without_styles_but_what_geometry_says() -> None:
    plan = plan_layers(*build_tables([[HATCH, CONTOUR]]))
    found = plan.layers.to_pylist()[0]
    assert found["hatch_distance_mm"] == pytest.approx(0.1)
    assert found["contour_area_mm2"] == 25.0
    assert {found[name] for name in SPEED | {"layer_thickness_um", "rotation_deg"}} == {None}
    assert found["jump_time_s"] == 0.0, "there is no jump"


def test_styles_of_models_and_of_lasers() -> None:
    styles = build_styles(
        {"build_style_id": 1, "speed_mm_s": 100.0},
        {"build_style_id": 1, "model_id": 7, "speed_mm_s": 200.0},
        {"build_style_id": 2, "laser_id": 1, "speed_mm_s": 300.0, "laser_power_w": 90.0},
        {"build_style_id": 2, "laser_id": 2, "speed_mm_s": 400.0, "laser_power_w": 90.0},
        {"build_style_id": None, "speed_mm_s": 500.0},
    )
    wanted = [
        (None, 1, None, 100.0, None, None),
        (6, 1, None, 100.0, None, None),
        (7, 1, None, 200.0, None, None),
        (7, 2, 2, 400.0, 90.0, 2),
        (7, 2, None, None, 90.0, None),  # of two lasers: what they agree on
        (7, 3, None, None, None, None),
        (7, None, None, None, None, None),
    ]
    for model, style, laser, speed, power, of_laser in wanted:
        block = Block("contour", ring(1.0), model=model, style=style, laser=laser)
        found = plan_layers(*build_tables([[block]]), styles).exposures.to_pylist()[0]
        assert (found["speed_mm_s"], found["laser_power_w"]) == (speed, power)
        assert found["laser_id"] == of_laser


def test_thickness_is_of_each_layer() -> None:
    tables = build_tables([[]] * 7, z_mm=[0.05, 0.1, 0.12, None, 0.2, 0.2, 0.1])
    plan = plan_layers(*tables, before=LayerBefore(-1, z_mm=0.02))
    found = plan.layers["layer_thickness_um"].to_pylist()
    assert found == pytest.approx([30.0, 50.0, 20.0, None, None, None, None])
    assert plan.after == LayerBefore(6, 0.1, None)
    assert plan_layers(*tables).layers["layer_thickness_um"].to_pylist()[0] is None


def test_lines_of_no_regular_distance_have_none() -> None:
    y, points = 0.0, []
    for i in range(60):
        y += 0.02 * 1.5 ** (i % 12)
        points += [(0.0, y), (5.0, y)]
    plan = plan_layers(*build_tables([[Block("hatch", points)]]))
    found = plan.exposures.to_pylist()[0]
    assert found["hatch_distance_mm"] is None
    assert found["hatch_distance_share"] < 0.5


BLOCKS = st.lists(
    st.builds(
        lambda g, model, style, laser: Block(
            GEOMETRY_KINDS[g.kind], list(g.points), model, style, laser
        ),
        GEOMETRIES,
        st.none() | st.integers(-1, 1),
        st.none() | st.integers(1, 2),
        st.none() | st.integers(1, 2),
    ),
    max_size=6,
)
STYLES = build_styles(FULL, {**FULL, "build_style_id": 2, "laser_id": 2, "point_delay_us": None})


def same(a: BuildPlan, b: BuildPlan) -> bool:
    return all(getattr(a, f.name) == getattr(b, f.name) for f in dataclasses.fields(BuildPlan))


@settings(max_examples=40, deadline=None)
@given(st.lists(BLOCKS, min_size=1, max_size=5), st.data())
def test_a_build_that_is_cut_anywhere_gives_the_bits_of_the_whole(
    layers: list[list[Block]], data: st.DataObject
) -> None:
    whole = plan_layers(*build_tables(layers), STYLES)
    whole.layers.validate(full=True)
    cut = data.draw(st.integers(0, len(layers)))
    lower = plan_layers(*build_tables(layers[:cut]), STYLES)
    # A worker that takes the upper part reads the one layer before it, not all of them.
    one = plan_layers(*build_tables(layers[max(cut - 1, 0) : cut], first=max(cut - 1, 0)), STYLES)
    upper = plan_layers(*build_tables(layers[cut:], first=cut), STYLES, before=one.after)
    for name in ("layers", "models", "lasers", "exposures"):
        parts = [getattr(lower, name), getattr(upper, name)]
        assert pa.concat_tables(parts).combine_chunks() == getattr(whole, name).combine_chunks()
    assert upper.after == whole.after


@settings(max_examples=25, deadline=None)
@given(st.lists(BLOCKS, max_size=4))
def test_tables_add_up_to_each_other(layers: list[list[Block]]) -> None:
    plan = plan_layers(*build_tables(layers), STYLES)
    tables = (plan.layers, plan.models, plan.lasers, plan.exposures)
    for name, schema, table in zip(
        BUILD_PLAN_TABLES, BUILD_PLAN_TABLES.values(), tables, strict=True
    ):
        assert table.schema.equals(schema, check_metadata=True), name
    for number, blocks in enumerate(layers):
        at = [table.filter(pa.compute.field("layer") == number).to_pylist() for table in tables]
        (layer,) = at[0]
        for column in ("hatch_geometries", "points", "implied_jumps", "closed_contours"):
            assert {sum(row[column] for row in rows) for rows in at} == {layer[column]}
        for column in ("hatched_length_mm", "implied_jump_length_mm", "exposure_time_s"):
            for rows in at[1:]:
                values = [row[column] for row in rows]
                total = None if None in values else sum(values)
                assert layer[column] == (None if total is None else pytest.approx(total))
        assert len(at[1]) == len({block.model for block in blocks})


def test_chunks_and_files_of_other_kinds_are_the_same(tmp_path: Any) -> None:
    import pyarrow.parquet as pq

    layers = [[CONTOUR, HATCH], [POINTS, CONTOUR], [HATCH]]
    tables = build_tables(layers)
    expected = plan_layers(*tables, STYLES)
    read = []
    for number, table in enumerate(tables):
        pq.write_table(table, tmp_path / f"{number}.parquet", row_group_size=2)
        read.append(pq.read_table(tmp_path / f"{number}.parquet"))
    assert same(plan_layers(*read, STYLES), expected)
    chunked = [pa.concat_tables([t.slice(0, 1), t.slice(1)]) for t in tables]
    assert same(plan_layers(*chunked, STYLES), expected)
    geometries = tables[1].set_column(2, "kind", tables[1]["kind"].cast(pa.string()))
    assert same(plan_layers(tables[0], geometries, tables[2], STYLES), expected)


def test_batches_follow_each_other_and_damaged_layers_have_no_rows() -> None:
    layers = [[HATCH], [], [HATCH], [HATCH]]
    tables = [build_tables([blocks], first=n) for n, blocks in enumerate(layers)]
    batches = [
        SimpleNamespace(
            layers=t[0],
            geometries=t[1],
            coordinates=t[2],
            # Layer 1 was left out, layer 2 was mended; the last is damage of no layer.
            damage=[SimpleNamespace(layer=at) for at in (1, 2, None)],
        )
        for n, t in enumerate(tables)
    ]
    plans: Any = list(plan_batches(batches, STYLES))  # type: ignore[arg-type]
    joined = pa.concat_tables([plan.layers for plan in plans])
    assert joined["layer"].to_pylist() == [0, 2, 3]
    assert joined["rotation_deg"].to_pylist() == [None, None, 0.0]
    assert joined["layer_thickness_um"].to_pylist() == [None, pytest.approx(30), pytest.approx(30)]
    whole = plan_layers(*build_tables([[HATCH], [CONTOUR, HATCH]]), damaged=[1])
    for table in (whole.layers, whole.models, whole.lasers, whole.exposures):
        assert table["layer"].to_pylist() == [0]
    assert whole.after == LayerBefore(1, pytest.approx(0.06), None)
    with pytest.raises(ValueError, match="layer 0 does not stand before layer 2"):
        list(plan_batches([batches[0], batches[2]], STYLES))  # type: ignore[list-item]


def test_no_layers_is_a_plan_too() -> None:
    before = LayerBefore(3, 0.1, 30.0)
    plan = plan_layers(*build_tables([]), before=before)
    assert [t.num_rows for t in (plan.layers, plan.models, plan.lasers, plan.exposures)] == [0] * 4
    assert plan.after == before


def _replaced(table: pa.Table, column: str, values: list[Any]) -> pa.Table:
    place = table.schema.get_field_index(column)
    field = table.schema.field(place)
    return table.set_column(place, field, pa.array(values, field.type))


@pytest.mark.parametrize(
    ("table", "column", "values", "message"),
    [
        (0, "geometry_count", [1, 2], "do not divide"),
        (0, "geometry_count", [3, -1], "do not divide"),
        (0, "first_geometry", [0, 0], "do not divide"),
        (0, "layer", [1, 0], "must rise"),
        (1, "layer", [1, 1], "those of another layer"),
        (1, "offset", [0, 999], "reaches beyond"),
        (1, "count", [3, 2], "half a vector"),
    ],
)
def test_tables_that_do_not_fit_together_are_refused(
    table: int, column: str, values: list[Any], message: str
) -> None:
    tables = list(build_tables([[HATCH], [CONTOUR]]))
    tables[table] = _replaced(tables[table], column, values)
    with pytest.raises(ValueError, match=message):
        plan_layers(*tables)


def test_kinds_that_nobody_knows_are_refused() -> None:
    layers, geometries, coordinates = build_tables([[HATCH]])
    other = pa.table({**{n: geometries[n] for n in geometries.column_names}, "kind": ["arc"]})
    with pytest.raises(ValueError, match="not arc"):
        plan_layers(layers, other, coordinates)


@pytest.mark.parametrize(
    "options",
    [
        {"recoat_time_s": -1.0},
        {"jump_speed_mm_s": 0.0},
        {"point_delay_us": float("nan")},
        {"jump_delay_us": float("inf")},
        {"speed_from": "guess"},
    ],
)
def test_times_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        MachineTimes(**options)

"""OVF, read: Google's protobuf writes the files and says what is in them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import ReadLimits, open_build
from support.build_rows import as_rows, rows_of
from support.ovf_messages import (
    MESSAGES,
    OvfFile,
    Plane,
    block,
    delimited,
    expected_rows,
    read_ovf,
    write_ovf,
)

SQUARE = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0]
HATCH = [0.0, 0.0, 5.0, 0.5, 5.0, 1.0, 0.0, 1.5]


def job(**fields: Any) -> Any:
    return MESSAGES["Job"](**fields)


def plane(*blocks: Any, **fields: Any) -> Plane:
    return Plane(MESSAGES["WorkPlane"](**fields), list(blocks))


def one_plane(*blocks: Any, **fields: Any) -> bytes:
    return write_ovf(OvfFile(job(plane_count=1), [plane(*blocks, **fields)]))


def code_of(content: bytes, **options: Any) -> tuple[str, int]:
    """Code and offset of the error that opening or reading strictly gives."""
    with pytest.raises(BuildFileError) as caught:
        open_build(content, **options).to_arrow()
    return caught.value.facts["code"], caught.value.facts["byte_offset"]


@pytest.fixture(scope="module")
def bunny(shared_data: Path) -> bytes:
    (path,) = (shared_data / "build_files" / "ovf").glob("*bunny*.ovf")
    return path.read_bytes()


def test_a_real_file(bunny: bytes) -> None:
    build = open_build(bunny)
    rows = rows_of(build)
    assert rows == expected_rows(read_ovf(bunny))
    assert (len(build), len(rows), {row.kind for row in rows}) == (68, 169, {"contour"})
    assert build.z_mm.tolist() == [float(z) for z in range(3, 71)]
    coordinates = build.to_arrow().coordinates
    x, y = coordinates["x_mm"].to_numpy(), coordinates["y_mm"].to_numpy()
    declared = read_ovf(bunny).job.meta.bounds
    assert (x.min(), x.max()) == (np.float32(declared.x_min), np.float32(declared.x_max))
    assert (y.min(), y.max()) == (np.float32(declared.y_min), np.float32(declared.y_max))
    styles = build.build_styles.to_pylist()
    assert [(s["build_style_id"], s["laser_power_w"], s["speed_mm_s"]) for s in styles] == [
        (0, 330.0, 800.0),
        (1, 140.0, 380.0),
    ]
    assert {row.build_style_id for row in rows} == {1}
    assert {row.model_id for row in rows} == {0}
    assert build.models["name"].to_pylist() == ["bunny (solidsupport)"]
    assert build.metadata["author"] == "MFroehlich"
    assert (build.warnings, build.damage, build.to_arrow().warnings) == ((), (), ())


def test_a_real_file_with_nothing_in_it(shared_data: Path) -> None:
    (path,) = (shared_data / "build_files" / "ovf").glob("*empty.ovf")
    build = open_build(path)
    tables = build.to_arrow()
    assert (len(build), tables.geometries.num_rows) == (1, 0)
    (warning,) = tables.warnings
    assert warning.problem == "left out: 1 block without vectors of a known kind"


def test_layers_alone_and_in_threads_are_the_same(bunny: bytes) -> None:
    build = open_build(bunny)
    alone = [row for layer in range(len(build)) for row in as_rows(build.read_layer(layer))]
    assert alone == rows_of(build)
    assert as_rows(build.to_arrow(threads=4)) == alone


# --- what a block can be -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("lines", SQUARE),
        ("lines", []),
        ("hatches", HATCH),
        ("points", SQUARE),
        ("lines_3d", [0, 0, 9, 1, 0, 9, 1, 1, 9, 0, 0, 9]),
        ("hatches_3d", [0, 0, 0, 1, 0, 0]),
        ("points_3d", [0, 0, 0, 1, 0, 0, 2, 2, 0]),
        ("adapted_lines", [0, 0, 100, 1, 0, 200, 1, 1, 300]),
    ],
)
def test_every_kind_of_points(kind: str, points: list[float]) -> None:
    content = one_plane(block(kind, points, params=3, laser=2), z=9)
    rows = rows_of(open_build(content))
    assert rows == expected_rows(read_ovf(content))
    assert [(row.build_style_id, row.laser_id) for row in rows] == [(3, 2)]


def test_hatches_whose_parameter_changes_keep_their_vectors() -> None:
    one = MESSAGES["Block"]()
    for points in ([0, 0, 1, 1, 0, 2, 2, 0, 3], [], [5, 5, 1], [7, 7, 1, 8, 8, 1]):
        one.adapted_hatches.sequences.add(points=points)
    content = one_plane(one)
    (row,) = rows_of(open_build(content))
    assert [row] == expected_rows(read_ovf(content))
    assert (row.kind, row.count) == ("hatch", 6)
    (warning,) = open_build(content).to_arrow().warnings
    assert "parameters that change along the vectors, in 1 block" in warning.problem


@pytest.mark.parametrize("angle", [90.0, -90.0, 360.0, -720.0, 0.0, 400.0, 1e-9])
@pytest.mark.parametrize("radius", [0.001, 0.05, 10.0, 500.0])
def test_arcs_are_drawn_close_to_the_circle(angle: float, radius: float) -> None:
    one = MESSAGES["Block"]()
    one.arcs.angle = angle
    one.arcs.dx, one.arcs.dy = radius * 0.6, radius * 0.8
    one.arcs.centers.extend([10.0, 20.0, -5.0, 0.25])
    content = one_plane(one)
    limits = ReadLimits(max_expansion=10**6)
    tables = open_build(content, limits=limits).to_arrow()
    rows = as_rows(tables)
    expected = expected_rows(read_ovf(content))
    assert [(row.count, row.closed) for row in rows] == [
        (row.count, row.closed) for row in expected
    ]
    for row, other, center in zip(rows, expected, [(10.0, 20.0), (-5.0, 0.25)], strict=True):
        points = np.frombuffer(row.points, np.float32).reshape(-1, 2).astype(float)
        np.testing.assert_allclose(
            points, np.frombuffer(other.points, np.float32).reshape(-1, 2), rtol=1e-6, atol=1e-6
        )
        middles = (points[1:] + points[:-1]) / 2
        for some in (points, middles):
            distance = np.hypot(*(some - center).T)
            rounding = 2e-7 * max(radius, 20)
            assert (np.abs(distance - radius) <= 0.005 + rounding).all()
    first = np.frombuffer(rows[0].points, np.float32).reshape(-1, 2)
    if angle == 90:  # clockwise
        np.testing.assert_allclose(
            first[-1], [10 + 0.8 * radius, 20 - 0.6 * radius], rtol=1e-6, atol=1e-5
        )
    assert rows[0].closed is (abs(angle) in {360.0, 720.0})


def test_what_is_no_vector_is_named_with_its_layer() -> None:
    ellipse = MESSAGES["Block"]()
    ellipse.ellipses.a = 2
    pause = MESSAGES["Block"]()
    pause.pause.microseconds = 700
    sync = MESSAGES["Block"]()
    sync.sync.wait_for = 1
    high = block("points_3d", [0, 0, 7, 1, 1, 0, 1, 1, 2])
    content = write_ovf(
        OvfFile(
            job(),
            [plane(), plane(ellipse, pause, block("lines", SQUARE), pause, sync, high, z=2)],
        )
    )
    tables = open_build(content).to_arrow()
    assert tables.geometries.num_rows == 2
    assert {warning.layer for warning in tables.warnings} == {1}
    assert [warning.problem for warning in tables.warnings] == [
        "left out: 1 block of ellipses, whose axes have no defined direction",
        "left out: the heights of 1 points, which are not the work plane's, in 1 block",
        "left out: 1400 us of pauses, in 2 blocks",
        "left out: 1 block in which a laser waits for another",
    ]


def test_repeats_are_executed_again() -> None:
    content = one_plane(
        block("lines", SQUARE, repeats=2, params=1), block("hatches", HATCH), repeats=1
    )
    rows = rows_of(open_build(content))
    assert rows == expected_rows(read_ovf(content))
    assert [row.kind for row in rows] == (["contour"] * 3 + ["hatch"]) * 2


@pytest.mark.parametrize("place", ["block", "plane", "both"])
def test_repeats_beyond_all_proportion_are_refused(place: str) -> None:
    most = 2**64 - 1 if place == "block" else 0
    content = one_plane(
        block("lines", SQUARE, repeats=most), repeats=2**32 - 1 if place != "block" else 0
    )
    assert code_of(content)[0] == "limit_exceeded"
    empty = one_plane(MESSAGES["Block"](repeats=most), repeats=2**32 - 1)
    assert open_build(empty).to_arrow().geometries.num_rows == 0


def test_arcs_without_end_are_refused() -> None:
    one = MESSAGES["Block"]()
    one.arcs.angle, one.arcs.dx = 1e300, 1.0
    one.arcs.centers.extend([0, 0])
    assert code_of(one_plane(one))[0] == "limit_exceeded"


def test_keys_that_proto3_leaves_out() -> None:
    """A key of 0 is not on the wire; it is meant where the job has something under 0."""
    bare = block("lines", SQUARE)
    with_meta = block("lines", SQUARE)
    with_meta.meta.SetInParent()
    params, part = MESSAGES["ParamsEntry"](), MESSAGES["PartEntry"]()
    empty = write_ovf(OvfFile(job(), [plane(bare, with_meta)]))
    full = write_ovf(OvfFile(job(params=[params], parts=[part]), [plane(bare, with_meta)]))
    ids = [
        [(row.build_style_id, row.model_id, row.laser_id) for row in rows_of(open_build(content))]
        for content in (empty, full)
    ]
    assert ids == [[(None, None, 0)] * 2, [(0, None, 0), (0, 0, 0)]]


# --- the job -------------------------------------------------------------------------------------


def test_marking_parameters() -> None:
    params = MESSAGES["Params"](
        power=200, speed=800.5, focus=0.25, point_exposure=30, jump_speed=5000, jump_delay=12,
        name="hatch", polygon_delay=7, marking_mode=3, repetition_rate=10**12, beam_profile=-1,
        proprietary="x",
    )  # fmt: skip
    params.gradient.min_power = 50
    content = write_ovf(
        OvfFile(
            job(
                params=[
                    MESSAGES["ParamsEntry"](key=-7, value=params),
                    MESSAGES["ParamsEntry"](key=2, value=MESSAGES["Params"](power=1)),
                    MESSAGES["ParamsEntry"](key=2, value=MESSAGES["Params"](speed=2)),
                ]
            )
        )
    )
    first, second = open_build(content).build_styles.to_pylist()
    columns = {
        "build_style_id": -7,
        "name": "hatch",
        "laser_power_w": 200.0,
        "speed_mm_s": 800.5,
        "focus_mm": 0.25,
        "exposure_time_us": 30.0,
        "jump_speed_mm_s": 5000.0,
        "jump_delay_us": 12.0,
        "point_distance_um": None,
        "laser_id": None,
    }
    assert {name: first[name] for name in columns} == columns
    assert dict(first["parameters"]) == {
        "repetition_rate_in_hz": str(10**12),
        "marking_mode": "3",
        "polygon_delay_in_us": "7",
        "powerGradient.minPowerInW": "50",
        "beam_shape_profile_nr": "-1",
    }
    assert [tag["path"] for tag in first["raw_tags"]] == ["ovf/marking_params/130"]
    # Of a key that comes twice, the last counts; what is absent is not known, not 0.
    assert (second["laser_power_w"], second["speed_mm_s"]) == (None, 2.0)


def test_what_the_job_says() -> None:
    part = MESSAGES["Part"](name="cone", parent="c")
    part.strategy.layer_thickness, part.strategy.hatch_distance = 0.03125, 0.125
    described = job(parts=[MESSAGES["PartEntry"](key=4, value=part)], plane_count=3)
    described.meta.created, described.meta.name = 1_700_000_000, "Jöb"
    described.job_params.preheating = 200.5
    described.job_params.gas_directions.extend([0.0, -1.0])
    build = open_build(
        write_ovf(OvfFile(described, [plane(z=0.5, number=0), plane(x=3, number=7)]))
    )
    assert build.metadata == {
        "job_creation_time_s": "1700000000",
        "job_name": "Jöb",
        "part_4_layer_thickness_mm": "0.03125",
        "part_4_hatch_distance_mm": "0.125",
        "part_4_parent_part_name": "c",
        "preheating_temperature_c": "200.5",
        "shielding_gas_directions": "0 -1",
    }
    assert build.models.to_pylist()[0]["model_id"] == 4
    assert [warning.code for warning in build.warnings] == [
        "inconsistent",
        "unsupported",
        "inconsistent",
    ]
    assert "declares 3 work planes and has 2" in build.warnings[0].problem


# --- the wire ------------------------------------------------------------------------------------


def with_block(raw: bytes) -> bytes:
    """A file of one plane whose one block has these bytes."""
    empty = one_plane(MESSAGES["Block"]())
    place = empty.index(b"LVF!") + 20
    assert empty[place] == 0
    grown = bytes([len(raw)]) + raw
    content = bytearray(empty[:place] + grown + empty[place + 1 :])
    shift = len(grown) - 1
    (plane_lut,) = struct.unpack_from("<q", content, 12)
    struct.pack_into("<q", content, 12, plane_lut + shift)
    (job_lut,) = struct.unpack_from("<q", content, 4)
    struct.pack_into("<q", content, 4, job_lut + shift)
    # The positions in both tables are single bytes here.
    content[plane_lut + shift + 2] += shift
    content[job_lut + shift + 2] += shift
    return bytes(content)


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def test_floats_one_by_one_and_in_parts() -> None:
    """Unpacked floats, packed parts that end within a point, and a message that comes twice."""
    unpacked = b"".join(b"\x0d" + floats(value) for value in (1.0, 2.0, 3.0))
    first = unpacked + b"\x0a\x04" + floats(4.0)
    second = b"\x0a\x08" + floats(5.0, 6.0)
    raw = bytes([0x0A, len(first)]) + first + bytes([0x0A, len(second)]) + second
    (row,) = rows_of(open_build(with_block(raw)))
    assert np.frombuffer(row.points, np.float32).tolist() == [1, 2, 3, 4, 5, 6]
    # Another member of the oneof replaces what came before.
    (row,) = rows_of(open_build(with_block(raw + b"\x12\x00")))
    assert (row.kind, row.count) == ("hatch", 0)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\x0b", "bad_command"),  # a group
        (b"\x0e\x00", "bad_command"),  # wire type 6
        (b"\x00\x00", "bad_command"),  # field 0
        (b"\x0a\x7f", "truncated"),
        (b"\x0a\x05\x0a\x03\x00\x00\x00", "bad_count"),  # three bytes of floats
        (b"\x0a\x06\x0a\x04\x00\x00\x80\x3f", "bad_count"),  # half a point
        (b"\x12\x0a\x0a\x08" + floats(1, 1), "bad_count"),  # half a hatch vector
        (b"\x0a\x0a\x0a\x08" + floats(1, float("nan")), "bad_number"),
        (b"\x32\x0e\x0a\x0c" + floats(float("inf"), 0, 0), "bad_number"),
        (b"\x90\x03" + b"\xff" * 9 + b"\x02", "bad_number"),  # a varint of 65 bits
        (b"\x90\x03" + b"\xff" * 10, "bad_number"),
        (b"\x90\x03\x80\x80\x80\x80\x80\x10", "bad_number"),  # a key of 40 bits
        (b"\x90\x03\x80\x80\x80\x80\x08", "bad_number"),  # -2**31, which stands for none
    ],
)
def test_damaged_blocks(raw: bytes, code: str) -> None:
    content = with_block(raw)
    found, offset = code_of(content)
    assert found == code
    assert 20 <= offset <= 21 + len(raw)
    build = open_build(content, on_damage="skip")
    assert [damage.code for damage in build.to_arrow().damage] == [code]


def test_unknown_fields_are_stepped_over() -> None:
    known = b"\x0a\x0a\x0a\x08" + floats(1, 2)
    unknown = b"\xe0\x07\x01" + b"\xe1\x07" + bytes(8) + b"\xe2\x07\x02ab" + b"\xe5\x07" + bytes(4)
    (row,) = rows_of(open_build(with_block(unknown + known + unknown)))
    assert row.count == 1
    # -1, as some writers have it: in 32 bits.
    (row,) = rows_of(open_build(with_block(known + b"\x90\x03\xff\xff\xff\xff\x0f")))
    assert row.build_style_id == -1


# --- damage --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> bytes:
    params = MESSAGES["ParamsEntry"](key=1, value=MESSAGES["Params"](power=200))
    return write_ovf(
        OvfFile(
            job(params=[params], plane_count=3),
            [
                plane(block("lines", SQUARE, params=1), block("hatches", HATCH), z=0.5),
                plane(z=1.0),
                plane(block("points", SQUARE), z=1.5),
            ],
        )
    )


def test_cut_at_every_byte(small: bytes) -> None:
    whole = rows_of(open_build(small))
    lut = read_positions(small)
    for size in range(len(small)):
        cut = small[:size]
        code, offset = code_of(cut, format="ovf")
        assert code in {"truncated", "bad_offset", "bad_magic"}
        assert offset <= size
        if size < 12:
            continue
        build = open_build(cut, on_damage="skip")
        assert build.damage
        # Work planes that are whole are read, and no others.
        planes = sum(size >= end for end in lut)
        assert len(build) == planes
        assert rows_of(build) == [row for row in whole if row.layer < planes]


def read_positions(content: bytes) -> list[int]:
    """Where each work plane ends."""
    (job_lut,) = struct.unpack_from("<q", content, 4)
    table = MESSAGES["JobLut"].FromString(content[job_lut + 1 :])
    return [*table.planes[1:], table.shell_at]


def test_a_file_that_was_never_finished(small: bytes) -> None:
    unfinished = bytearray(small)
    unfinished[4:12] = bytes(8)
    code, offset = code_of(bytes(unfinished))
    assert (code, offset) == ("truncated", 4)
    build = open_build(bytes(unfinished), on_damage="skip")
    assert rows_of(build) == rows_of(open_build(small))
    # The job's shell stands behind the last work plane, and is found there.
    assert build.build_styles["laser_power_w"].to_pylist() == [200.0]
    assert [damage.byte_offset for damage in build.damage] == [4]


def test_one_damaged_plane_leaves_the_others(small: bytes) -> None:
    second = read_positions(small)[0]
    broken = bytearray(small)
    broken[second : second + 8] = struct.pack("<q", -5)
    assert code_of(bytes(broken)) == ("bad_offset", second)
    build = open_build(bytes(broken), on_damage="skip")
    tables = build.to_arrow()
    assert [damage.layer for damage in build.damage] == [1]
    assert [damage.layer for damage in tables.damage] == [1]
    assert np.isnan(build.z_mm).tolist() == [False, True, False]
    assert as_rows(tables) == rows_of(open_build(small))


def test_blocks_and_planes_that_share_bytes_are_refused(small: bytes) -> None:
    """Else 16 KB could name the same block ten thousand times."""
    place = MESSAGES["PlaneLut"](shell_at=20, blocks=[21] * 500)
    content = bytearray(b"LVF!" + bytes(8) + struct.pack("<q", 60) + b"\x00")
    content += delimited(block("lines", SQUARE))
    content += bytes(60 - len(content)) if len(content) < 60 else b""
    struct.pack_into("<q", content, 12, len(content))
    content += delimited(place)
    shell = len(content)
    content += delimited(job(plane_count=1))
    struct.pack_into("<q", content, 4, len(content))
    lut = len(content)
    content += delimited(MESSAGES["JobLut"](shell_at=shell, planes=[12]))
    assert code_of(bytes(content))[0] == "inconsistent"
    twice = content[:lut] + delimited(MESSAGES["JobLut"](shell_at=shell, planes=[12, 12]))
    assert code_of(bytes(twice))[0] == "inconsistent"


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (ReadLimits(max_layers=2), "max_layers"),
        (ReadLimits(max_geometries_per_layer=1), "max_geometries_per_layer"),
        (ReadLimits(max_points_per_layer=8), "max_points_per_layer"),
        (ReadLimits(max_build_styles=0), "max_build_styles"),
        (ReadLimits(max_header_bytes=3), "max_header_bytes"),
    ],
)
def test_limits(small: bytes, limits: ReadLimits, what: str) -> None:
    with pytest.raises(BuildFileError, match=what) as caught:
        open_build(small, limits=limits).to_arrow()
    assert caught.value.facts["code"] == "limit_exceeded"


# --- property: any file that protobuf writes -----------------------------------------------------

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
ids = st.integers(-(2**31) + 1, 2**31 - 1)


@st.composite
def blocks(draw: st.DrawFn) -> Any:
    kind = draw(
        st.sampled_from(
            ["lines", "hatches", "points", "lines_3d", "hatches_3d", "points_3d", "adapted_lines"]
        )
    )
    whole = (3 if "3d" in kind or "adapted" in kind else 2) * (2 if "hatches" in kind else 1)
    points = draw(st.lists(finite, max_size=4).map(lambda some: (some * whole)[: whole * 4]))
    one = block(
        kind,
        points[: len(points) // whole * whole],
        params=draw(ids),
        laser=draw(ids),
        repeats=draw(st.sampled_from([0, 0, 0, 1, 3])),
    )
    if draw(st.booleans()):
        one.meta.part = draw(ids)
    return one


@given(
    st.lists(
        st.tuples(finite, st.lists(blocks(), max_size=3), st.sampled_from([0, 0, 2])), max_size=3
    ),
    st.sets(ids, max_size=2),
)
def test_any_file_is_read_as_protobuf_reads_it(
    planes: list[tuple[float, list[Any], int]], keys: set[int]
) -> None:
    params = [MESSAGES["ParamsEntry"](key=key) for key in keys]
    ovf = OvfFile(
        job(params=params, plane_count=len(planes)),
        [plane(*some, z=z, repeats=repeats) for z, some, repeats in planes],
    )
    content = write_ovf(ovf)
    build = open_build(content)
    assert rows_of(build) == expected_rows(read_ovf(content))
    assert build.z_mm.tolist() == [np.float32(z).item() for z, _, _ in planes]

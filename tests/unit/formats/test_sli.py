"""EOS SLI: read as the reference reads it, written so that the same comes back, damage named."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import BuildFile, ReadLimits, open_build
from pbf_ray.formats.reference.sli import read_sli
from support.plain_builds import (
    Geometry,
    Layer,
    assert_equal_to_reference,
    contour,
    hatch,
    header,
    plain_layers,
    points,
    read_layers,
    written,
)

SQUARE = contour((0, 0), (1, 0), (1, 1), (0, 0))
SMALL = [
    Layer(0.0, [SQUARE, hatch((0.1, 0.1), (0.9, 0.1), (0.9, 0.2), (0.1, 0.2))]),
    Layer(0.05, []),
    Layer(0.1, [contour((2, 2), (3, 3)), contour()]),
]


@pytest.fixture(scope="module")
def small() -> bytes:
    data, lost = written("sli", SMALL)
    assert not lost
    return data


# Real files: facts of their headers, read here with struct, and of formats.md.
REAL = {
    "AbFab3D__AbFab3D__Box.sli": (650, 650, 0, 5850),
    "AbFab3D__AbFab3D__laufrad.sli": (40, 2223, 0, 35760),
    "AbFab3D__AbFab3D__simple.sli": (2, 2, 0, 18),
    "Teslos__EOS-formats__test.sli": (76, 0, 75, 12400),
}
each_real = pytest.mark.parametrize("name", REAL)


@pytest.fixture
def real(shared_data: Path, request: pytest.FixtureRequest) -> Path:
    return shared_data / "build_files" / "sli" / request.getfixturevalue("name")


@each_real
def test_a_real_file_is_what_its_header_and_the_reference_say(real: Path, name: str) -> None:
    data = real.read_bytes()
    build = open_build(real)
    tables = build.to_arrow()
    layers, polylines, _, total_points = REAL[name]
    assert struct.unpack_from("<III", data, 104) == (layers, polylines, total_points)
    kinds = tables.geometries["kind"].to_pylist()
    assert (len(build), kinds.count("contour"), kinds.count("hatch")) == REAL[name][:3]
    assert tables.coordinates.num_rows == total_points
    assert build.warnings == build.damage == tables.damage == ()
    # The box of the header is that of the model: half a unit of rounding, at most.
    box = struct.unpack_from("<6f", data, 152)
    x_mm, y_mm = (tables.coordinates[axis].to_numpy() for axis in ("x_mm", "y_mm"))
    found = (x_mm.min(), x_mm.max(), y_mm.min(), y_mm.max(), build.z_mm[0], build.z_mm[-1])
    assert found == pytest.approx(box, abs=0.0051)
    dimension = build.header["dimension_mm"]
    assert [dimension[place] for place in (0, 3, 1, 4, 2, 5)] == list(box)
    assert_equal_to_reference(build, read_sli(data))


@each_real
def test_a_real_file_comes_back_from_writing(real: Path, name: str) -> None:
    data = real.read_bytes()
    build = open_build(data)
    again, lost = written("sli", read_layers(build), build.header)
    assert not lost
    rounded_z = {
        place
        for z_mm, at in zip(build.z_mm, build.layers["byte_offset"].to_pylist(), strict=True)
        for place in (at + 1, at + 2)
        if struct.unpack_from("<H", data, at + 1)[0] != round(z_mm * 100)
    }
    differ = {place for place in range(len(data)) if again[place] != data[place]}
    # Box.sli has its heights rounded to tens in the layers; the index has them right.
    assert differ <= rounded_z
    assert bool(rounded_z) == name.endswith("Box.sli")
    assert plain_layers(read_layers(open_build(again))) == plain_layers(read_layers(build))


@each_real
def test_threads_and_cuts_give_the_same(real: Path, name: str) -> None:
    build = open_build(real)
    whole = plain_layers(read_layers(build))
    cut = [layer for batch in build.scan(7, threads=4) for layer in read_layers(batch)]
    assert plain_layers(cut) == whole
    assert plain_layers(read_layers(open_build(real.read_bytes()))) == whole


units = st.integers(0, 65535)
pairs = st.lists(st.tuples(units, units), max_size=6)


@st.composite
def builds(draw: st.DrawFn) -> tuple[list[Layer], str]:
    unit = draw(st.sampled_from([0.01, 0.005, 0.001, 0.1, 1.0]))
    heights = draw(st.lists(units, max_size=4, unique=True))

    def in_mm(whole: list[tuple[int, int]]) -> np.ndarray:
        return (np.array(whole, np.float64).reshape(-1, 2) * unit).astype(np.float32)

    layers = []
    for z in sorted(heights):
        geometries = []
        for kind, given_points in draw(
            st.lists(st.tuples(st.sampled_from(["contour", "hatch"]), pairs), max_size=4)
        ):
            if kind == "hatch":
                even = given_points[: len(given_points) // 2 * 2]
                geometries.append(Geometry("hatch", in_mm(even)))
            else:
                closed = len(given_points) > 2 and given_points[0] == given_points[-1]
                geometries.append(Geometry("contour", in_mm(given_points), closed))
        layers.append(Layer(z * unit, geometries))
    return layers, str(unit)


@given(builds())
def test_what_is_written_comes_back_to_the_bit(build: tuple[list[Layer], str]) -> None:
    layers, unit = build
    data, lost = written("sli", layers, options={"unit_mm": unit})
    assert not lost
    read = open_build(data)
    assert read.warnings == ()
    assert plain_layers(read_layers(read)) == plain_layers(layers)
    assert_equal_to_reference(read, read_sli(data))
    again, _ = written("sli", read_layers(read), read.header)
    assert again == data


def _outcome_native(data: bytes) -> tuple[str, int] | None:
    try:
        open_build(data, format="sli").to_arrow()
    except BuildFileError as error:
        return error.code, error.byte_offset
    return None


def _outcome_reference(data: bytes) -> tuple[str, int] | None:
    try:
        read_sli(data)
    except BuildFileError as error:
        return error.code, error.byte_offset
    return None


def test_cut_off_anywhere_it_says_so_and_keeps_the_layers_before(small: bytes) -> None:
    whole = open_build(small)
    ends = [
        at + size
        for at, size in zip(
            whole.layers["byte_offset"].to_pylist(),
            whole.layers["byte_size"].to_pylist(),
            strict=True,
        )
    ]
    for length in range(len(small)):
        cut = small[:length]
        outcome = _outcome_native(cut)
        assert outcome is not None
        assert outcome == _outcome_reference(cut)
        assert outcome[0] == ("truncated" if length >= 17 else "bad_magic")
        if length < 176:
            with pytest.raises(BuildFileError):
                open_build(cut, format="sli", on_damage="skip")
            continue
        build = open_build(cut, format="sli", on_damage="skip")
        assert build.damage[0].code == "truncated"
        kept = [end for end in ends if end <= length]
        layers = read_layers(build)[: len(kept)]
        assert plain_layers(layers)[: len(kept)] == plain_layers(SMALL)[: len(kept)]
        assert len(layers) == len(kept)


@given(st.data())
def test_damaged_bytes_give_what_the_reference_gives(small: bytes, data: st.DataObject) -> None:
    damaged = bytearray(small)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(40, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    version = struct.unpack_from("<H", damaged, 40)[0]
    if version != 103:
        return  # the reference knows no rule for other versions; a test of its own below
    outcome = _outcome_reference(bytes(damaged))
    assert _outcome_native(bytes(damaged)) == outcome
    if outcome is None:
        assert_equal_to_reference(
            open_build(bytes(damaged), format="sli"), read_sli(bytes(damaged))
        )
    if damaged[148:152] == small[148:152] and damaged[44:52] == small[44:52]:
        # Whatever is wrong, the unit is known: nothing else is fatal.
        open_build(bytes(damaged), format="sli", on_damage="skip").to_arrow()


def _with(data: bytes, at: int, format: str, *values: float) -> bytes:
    changed = bytearray(data)
    struct.pack_into(format, changed, at, *values)
    return bytes(changed)


def _index_at(data: bytes) -> int:
    return struct.unpack_from("<I", data, 60)[0] + struct.unpack_from("<I", data, 44)[0]


def test_one_bad_entry_of_the_index_loses_no_layer(small: bytes) -> None:
    damaged = _with(small, _index_at(small) + 8, "<I", 7)
    with pytest.raises(BuildFileError) as raised:
        open_build(damaged)
    assert (raised.value.code, raised.value.byte_offset) == ("bad_offset", _index_at(small) + 6)
    build = open_build(damaged, on_damage="skip")
    assert [damage.code for damage in build.damage] == ["bad_offset"]
    # Its height is then that of the layer itself.
    assert plain_layers(read_layers(build)) == plain_layers(SMALL)


def test_a_layer_that_the_index_names_twice_is_refused(small: bytes) -> None:
    # Or a small index could ask for one large layer again and again.
    first = struct.unpack_from("<I", small, _index_at(small) + 2)[0]
    damaged = _with(small, _index_at(small) + 8, "<I", first)
    with pytest.raises(BuildFileError, match="begins within layer 0") as raised:
        open_build(damaged)
    assert raised.value.code == "inconsistent"
    assert plain_layers(read_layers(open_build(damaged, on_damage="skip"))) == plain_layers(SMALL)


def test_a_damaged_layer_leaves_the_others(small: bytes) -> None:
    first = open_build(small).layers["byte_offset"].to_pylist()[0]
    damaged = _with(small, first + 12, "B", 9)
    assert open_build(damaged).read_layer(2).geometries.num_rows == 2
    with pytest.raises(BuildFileError, match="9 is no opcode") as raised:
        open_build(damaged).read_layer(0)
    assert (raised.value.code, raised.value.byte_offset) == ("bad_command", first + 12)
    build = open_build(damaged, on_damage="skip")
    assert build.damage == ()
    tables = build.to_arrow()
    assert [(one.code, one.layer) for one in tables.damage] == [("bad_command", 0)]
    assert plain_layers(read_layers(build))[1:] == plain_layers(SMALL)[1:]


def test_totals_of_the_header_are_checked(small: bytes) -> None:
    build = open_build(_with(_with(small, 108, "<I", 4), 112, "<I", 5))
    assert [(one.code, one.byte_offset) for one in build.warnings] == [
        ("inconsistent", 108),
        ("inconsistent", 112),
    ]
    assert "5 points are declared, 10 were found" in build.warnings[1].problem


def test_another_version_is_read_if_its_structure_is_the_known_one(small: bytes) -> None:
    newer = _with(small, 40, "<H", 104)
    build = open_build(newer)
    assert [(one.code, one.byte_offset) for one in build.warnings] == [("unsupported", 40)]
    assert plain_layers(read_layers(build)) == plain_layers(SMALL)
    first = build.layers["byte_offset"].to_pylist()[0]
    with pytest.raises(BuildFileError, match="version 104") as raised:
        open_build(_with(newer, first + 12, "B", 9))
    assert raised.value.code == "unsupported"


@pytest.mark.parametrize("relative", [True, False])
def test_any_size_of_header(small: bytes, relative: bool) -> None:
    # 16 bytes more of header. Its offsets count from its end, the first of them perhaps not.
    longer = small[:64] + (bytes(16) if relative else b"") + small[64:]
    longer = _with(longer, 44, "<I", 64)
    if not relative:
        for at in (56, 60):
            longer = _with(longer, at, "<I", struct.unpack_from("<I", small, at)[0] - 16)
        for entry in range(len(SMALL)):
            at = _index_at(small) + 6 * entry + 2
            longer = _with(longer, at, "<I", struct.unpack_from("<I", small, at)[0] - 16)
    assert plain_layers(read_layers(open_build(longer))) == plain_layers(SMALL)
    assert_equal_to_reference(open_build(longer), read_sli(longer))


def test_limits(small: bytes) -> None:
    with pytest.raises(BuildFileError) as raised:
        open_build(small, limits=ReadLimits(max_layers=2), on_damage="skip")
    assert (raised.value.code, raised.value.byte_offset) == ("limit_exceeded", 104)
    for limits in (ReadLimits(max_geometries_per_layer=1), ReadLimits(max_points_per_layer=7)):
        with pytest.raises(BuildFileError) as raised:
            open_build(small, limits=limits).read_layer(0)
        assert raised.value.code == "limit_exceeded"


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        ([Layer(0.0, [contour((-0.02, 1), (1, 1))])], "x of -0.0"),
        ([Layer(0.0, [contour((1, 655.37), (1, 1))])], "y of 655.36"),
        ([Layer(655.36, [])], "z of 655.36 mm is outside 0 to 655.35 mm"),
        ([Layer(-0.01, [])], "z of -0.01"),
        ([Layer(0.1, []), Layer(None, [])], "layer 1 has no height"),
        ([Layer(0.0, []), Layer(0.001, [])], "two layers would both be at 0 mm"),
        ([Layer(0.0, [Geometry("points", points((1, 1)))])], "no single exposures"),
        ([Layer(0.0, [Geometry("hatch", points((1, 1)))])], "each vector has two"),
        ([Layer(0.0, [Geometry("contour", np.zeros((65536, 2), np.float32), True)])], "65535"),
    ],
)
def test_what_sli_cannot_hold_is_refused(layers: list[Layer], problem: str) -> None:
    from pbf_ray.formats._core import NativeFormatError

    with pytest.raises(NativeFormatError, match=problem) as raised:
        written("sli", layers)
    assert raised.value.args[0] == "not_representable"


def test_what_is_only_left_out_is_named() -> None:
    layers = [
        Layer(0.0, [contour((1, 1), (2, 2), model_id=1, laser_id=2)]),
        Layer(0.1, [Geometry("jump", points((0, 0), (1, 1))), contour((0, 0), (0.004, 1))]),
    ]
    data, lost = written("sli", layers, header(models=[{"model_id": 1}]))
    assert lost == [
        "models",
        "which model and build style a geometry belongs to",
        "which laser a geometry belongs to",
        "jumps",
        "x values between units of 0.01 mm",
    ]
    assert [len(layer.geometries) for layer in read_layers(open_build(data))] == [1, 1]


def test_hatches_of_more_than_a_record_holds_are_cut_between_vectors() -> None:
    many = np.arange(2 * 70_000 * 2, dtype=np.float32).reshape(-1, 2) % 600
    data, lost = written("sli", [Layer(0.0, [Geometry("hatch", many)])], options={"unit_mm": "1"})
    assert lost == ["that hatches of more than 65535 vectors are one geometry"]
    found = read_layers(open_build(data))[0].geometries
    assert [len(one.points_mm) for one in found] == [2 * 65535, 2 * (70_000 - 65535)]
    assert np.array_equal(np.concatenate([one.points_mm for one in found]), many)


def test_a_file_and_its_bytes_are_the_same(small: bytes, tmp_path: Path) -> None:
    place = tmp_path / "part.sli"
    place.write_bytes(small)
    build: BuildFile = open_build(place)
    assert (build.format, build.metadata["creator"]) == ("sli", "pbf_ray")
    assert plain_layers(read_layers(build)) == plain_layers(SMALL)

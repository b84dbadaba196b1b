"""ILT archives: sections and their parameters; hostile archives; written and read again."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import BuildFile, ReadLimits, open_build, write_build
from pbf_ray.formats.ilt_sections import Section, parameter_sections, section_of, style_of
from support.plain_builds import Layer, hatch, header, plain_layers, read_layers, written

PARAMETERS = (
    "; Build Parameter File\r\n\r\n[a_001_s1_vs.cli]\r\nLaserSpeed = 825 mm/s\r\n"
    "ExposureTime = 400 µs\r\nPointDistance = 0.2 mm\r\nLaserPower = 0,2 kW\r\nBeam = wide\r\n\r\n"
    "[A_001_ST_SX.CLI]\r\nLaserPower = many\r\nFocusShift=-0.1\r\n"
)


def _section(number: int, *heights: float) -> bytes:
    layers = [Layer(z, [hatch((number, 0), (number, 1), model_id=0)]) for z in heights]
    return written("cli", layers)[0]


def _zip(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", method) as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for name, data in members:
            archive.writestr(name, data)
    return packed.getvalue()


def _archive(encoding: str = "cp1252") -> bytes:
    return _zip(
        ("a_001_s1_vs.cli", _section(1, 1.0, 2.0)),
        ("a_001_st_sx.cli", _section(2, 0.5, 1.0)),
        ("folder/unheard of.cli", _section(3, 2.0)),
        ("modelsection_param.txt", PARAMETERS.encode(encoding)),
    )


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig"])
def test_sections_become_styles_of_one_build(encoding: str) -> None:
    build = open_build(_archive(encoding))
    assert build.format == "ilt"
    assert build.z_mm.tolist() == [0.5, 1.0, 2.0]
    geometries = build.to_arrow().geometries
    assert geometries["build_style_id"].to_pylist() == [2, 1, 2, 1, 3]
    assert geometries["model_id"].to_pylist() == [1, 1, 1, 1, 2]
    assert [row["name"] for row in build.models.to_pylist()] == ["a_001", "unheard of"]
    volume, support, other = build.build_styles.to_pylist()
    assert volume["name"] == "a_001_s1_vs"
    assert volume["description"] == "volume hatch"
    assert volume["speed_mm_s"] == 825.0
    assert volume["exposure_time_us"] == 400.0
    assert volume["point_distance_um"] == 200.0
    assert volume["laser_power_w"] == 200.0
    assert volume["focus_mm"] is None
    assert volume["parameters"] == [("area", "s1"), ("class", "vs"), ("Beam", "wide")]
    assert support["laser_power_w"] is None
    assert support["focus_mm"] == -0.1
    assert ("LaserPower", "many") in support["parameters"]
    assert other["speed_mm_s"] is None
    assert not build.warnings


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("modelsection_001_s1_vs.cli",
         Section("modelsection_001", "volume hatch", (("area", "s1"), ("class", "vs")))),
        ("x/y\\My_Part_12_K_UK.CLI",
         Section("My_Part_12", "downskin contour", (("area", "k"), ("class", "uk")))),
        ("p_1_st_kvu.cli", Section("p_1", "", (("area", "st"), ("class", "kvu")))),
        ("part (solidsupport) (filling).cli",
         Section("part", "solidsupport filling", (("solidsupport", "true"), ("filling", "true")))),
        ("part (1) (support).cli", Section("part (1)", "support", (("support", "true"),))),
        ("part_3_Core_1_c2up.cli",
         Section("part_3", "", (("style", "Core_1"), ("position", "c2up")))),
        ("anything at all.cli", Section()),
        (".cli", Section()),
    ],
)  # fmt: skip
def test_names_of_sections(name: str, section: Section) -> None:
    assert section_of(name) == section


@given(st.text(max_size=40))
def test_no_name_is_an_error(name: str) -> None:
    section_of(name + ".cli")
    style_of(1, name, {})


@given(st.binary(max_size=200))
def test_no_parameter_file_is_an_error(data: bytes) -> None:
    for name, values in parameter_sections(b"[x]\n" + data).items():
        style_of(1, name, values)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("400 µs", 400.0), ("400 \N{GREEK SMALL LETTER MU}s", 400.0), ("400 Âµs", 400.0),
        ("400us", 400.0), ("0.4 ms", 400.0), ("400", 400.0), ("4e2 µs", 400.0), ("400,0 µs", 400.0),
        ("400 parsec", None), ("", None), ("µs", None), ("1e999 s", None), ("nan s", None),
    ],
)  # fmt: skip
def test_units_of_parameters(value: str, expected: float | None) -> None:
    style = style_of(1, "x.cli", {"exposure_time": value})
    assert style["exposure_time_us"] == expected
    assert style["parameters"] == ([] if expected is not None else [("exposure_time", value)])


def test_blocks_without_a_section_are_a_warning() -> None:
    data = _zip(("x.cli", _section(1, 1.0)), ("p.txt", b"[gone.cli]\nLaserPower = 1 watt\n"))
    [warning] = open_build(data).warnings
    assert warning.member == "gone.cli"


def test_path_and_bytes_and_large_archives_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _archive()
    file = tmp_path / "part.ilt"
    file.write_bytes(data)
    expected = plain_layers(read_layers(open_build(data)))
    assert plain_layers(read_layers(open_build(file))) == expected
    monkeypatch.setattr("pbf_ray.formats.ilt._IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spilled = open_build(file)
    assert [one.name for one in tmp_path.iterdir()] == ["part.ilt"], "unpacked files have no name"
    assert plain_layers(read_layers(spilled)) == expected


def _refused(data: bytes, **arguments: Any) -> BuildFileError:
    with pytest.raises(BuildFileError) as caught:
        open_build(data, **arguments).to_arrow()
    return caught.value


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    bomb = _zip(("x.cli", b"$$HEADERSTART" + bytes(50 << 20)))
    assert len(bomb) < 1 << 16
    error = _refused(bomb)
    assert error.facts["code"] == "limit_exceeded"
    assert "max_expansion" in str(error)
    error = _refused(_archive(), limits=ReadLimits(max_member_bytes=100))
    assert error.facts["code"] == "limit_exceeded"
    error = _refused(_archive(), limits=ReadLimits(max_build_styles=2))
    assert error.facts["code"] == "limit_exceeded"


def test_a_size_that_lies_does_not_unpack_more() -> None:
    data = bytearray(_zip(("x.cli", _section(1, 1.0) + bytes(1 << 16))))
    central = data.rindex(b"PK\x01\x02")
    assert struct.unpack_from("<I", data, central + 24)[0] > 1 << 16
    struct.pack_into("<I", data, central + 24, 100)
    error = _refused(bytes(data))
    assert error.facts["code"] in {"inconsistent", "bad_header", "truncated"}


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (_zip(("x.txt", b"")), "unsupported", "without members that are build files"),
        (_zip(), "unsupported", "without members that are build files"),
        (_zip(("x.cli", _section(1, 1.0)), ("x.cli", _section(2, 1.0))), "inconsistent", "second"),
        (_zip(("x.cli", _section(1, 1.0)), method=zipfile.ZIP_LZMA), "unsupported", "method 14"),
        (_archive()[:-30], "inconsistent", "zip"),
        (_zip(("x.cli", b"no cli")), "bad_magic", "x.cli"),
    ],
    ids=["no sections", "empty", "twice", "lzma", "cut", "no cli"],
)
def test_archives_that_are_no_ilt_are_refused(data: bytes, code: str, says: str) -> None:
    error = _refused(data)
    assert error.facts["code"] == code
    assert says in str(error)


def test_errors_say_what_to_do() -> None:
    cut = _refused(_archive()[:-30])
    assert (cut.code, cut.byte_offset) == ("inconsistent", 0)
    assert "at its end" in cut.advice
    section = _refused(_zip(("a_001_s1_vs.cli", _section(1, 1.0)[:-3])))
    assert "export the file again" in section.advice


def test_encrypted_sections_are_refused_by_name() -> None:
    data = bytearray(_archive())
    for mark, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(mark) + at] |= 1
    error = _refused(bytes(data))
    assert error.facts["code"] == "unsupported"
    assert "a_001_s1_vs.cli is encrypted" in str(error)
    build = open_build(bytes(data), on_damage="skip")
    assert [one.member for one in build.damage] == ["a_001_s1_vs.cli"]
    assert build.to_arrow().geometries.num_rows == 3


def test_names_that_lead_elsewhere_are_only_names(tmp_path: Path) -> None:
    data = _zip(("../../evil.cli", _section(1, 1.0)), ("/etc/x.cli", _section(2, 1.0)))
    build = open_build(data)
    assert build.to_arrow().geometries.num_rows == 2
    assert [row["name"] for row in build.build_styles.to_pylist()] == ["evil", "x"]


@given(st.data())
def test_damaged_archives_are_refused_or_read(data: Any) -> None:
    archive = bytearray(_archive())
    for _ in range(data.draw(st.integers(1, 3))):
        archive[data.draw(st.integers(4, len(archive) - 1))] = data.draw(st.integers(0, 255))
    for on_damage in ("raise", "skip"):
        error: BuildFileError | None = None
        try:
            open_build(bytes(archive), on_damage=on_damage).to_arrow()  # type: ignore[arg-type]
        except BuildFileError as caught:
            error = caught
        assert error is None or error.facts["code"]


def _round_trip(build: BuildFile, **options: Any) -> BuildFile:
    report = write_build(build, None, format="ilt", **options)
    assert not report.lost
    assert report.data == write_build(build, None, format="ilt", **options).data
    return open_build(report.data or b"")


@pytest.mark.parametrize("options", [{}, {"variant": "ascii"}], ids=str)
def test_what_is_written_is_read_again(options: dict[str, str]) -> None:
    build = open_build(_archive())
    again = _round_trip(build, **options)
    assert plain_layers(read_layers(again)) == plain_layers(read_layers(build))
    assert again.build_styles == build.build_styles
    assert again.z_mm.tolist() == build.z_mm.tolist()


def test_layers_without_sections_are_kept() -> None:
    layers = [Layer(0.5, []), Layer(1.0, [hatch((0, 0), (1, 1), model_id=3)]), Layer(1.5, [])]
    build = open_build(written("cli", layers, header(models=[{"model_id": 3, "name": "cube"}]))[0])
    again = _round_trip(build)
    assert again.z_mm.tolist() == [0.5, 1.0, 1.5]
    assert again.models.to_pylist()[0]["name"] == "cube"
    assert _round_trip(open_build(written("cli", [Layer(2.0, [])])[0])).z_mm.tolist() == [2.0]


def test_orders_that_sections_cannot_keep_are_a_loss() -> None:
    layers = [Layer(1.0, [hatch((0, 0), (1, 1), model_id=number) for number in (1, 2, 1)])]
    build = open_build(written("cli", layers)[0])
    with pytest.raises(BuildFileError, match="order of exposure"):
        write_build(build, None, format="ilt")
    report = write_build(build, None, format="ilt", allow_loss=True)
    assert open_build(report.data or b"").to_arrow().geometries.num_rows == 3


def test_styles_with_the_same_name_are_told_apart() -> None:
    styles = [{"build_style_id": number, "name": "core/1"} for number in (1, 2)]
    layers = [Layer(1.0, [hatch((0, 0), (1, 1), model_id=1, build_style_id=n) for n in (1, 2)])]
    tables = open_build(written("cli", layers)[0]).to_arrow()
    assert tables.geometries.num_rows == 2
    data, _ = written("cli", layers, header(build_styles=styles), {"variant": "ascii"})
    build = open_build(data)
    build.header["build_styles"][:] = [
        {**row, "name": "core/1"} for row in build.header["build_styles"]
    ]
    report = write_build(build, None, format="ilt", allow_loss=True)
    names = zipfile.ZipFile(io.BytesIO(report.data or b"")).namelist()
    assert len(set(names)) == len(names)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    broken = _archive()
    build = open_build(broken)
    with pytest.raises(BuildFileError):
        write_build(build, tmp_path / "x.ilt", variant="short", unit_mm=1e-9)
    assert not list(tmp_path.iterdir())

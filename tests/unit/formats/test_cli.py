"""CLI: the core reads what the plain reader reads, to the bit, and refuses what it refuses."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import BuildFile, ReadLimits, open_build
from pbf_ray.formats.reference.build import ReferenceBuild
from pbf_ray.formats.reference.cli import read_cli
from support.cli_files import cli_files, damaged, numbers
from support.plain_builds import assert_equal_to_reference, read_layers


def _read(data: bytes) -> BuildFile:
    build = open_build(data, format="cli")
    build.to_arrow()
    return build


def _or_error(read: Callable[[bytes], BuildFile | ReferenceBuild], data: bytes) -> object:
    try:
        return read(data)
    except BuildFileError as error:
        return error


@given(cli_files)
def test_files_are_read_as_the_reference_reads_them(data: bytes) -> None:
    assert_equal_to_reference(_read(data), read_cli(data))


PARAMETER_THAT_IS_NO_TEXT = (
    b"$$HEADERSTART$$ASCII$$UNITS/1$$HEADEREND$$GEOMETRYSTART$$LAYER/1 $$PARAM\x80jump, x, 1\n"
    b"$$PARAM/jump_delay,x,\xa0many \n$$HATCHES/0,0$$GEOMETRYEND"
)


@given(damaged(cli_files))
@example(PARAMETER_THAT_IS_NO_TEXT)
def test_damaged_files_are_refused_as_the_reference_refuses_them(data: bytes) -> None:
    native, reference = _or_error(_read, data), _or_error(read_cli, data)
    if isinstance(reference, BuildFileError) or isinstance(native, BuildFileError):
        assert isinstance(reference, BuildFileError), native
        assert isinstance(native, BuildFileError), reference
        assert native.facts["code"] == reference.facts["code"]
        assert 0 <= native.facts["byte_offset"] <= len(data)
    else:
        assert isinstance(native, BuildFile)
        assert isinstance(reference, ReferenceBuild)
        assert_equal_to_reference(native, reference)


@given(damaged(cli_files))
def test_tolerating_damage_reads_all_that_strictness_reads_and_names_the_rest(data: bytes) -> None:
    strict = _or_error(_read, data)
    build = _or_error(lambda whole: open_build(whole, format="cli", on_damage="skip"), data)
    if isinstance(build, BuildFileError):
        # Without a header there is nothing to go on with.
        assert isinstance(strict, BuildFileError)
        assert strict.facts == build.facts
        return
    assert isinstance(build, BuildFile)
    tables = build.to_arrow()
    assert tables.layers.num_rows == len(build)
    if isinstance(strict, BuildFile):
        assert tables.coordinates == strict.to_arrow().coordinates
        assert not build.damage
        assert not tables.damage
    else:
        assert build.damage or tables.damage


def _ascii(body: str, head: str = "") -> bytes:
    return (
        f"$$HEADERSTART\n$$ASCII\n$$UNITS/1\n{head}$$HEADEREND\n"
        f"$$GEOMETRYSTART\n{body}\n$$GEOMETRYEND\n"
    ).encode()


def _binary(*body: bytes, head: str = "", unit: str = "1") -> bytes:
    return f"$$HEADERSTART\n$$BINARY\n$$UNITS/{unit}\n{head}$$HEADEREND".encode() + b"".join(body)


def _layer(z: float) -> bytes:
    return struct.pack("<Hf", 127, z)


def _short(*values: int) -> bytes:
    return struct.pack(f"<HHHH{len(values)}H", 129, 1, 0, len(values) // 2, *values)


@given(numbers)
@example("9007199254740993")
@example("9007199254740992.5")
@example("0.1e23")
@example("1" + "0" * 400 + "e-400")
@example("2.2250738585072011e-308")
@example("123456789012345678901234567890e-10")
@example("1e-9223372036854775807")
@example("0.0001e-9223372036854775807")
def test_numbers_are_those_of_python(text: str) -> None:
    build = open_build(_ascii(f"$$LAYER/{text}"))
    assert struct.pack("<d", build.z_mm[0]) == struct.pack("<d", float(text))


@pytest.mark.parametrize(
    "text", ["1e999", "-1e999", "1e9223372036854775807", "nan", "inf", "", "-", ".", "e5"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(BuildFileError) as caught:
        open_build(_ascii(f"$$LAYER/{text}\n"))
    assert caught.value.facts["code"] == "bad_number"
    with pytest.raises(BuildFileError):
        read_cli(_ascii(f"$$LAYER/{text}\n"))


def test_short_coordinates_are_signed_without_a_word_against_it() -> None:
    square = [65531, 65531, 5, 65531, 5, 5, 65531, 5, 65531, 65531]
    [layer] = read_layers(open_build(_binary(_layer(1), _short(*square))))
    assert layer.geometries[0].points_mm.tolist() == [[-5, -5], [5, -5], [5, 5], [-5, 5], [-5, -5]]


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        ("0,0,0,400,400,1", [0, 400, 400]),
        ("-300,0,0,0,0.2,1", [0, -255.36, -255.36]),
        ("0,0,0,327.67,327.67,1", [0, -255.36, -255.36]),
        ("0,0,0,0,0,0", [0, -255.36, -255.36]),  # empty: it says nothing
    ],
)
def test_short_coordinates_are_unsigned_where_the_dimension_says_so(
    dimension: str, expected: list[float]
) -> None:
    body = [_layer(1), _short(0, 0, 40000, 0, 40000, 10)]
    data = _binary(*body, head=f"$$DIMENSION/{dimension}\n", unit="0.01")
    [layer] = read_layers(open_build(data))
    assert layer.geometries[0].points_mm[:, 0].tolist() == [np.float32(x) for x in expected]


def test_short_coordinates_without_a_dimension_are_what_makes_small_steps() -> None:
    over_the_middle = _short(32000, 0, 32800, 0, 33600, 0)
    [layer] = read_layers(open_build(_binary(_layer(1), over_the_middle)))
    assert layer.geometries[0].points_mm[:, 0].tolist() == [32000, 32800, 33600]
    long_steps = _short(65536 - 30000, 0, 30000, 0)  # proves nothing
    [layer] = read_layers(open_build(_binary(_layer(1), long_steps)))
    assert layer.geometries[0].points_mm[:, 0].tolist() == [-30000, 30000]


def test_one_decision_holds_for_the_whole_file() -> None:
    data = _binary(_layer(1), _short(40000, 0), _layer(2), _short(32000, 0, 33600, 0))
    first, second = read_layers(open_build(data))
    assert first.geometries[0].points_mm[0, 0] == 40000
    assert second.geometries[0].points_mm[1, 0] == 33600


def test_align_pads_numbers_but_not_pairs_of_coordinates() -> None:
    body = struct.pack("<HxxHxx", 128, 7)
    body += struct.pack("<HxxHxxHxxHxx6h", 129, 3, 0, 3, 0, 0, -1, 2, 0, 0)
    for junk in (b"", b"x", b"xyz"):
        header = _binary(head="$$ALIGN\n")
        data = junk + header + b"\0" * (-len(header) % 4) + body
        build = open_build(data, format="cli")
        assert build.z_mm.tolist() == [7]
        [layer] = read_layers(build)
        assert layer.geometries[0].points_mm.tolist() == [[0, 0], [-1, 2], [0, 0]]
        assert layer.geometries[0].closed is True


def test_user_data_is_skipped_by_its_length() -> None:
    head = "$$USERDATA/uid,24,$$HEADEREND\n$$UNITS/9 //\n$$LAYERS/1\n"
    build = open_build(_ascii("$$LAYER/2", head))
    assert build.header["unit_mm"] == 1
    assert build.header["raw_tags"] == [("USERDATA/uid", 50, b"$$HEADEREND\n$$UNITS/9 //")]
    with pytest.raises(BuildFileError, match="99999") as caught:
        open_build(_ascii("", "$$USERDATA/uid,99999,short\n"))
    assert caught.value.facts["code"] == "bad_count"


def test_labels_name_models() -> None:
    head = '$$LABEL/1,"a, b" // x //\n$$LABEL/-2,plain, with comma \r\n$$LABEL/3,"open\n'
    build = open_build(_ascii("", head))
    assert [(row["model_id"], row["name"]) for row in build.models.to_pylist()] == [
        (1, "a, b"),
        (-2, "plain, with comma"),
        (3, "open"),
    ]


def test_states_hold_until_they_are_set_anew_over_layers_too() -> None:
    body = (
        "$$LAYER/1\n$$HATCHES/1,0\n$$POWER/100\n$$SPEED/900\n$$HATCHES/1,0\n"
        "$$PARAM/jump_speed, double, 5000\n$$PARAM/spot_diameter, double, 0.07$$LAYER/2\n"
        "$$HATCHES/1,0\n$$POWER/100.0\n$$HATCHES/1,0\n$$POWER/200\n$$LAYER/3\n$$POWER/100\n"
        "$$HATCHES/1,0\n"
    )
    build = open_build(_ascii(body))
    tables = build.to_arrow()
    assert tables.geometries["build_style_id"].to_pylist() == [None, 1, 2, 2, 2]
    # A layer alone is as it is among the others.
    assert build.read_layer(2).geometries["build_style_id"].to_pylist() == [2]
    styles = build.build_styles.to_pylist()
    assert [style["laser_power_w"] for style in styles] == [100, 100]
    assert [style["jump_speed_mm_s"] for style in styles] == [None, 5000]
    assert styles[1]["parameters"] == [("spot_diameter", "0.07")]


def test_comments_end_at_the_next_mark_or_with_the_line() -> None:
    body = "$$LAYER/1 // two // $$LAYER/2 // $$LAYER/3\n$$LAYER/4 // $$LAYER/5 // alone\n$$LAYER/6"
    assert open_build(_ascii(body)).z_mm.tolist() == [1, 2, 5, 6]


def test_an_unclosed_comment_at_the_end_hides_its_line_only() -> None:
    body = "$$LAYER/1 // alone $$LAYER/2\n$$LAYER/3"
    build = open_build(_ascii(body))
    assert build.z_mm.tolist() == [1, 3]
    assert not build.warnings


def test_a_file_that_ends_in_a_number_is_cut() -> None:
    whole = _ascii("$$LAYER/1\n$$POLYLINE/1,2,2,0,0,1,12")
    cut = whole[: whole.index(b"12") + 1]
    with pytest.raises(BuildFileError) as caught:
        _read(cut)
    assert caught.value.facts["code"] == "truncated"
    at_line = whole[: whole.index(b"$$GEOMETRYEND")]
    assert [one.code for one in _read(at_line).warnings] == ["truncated"]


def test_names_are_taken_in_any_case_and_with_blanks_before_the_slash() -> None:
    body = "$$LAYER / 1\n$$POWER\t/ 150\n$$Polyline /1,2,2,0,0,1,1"
    for data in (_ascii(body), _ascii(body).lower()):
        build = _read(data)
        assert_equal_to_reference(build, read_cli(data))
        assert build.z_mm.tolist() == [1]
        assert build.build_styles["laser_power_w"].to_pylist() == [150]
    binary = _binary(_layer(1), _short(0, 0, 1, 1)).replace(b"HEADEREND", b"HeaderEnd")
    assert len(open_build(binary)) == 1


def test_a_comma_behind_the_last_number_says_nothing() -> None:
    data = _ascii("$$LAYER/1,\n$$POLYLINE/1,2,2,0,0,1,1,\n$$HATCHES/1,0,\n")
    for on_damage in ("raise", "skip"):
        tables = open_build(data, on_damage=on_damage).to_arrow()  # type: ignore[arg-type]
        assert tables.geometries["count"].to_pylist() == [2, 0]
        assert not tables.damage
    assert_equal_to_reference(_read(data), read_cli(data))


@pytest.mark.parametrize(
    ("body", "head"),
    [("$$LAYER/0,05", ""), ("$$LAYER/1\n$$POWER/100,5\n", ""), ("", "$$UNITS/1,0\n")],
)
def test_a_decimal_comma_is_refused_and_not_cut_off(body: str, head: str) -> None:
    for read in (open_build, read_cli):
        with pytest.raises(BuildFileError) as caught:
            read(_ascii(body, head))
        assert caught.value.facts["code"] == "bad_number"
    with pytest.raises(BuildFileError, match="decimal comma"):
        open_build(_ascii(body, head))


@pytest.mark.parametrize("start", [b"  \r\n", b"\n$$GEOMETRYSTART\r\n", b"$$GeometryStart "])
@pytest.mark.parametrize("end", [b"\r\n$$GEOMETRYEND\r\n", b"\t\n", b"\n$$geometryend junk"])
def test_text_around_binary_geometry_is_passed_over(start: bytes, end: bytes) -> None:
    data = _binary(start, _layer(1), _short(0, 0, 1, 1), end)
    build = _read(data)
    assert build.to_arrow().geometries["count"].to_pylist() == [2]
    assert_equal_to_reference(build, read_cli(data))


def test_a_wrong_mode_is_said() -> None:
    text = _ascii("$$LAYER/1").replace(b"ASCII", b"BINARY").replace(b"$$GEOMETRYSTART", b"")
    with pytest.raises(BuildFileError, match=r"says \$\$BINARY"):
        open_build(text)
    binary = _binary(_layer(1), _short(0, 0, 1, 1)).replace(b"BINARY", b"ASCII")
    with pytest.raises(BuildFileError, match="binary geometry"):
        open_build(binary)


def test_comments_that_hide_commands_are_no_secret() -> None:
    body = "// layer one\n$$LAYER/1\n// layer two\n$$LAYER/2"
    build = open_build(_ascii(body))
    assert build.z_mm.tolist() == [2]
    [warning] = build.warnings
    assert "comment runs over lines" in warning.problem
    assert _ascii(body)[warning.byte_offset :].startswith(b"// layer one")
    with pytest.raises(BuildFileError, match="the comment that begins at byte 32"):
        open_build(_ascii("// again\n$$LAYER/2", "// a remark\n"))


def test_labels_that_are_not_utf_8_are_from_windows() -> None:
    data = _ascii("", "$$LABEL/1,Gr\u00f6\u00dfe\n").decode().encode("cp1252")
    assert open_build(data).models["name"].to_pylist() == ["Gr\u00f6\u00dfe"]
    assert_equal_to_reference(_read(data), read_cli(data))


COUNTS_BY_ONE = "$$LAYER/1\n$$POLYLINE/1,0,2,0,0,1,0,0,0\n$$LAYER/2\n$$HATCHES/1,1,0,0,1,1,2,2"


def test_wrong_counts_are_mended_only_where_that_is_asked_for() -> None:
    with pytest.raises(BuildFileError) as caught:
        _read(_ascii(COUNTS_BY_ONE))
    assert caught.value.facts["code"] == "inconsistent"
    tables = open_build(_ascii(COUNTS_BY_ONE), on_damage="skip").to_arrow()
    assert tables.geometries["count"].to_pylist() == [3]
    assert tables.geometries["closed"].to_pylist() == [True]
    assert [(one.code, one.layer) for one in tables.damage] == [
        ("inconsistent", 0),  # three points, read
        ("inconsistent", 1),  # one and a half vectors: left out
    ]


def test_comments_within_a_list_are_no_reason_to_mend_it() -> None:
    body = "$$LAYER/1\n$$POLYLINE/1,0,3,0,0,1,0 // one, two // ,0,0 // three, four\n$$LAYER/2"
    for on_damage in ("raise", "skip"):
        tables = open_build(_ascii(body), on_damage=on_damage).to_arrow()  # type: ignore[arg-type]
        assert tables.geometries["count"].to_pylist() == [3]
        assert not tables.damage


def test_layers_behind_damage_are_found_again() -> None:
    good = struct.pack("<Hii4f", 132, 1, 1, 0, 0, 1, 1)
    bad = struct.pack("<Hii4f", 132, 1, 1 << 30, 0, 0, 1, 1)
    data = _binary(_layer(1), good, _layer(2), good, bad, _layer(3), good, _layer(4), good)
    with pytest.raises(BuildFileError) as caught:
        open_build(data)
    assert caught.value.facts["code"] == "bad_count"
    build = open_build(data, on_damage="skip")
    tables = build.to_arrow()
    assert build.z_mm.tolist() == [1, 2, 3, 4]
    assert tables.geometries["layer"].to_pylist() == [0, 2, 3]
    assert [one.layer for one in tables.damage] == [1]
    assert [(one.layer, one.byte_offset) for one in build.damage] == [
        (1, caught.value.facts["byte_offset"])
    ]


@pytest.mark.parametrize(
    ("limits", "body"),
    [
        (ReadLimits(max_layers=1), "$$LAYER/1\n$$LAYER/2"),
        (ReadLimits(max_geometries_per_layer=1), "$$LAYER/1\n$$HATCHES/1,0\n$$HATCHES/1,0\n"),
        (ReadLimits(max_points_per_layer=1), "$$LAYER/1\n$$HATCHES/1,1,0,0,0,0\n"),
        (ReadLimits(max_header_bytes=20), ""),
        (
            ReadLimits(max_build_styles=1),
            "$$LAYER/1\n$$POWER/1\n$$HATCHES/1,0\n$$POWER/2\n$$HATCHES/1,0\n",
        ),
    ],
)
def test_limits_hold(limits: ReadLimits, body: str) -> None:
    with pytest.raises(BuildFileError) as caught:
        open_build(_ascii(body), limits=limits).to_arrow()
    assert caught.value.facts["code"] == "limit_exceeded"


def test_what_is_declared_is_held_against_what_is_there() -> None:
    head = "$$LAYERS/5\n$$DIMENSION/0,0,0,1,1,0.5\n$$LAYERS\n"
    build = open_build(_ascii("$$LAYER/2\n$$HATCHES/1,0\n$$LAYER/1\n", head))
    assert [one.problem.split()[0] for one in build.warnings] == [
        "$$LAYERS",
        "$$LAYERS",
        "layer",
        "layer",
    ]
    quiet = open_build(_ascii("$$LAYER/0.5\n$$HATCHES/1,0\n$$LAYER/9\n", head.replace("5", "2", 1)))
    assert [one.problem.split()[0] for one in quiet.warnings] == ["$$LAYERS"]


@given(st.binary(max_size=64))
def test_anything_behind_the_magic_gives_an_answer(data: bytes) -> None:
    for head in (b"$$HEADERSTART", b"$$HEADERSTART$$BINARY$$UNITS/1$$HEADEREND"):
        whole = head + data
        native, reference = _or_error(_read, whole), _or_error(read_cli, whole)
        assert isinstance(native, BuildFileError) == isinstance(reference, BuildFileError)

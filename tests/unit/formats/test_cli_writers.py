"""What writers of CLI do beside the specification: the core and the plain reader agree."""

from __future__ import annotations

import struct

import pytest

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import BuildFile, open_build
from pbf_ray.formats.reference.cli import read_cli
from support.plain_builds import assert_equal_to_reference

TRIANGLE = "$$LAYER/0.1\n$$POLYLINE/1,1,3,0,0,1,0,1,1\n"


def _both(data: bytes) -> BuildFile:
    build = open_build(data)
    build.to_arrow()
    assert_equal_to_reference(build, read_cli(data))
    return build


def _ascii(body: str, head: str = "", unit: str = "1") -> bytes:
    return (
        f"$$HEADERSTART\n$$ASCII\n$$UNITS/{unit}\n{head}$$HEADEREND\n"
        f"$$GEOMETRYSTART\n{body}$$GEOMETRYEND\n"
    ).encode()


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("part 1", "part 1"),
        ('"part // 1"', "part // 1"),
        ("part//2", "part//2"),
        ("http://parts", "http://parts"),
        ("part // of the left // ", "part"),
        ("part// of the left //", "part"),
        ("// no name //", ""),
        ("a//b // note", "a//b"),
    ],
)
def test_two_slashes_in_a_label_are_text_unless_they_look_like_a_comment(
    label: str, name: str
) -> None:
    build = _both(_ascii(TRIANGLE, head=f"$$LABEL/1,{label}\n$$DATE/010203\n"))
    assert build.models["name"].to_pylist() == [name]
    assert len(build) == 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            f"{TRIANGLE}$$GEOMETRYEND\n$$GEOMETRYSTART\n{TRIANGLE}",
            "a further $$GEOMETRYSTART stands behind $$GEOMETRYEND: what follows is not read",
        ),
        (f"$$geometrystart\n{TRIANGLE}", "$$GEOMETRYSTART stands there twice"),
    ],
)
def test_a_second_geometry_is_no_secret(body: str, problem: str) -> None:
    data = _ascii(body)
    build = _both(data)
    [warning] = build.warnings
    assert (warning.code, warning.problem) == ("inconsistent", problem)
    assert data[warning.byte_offset :].upper().startswith(b"$$GEOMETRYSTART")
    assert len(build) == 1


LONG = struct.pack("<Hf", 127, 0.25) + struct.pack("<Hiii6f", 130, 1, 1, 3, 0, 0, 1, 0, 1, 1)
ALIGNED = struct.pack("<if", 127, 0.25) + struct.pack("<iiii6f", 130, 1, 1, 3, 0, 0, 1, 0, 1, 1)


@pytest.mark.parametrize(
    "padding",
    [b"", b"\n", b"\r\n", b"\0", b"\0\0\0", b"\r\n\0", b"\r\n$$GEOMETRYSTART\r\n", b"  \n"],
)
def test_binary_geometry_is_found_behind_padding(padding: bytes) -> None:
    head = b"$$HEADERSTART\n$$BINARY\n$$UNITS/1\n$$HEADEREND"
    build = _both(head + padding + LONG)
    assert build.z_mm.tolist() == [0.25]
    assert build.read_layer(0).coordinates["x_mm"].to_pylist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("junk", [b"", b"j", b"junk"])
@pytest.mark.parametrize("line", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("whole_file", [False, True])
def test_aligned_geometry_is_found_however_the_header_was_filled_up(
    junk: bytes, line: bytes, whole_file: bool
) -> None:
    # To a multiple of four bytes: of the header, as specified, or of the file.
    head = b"$$HEADERSTART\n$$BINARY\n$$UNITS/1\n$$ALIGN\n$$HEADEREND" + line
    filled = len(head) + (len(junk) if whole_file else 0)
    build = _both(junk + head + b"\0" * (-filled % 4) + ALIGNED)
    assert build.z_mm.tolist() == [0.25]
    assert build.read_layer(0).coordinates["y_mm"].to_pylist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("body", "unit"),
    [
        ("$$LAYER/100\r\n$$POLYLINE/1,1,3,0,0,1000,0,1000,1000\r\n", "00000000.001000"),
        ("$$LAYER/20\n$$POLYLINE/1,1,3,\n0,0,\n200,0,\n200,200\n", "0.005"),
        ("$$LAYER/+1e-1\n$$POLYLINE/1,1,3,+0,0,1E0,0,1.0e+00,1\n", "1"),
        ("$$LAYER / 0.1\n$$POLYLINE /1 , 1, 3 ,0 ,0 , 1,0,\t1,1\n", "1"),
        ("$$layer/0.1\r$$polyline/1,1,3,0,0,1,0,1,1\r", "1"),
        ("$$LAYER/0.1 $$POLYLINE/1.0,1.0,3.0,0,0,1,0,1,1,", "1 mm"),
        ("$$LAYER/0.1\n$$POLYLINE/1,2,3,0,0,1,0,1,1\n", "1.0"),
    ],
)
def test_numbers_as_different_writers_write_them(body: str, unit: str) -> None:
    build = _both(b"\xef\xbb\xbf" + _ascii(body, unit=unit))
    assert build.z_mm.tolist() == pytest.approx([0.1])
    coordinates = build.read_layer(0).coordinates
    assert coordinates["x_mm"].to_pylist() == [0.0, 1.0, 1.0]
    assert coordinates["y_mm"].to_pylist() == [0.0, 0.0, 1.0]


def test_geometries_without_points_are_geometries() -> None:
    build = _both(_ascii("$$LAYER/1\n$$POLYLINE/1,1,0\n$$POLYLINE/2,1,0,\n$$HATCHES/3,0\n"))
    assert build.read_layer(0).geometries["model_id"].to_pylist() == [1, 2, 3]
    assert build.read_layer(0).coordinates.num_rows == 0


def test_short_coordinates_of_a_huge_unit_are_read_if_they_are_finite() -> None:
    # The largest value there could be is not: only those that are there count.
    head = b"$$HEADERSTART\n$$BINARY\n$$UNITS/1e36\n$$HEADEREND"
    layer = struct.pack("<HH", 128, 1)
    fits = struct.pack("<HHHH4h", 129, 1, 1, 2, 0, 1, 300, -300)
    build = _both(head + layer + fits)
    assert build.read_layer(0).coordinates.num_rows == 2
    large = struct.pack("<HHHH4h", 129, 1, 1, 2, 0, 1, 400, -400)
    with pytest.raises(BuildFileError, match="not a finite number") as caught:
        open_build(head + layer + large).read_layer(0)
    assert caught.value.byte_offset == len(head + layer) + 8 + 4

"""CLI files as writers make them, and as they might: bytes drawn by Hypothesis."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st

HEADER_END = b"$$HEADEREND"
Draw = Any

numbers = st.one_of(
    st.integers(-99_999, 99_999).map(str),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: f"{value:.5f}"),
    st.floats(-1e6, 1e6, allow_nan=False).map(repr),
    st.floats(-1e36, 1e36).map(lambda value: f"{value:.30f}"),
    st.sampled_from(["-0.0", "+.5", "7.", "00000000.005000", "1e3", "-2.5E-7", "1e-400", "0e999"]),
    st.text("0123456789", min_size=15, max_size=40).map(lambda digits: "0." + digits),
)
blanks = st.sampled_from(
    [b"", b"\n", b"\r\n", b" ", b"\t\n\n", b"// a remark // ", b"\n//x\n$$LAYER/1//"]
)
units = st.sampled_from(["1", "00000000.005000", "0.01", "0.001000 ", "1.000000000000000", "25.4"])


@st.composite
def headers(draw: Draw, *, binary: bool, align: bool = False) -> bytes:
    """A header up to its end; required commands are there, the others in any order."""
    end = draw(st.sampled_from([b"\n", b"\r\n", b" \n"]))
    lines = [b"$$BINARY" if binary else b"$$ASCII", b"$$UNITS/" + draw(units).encode()]
    if align:
        lines.append(b"$$ALIGN")
    data = draw(st.binary(max_size=12))
    optional = [
        b"$$VERSION/200",
        b"$$DATE/20240702",
        b'$$LABEL/1,"part, one"',
        b"$$LABEL/7,plain, with comma ",
        b"$$LABEL/no label",
        b"$$DIMENSION/-0000004.938700,-0.0,00000003.030000,0049.945004,0068.654007,00000030.299999",
        b"$$DIMENSION/1,2",
        b"$$LAYERS/000100",
        b"$$CREATOR/someone",
        b"// $$UNITS/9 //",
        b"// over\nlines // $$STRANGE",
        b"$$USERDATA/me, %d,%s" % (len(data), data),
    ]
    lines += draw(st.lists(st.sampled_from(optional), max_size=6))
    order = draw(st.permutations(lines))
    junk = draw(st.sampled_from([b"", b"junk $$ // \n", b"\xef\xbb\xbf"]))
    return junk + b"$$HEADERSTART" + end + end.join(order) + end + HEADER_END


@st.composite
def ascii_files(draw: Draw) -> bytes:
    """ASCII files, CLI+ among them."""
    parts = [draw(headers(binary=False)), b"\n$$GEOMETRYSTART", draw(blanks)]
    state = [
        b"$$POWER/100.0\n",
        b"$$POWER/1e2\n",
        b"$$SPEED/200\n",
        b"$$FOCUS/-1.5\n",
        b"$$PARAM/jump_speed, double, 5000.0\n",
        b"$$PARAM/jump_delay,double,many\n",
        b"$$PARAM/spot_diameter, double, 0.070",
        b"$$PARAM/mode,fast\n",
    ]
    parts += draw(st.lists(st.sampled_from(state), max_size=2))
    for _ in range(draw(st.integers(0, 4))):
        parts += [
            b"$$LAYER/",
            draw(blanks),
            draw(numbers).encode(),
            draw(st.sampled_from([b"\n", b" "])),
        ]
        for _ in range(draw(st.integers(0, 3))):
            parts += draw(st.lists(st.sampled_from(state), max_size=2))
            parts += [draw(blanks), draw(ascii_geometries()), draw(blanks)]
    parts.append(
        draw(st.sampled_from([b"$$GEOMETRYEND", b"$$GEOMETRYEND\njunk $$LAYER/3 //", b"\n"]))
    )
    return b"".join(parts)


@st.composite
def ascii_geometries(draw: Draw) -> bytes:
    contour = draw(st.booleans())
    count = draw(st.integers(0, 5))
    values = draw(st.lists(numbers, min_size=count * 4, max_size=count * 4))
    points = count * 2 if contour else count
    if contour and points and draw(st.booleans()):
        values[-2:] = values[:2]
    ids = [str(draw(st.integers(-(2**31) + 1, 2**31 - 1)))]
    ids += [str(draw(st.integers(0, 2)))] if contour else []
    comma = draw(st.sampled_from([",", ",", " ,\n", "// a, b //,"]))
    words = [*ids, str(points), *values]
    return (b"$$POLYLINE/" if contour else b"$$HATCHES/") + comma.join(words).encode()


floats = st.floats(-1e6, 1e6, width=32)


@st.composite
def binary_files(draw: Draw) -> bytes:
    """Binary files: long and short commands mixed, with and without ALIGN."""
    align = draw(st.booleans())
    header = draw(headers(binary=True, align=align))
    start = header.find(b"$$HEADERSTART")
    if align:
        header += b"\0" * (-(len(header) - start) % 4)
    else:
        header += draw(st.sampled_from([b"", b"", b"\n", b"\r\n"]))

    def item(code: str, value: float) -> bytes:
        packed = struct.pack("<" + code, value)
        return packed + b"\0" * (4 - len(packed) if align else 0)

    parts = [header]
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            parts += [item("H", 127), item("f", draw(floats))]
        else:
            parts += [item("H", 128), item("H", draw(st.integers(0, 65535)))]
        for _ in range(draw(st.integers(0, 3))):
            opcode = draw(st.integers(129, 132))
            contour, short = opcode < 131, opcode in (129, 131)
            code = "H" if short else "i"
            least, most = (0, 65535) if short else (-(2**31) + 1, 2**31 - 1)
            count = draw(st.integers(0, 5))
            each = 2 if contour else 4
            value = st.integers(0, 65535) if short else floats
            values = draw(st.lists(value, min_size=count * each, max_size=count * each))
            parts += [item("H", opcode), item(code, draw(st.integers(least, most)))]
            parts += [item(code, 1)] if contour else []
            parts += [
                item(code, count),
                struct.pack(f"<{len(values)}{'H' if short else 'f'}", *values),
            ]
    parts.append(draw(st.sampled_from([b"", b"", b"\0\0", b"\r\n", b"$$GEOMETRYEND\n"])))
    return b"".join(parts)


cli_files = st.one_of(ascii_files(), binary_files())


@st.composite
def damaged(draw: Draw, files: st.SearchStrategy[bytes]) -> bytes:
    """A file of which a byte is another, some are missing, or the end is."""
    data = draw(files)
    at = draw(st.integers(0, max(0, len(data) - 1)))
    how = draw(st.sampled_from(["cut", "drop", "byte", "insert"]))
    if how == "cut":
        return data[:at]
    if how == "drop":
        return data[:at] + data[at + draw(st.integers(1, 8)) :]
    other = bytes([draw(st.integers(0, 255))])
    return data[:at] + other + data[at + (how == "byte") :]

"""MTT and SLM: the worked real header, read as the reference reads, damage, recovery, limits."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import ReadLimits, open_build
from pbf_ray.formats.reference.tlv import read_tlv
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
from support.tlv_bytes import floats, number, section, utf16

IDS = {"model_id": 1, "build_style_id": 2}
SMALL = [
    Layer(0.03, [contour((0, 0), (1, 0), (1, 1), (0, 0), **IDS), hatch((0.1, 0.1), (0.9, 0.1))]),
    Layer(0.06, []),
    Layer(0.09, [Geometry("points", points((2, -2), (3, 3)), **IDS), contour(**IDS)]),
]
HEAD = header(
    models=[{"model_id": 1, "name": "Würfel 😀", "top_layer": 2}],
    build_styles=[
        {"model_id": 1, "build_style_id": 2, "laser_power_w": 200.0, "speed_mm_s": 812.5,
         "focus_mm": 0.1, "exposure_time_us": 40.0, "point_distance_um": 65.0}
    ],
)  # fmt: skip


@pytest.fixture(scope="module")
def small() -> bytes:
    data, lost = written("mtt", SMALL, HEAD)
    assert not lost
    return data


def test_the_header_of_a_real_file(tmp_path: Path) -> None:
    # The facts of docs/formats.md: lengths, places, forms of numbers of a QuantAM 6 file.
    def model(number_: int, name: str, length: int) -> bytes:
        payload = section(6, bytes([number_])) + section(7, utf16(name))
        rest = length - len(payload)
        return section(5, payload + section(60, bytes(rest - 4), 1))

    names = ["a" * 38, "b" * 37]
    payload = (
        b"\x02\x0eMTT-LayerFile\0" + b"\x03\x02\x01\x02" + b"\x1b\x02\x23\xe8"
        + b"\x04\x08\xe0\x00\x00\x00\x13\x77\x8e\xd4"
        + model(1, names[0], 235) + model(2, names[1], 233)
    )  # fmt: skip
    head = b"\x01" + bytes.fromhex("e0000000000001fc") + payload
    assert (len(payload), len(head)) == (508, 517)
    assert head.index(utf16(names[0])) == 0x34
    assert head.index(utf16(names[1])) == 0x122
    table_at, size = 326_602_452, 326_629_158
    layers = [section(10, b""), section(10, section(12, section(20, floats(0, 1, 2, 3))))]
    entries = [
        section(9, section(23, number(at, 7)) + section(24, number(z)))
        for at, z in ((517, 50), (517 + len(layers[0]), 100))
    ]
    place = tmp_path / "real.mtt"
    with place.open("wb") as file:  # a file with a hole: it takes no room
        file.write(head + layers[0] + layers[1])
        file.seek(table_at)
        file.write(section(8, b"".join(entries), 7))
        file.truncate(size)
    build = open_build(place)
    assert (build.format, len(build)) == ("mtt", 2)
    assert build.metadata == {
        "file_ident": "MTT-LayerFile",
        "version": "1.2",
        "z_units_per_mm": "1000",
    }
    assert build.models["name"].to_pylist() == names
    assert build.models["model_id"].to_pylist() == [1, 2]
    raw = build.models["raw_tags"].to_pylist()
    assert [(one[0]["path"], one[0]["byte_offset"]) for one in raw] == [
        ("header/model/60", 0x34 + 78),
        ("header/model/60", 0x122 + 76),
    ]
    assert plain_layers(read_layers(build)) == plain_layers(
        [Layer(0.05, []), Layer(0.1, [hatch((0, 1), (2, 3))])]
    )
    assert build.read_layer(1).coordinates.num_rows == 2


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
ids = st.none() | st.integers(0, 2**31 - 1)
texts = st.text(
    st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=6
)  # NUL ends text


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    kind = draw(st.sampled_from(["hatch", "contour", "points"]))
    rows = draw(st.lists(st.tuples(finite, finite), max_size=6))
    if kind == "hatch":
        rows = rows[: len(rows) // 2 * 2]
    elif kind == "contour" and rows and draw(st.booleans()):
        rows = [*rows, rows[0]]
    closed = len(rows) > 2 and rows[0] == rows[-1] if kind == "contour" else None
    model_id = draw(ids)
    style = None if model_id is None else draw(st.integers(0, 2**31 - 1))
    return Geometry(kind, points(*rows), closed, model_id, style)


@st.composite
def builds(draw: st.DrawFn) -> tuple[list[Layer], dict, str]:
    heights = draw(st.lists(st.integers(0, 2**40), max_size=4))
    layers = [Layer(z / 1000, draw(st.lists(geometries(), max_size=3))) for z in sorted(heights)]
    number_ = st.none() | st.integers(0, 2**50).map(float)
    float_ = st.none() | finite.map(lambda value: float(str(points((value, 0))[0, 0])))
    models, styles = [], []
    for model_id in draw(st.lists(st.integers(0, 2**31 - 1), max_size=2, unique=True)):
        models.append(
            {"model_id": model_id, "name": draw(texts), "top_layer": draw(st.none() | st.just(7))}
        )
        for style_id in draw(st.lists(st.integers(0, 99), max_size=2)):
            style = {
                "model_id": model_id, "build_style_id": style_id, "description": draw(texts),
                "laser_power_w": draw(float_), "speed_mm_s": draw(float_), "focus_mm": draw(float_),
                "exposure_time_us": draw(number_), "point_distance_um": draw(number_),
            }  # fmt: skip
            styles.append(style)
    variant = draw(st.sampled_from(["mtt", "slm"]))
    return layers, header(format=variant, models=models, build_styles=styles), variant


def test_a_large_float32_is_the_shortest_decimal_too() -> None:
    style = {"model_id": 1, "build_style_id": 1, "focus_mm": 81698610.0, "laser_power_w": 1e30}
    head = header(
        format="mtt",
        models=[{"model_id": 1, "name": "", "top_layer": None}],
        build_styles=[style],
    )
    data, _ = written("mtt", [], head)
    (found,) = open_build(data).header["build_styles"]
    assert (found["focus_mm"], found["laser_power_w"]) == (81698610.0, 1e30)
    assert_equal_to_reference(open_build(data), read_tlv(data))


@given(builds(), st.sampled_from(["short", "long"]))
def test_what_is_written_comes_back_to_the_bit(
    build: tuple[list[Layer], dict, str], lengths: str
) -> None:
    layers, head, variant = build
    data, lost = written(variant, layers, head, {"lengths": lengths})
    assert not lost
    read = open_build(data)
    assert (read.format, read.warnings) == (variant, ())
    assert plain_layers(read_layers(read)) == plain_layers(layers)
    assert [
        {key: one[key] for key in ("model_id", "name", "top_layer")}
        for one in read.header["models"]
    ] == [{key: one[key] for key in ("model_id", "name", "top_layer")} for one in head["models"]]
    for found, given_ in zip(read.header["build_styles"], head["build_styles"], strict=True):
        assert found == given_
    assert_equal_to_reference(read, read_tlv(data))
    again, lost = written(variant, read_layers(read), read.header, {"lengths": lengths})
    assert (again, lost) == (data, [])


@st.composite
def strange_files(draw: st.DrawFn) -> bytes:
    """Valid files as no writer makes them: any form of number, any order, unknown tags."""
    any_form = st.none() | st.integers(3, 7)

    def some(tag: int, payload: bytes) -> bytes:
        return section(tag, payload, draw(any_form))

    def shuffled(*parts: bytes) -> bytes:
        unknown = [some(draw(st.sampled_from([30, 38, 99, 5000])), b"?")] * draw(st.integers(0, 1))
        return b"".join(draw(st.permutations([*parts, *unknown])))

    def geometry() -> bytes:
        outer, inner, size = draw(st.sampled_from([(11, 19, 2), (12, 20, 4), (28, 29, 2)]))
        values = draw(st.lists(finite, max_size=9))
        values = values[: len(values) // size * size]
        parts = [some(inner, floats(*values))] * draw(st.integers(0, 2))
        if draw(st.booleans()):
            parts.append(some(18, number(draw(st.integers(0, 40))) + number(3, 2)))
        return some(outer, shuffled(*parts))

    style = some(13, shuffled(some(14, number(3)), some(15, floats(900.5)), some(25, number(60))))
    model = some(5, shuffled(some(6, number(1)), some(7, utf16("part")), style, some(22, b"\1")))
    layers = [some(10, shuffled(*(geometry() for _ in range(draw(st.integers(0, 2))))))
              for _ in range(draw(st.integers(0, 3)))]  # fmt: skip
    parts = [some(2, b"x-File\0"), some(3, b"\1\2"), some(27, number(1000)), model,
             section(4, number(0, 7)),
             some(44, shuffled(some(45, utf16("processor"))))]  # fmt: skip
    beside = some(41, some(43, number(5)) + some(35, utf16("key=value")))
    order = draw(st.permutations(parts))
    table_entry = b""
    start = b"\1" + number(sum(map(len, order)), 7)
    position = len(start) + sum(map(len, order)) + len(beside)
    for place, layer in enumerate(layers):
        z = some(24, number(30 * place + 30))
        table_entry += some(9, shuffled(some(23, number(position)), z))
        position += len(layer)
    found = section(4, number(position, 7))
    head = start + b"".join(found if part[:2] == b"\4\10" else part for part in order)
    return head + beside + b"".join(layers) + some(8, table_entry)


@given(strange_files())
def test_files_that_no_writer_makes_are_read_as_the_reference_reads_them(data: bytes) -> None:
    build = open_build(data, format="tlv")
    assert_equal_to_reference(build, read_tlv(data))
    assert build.metadata["build_info"] == "5"
    assert build.z_mm.tolist() == [(30 * place + 30) / 1000 for place in range(len(build))]
    assert open_build(data, format="tlv", on_damage="skip").damage == ()


def _outcome_native(data: bytes) -> tuple[str, int] | None:
    try:
        open_build(data, format="tlv").to_arrow()
    except BuildFileError as error:
        return error.code, error.byte_offset
    return None


def _outcome_reference(data: bytes) -> tuple[str, int] | None:
    try:
        read_tlv(data)
    except BuildFileError as error:
        return error.code, error.byte_offset
    return None


def test_cut_off_anywhere_it_says_so_and_keeps_the_layers_before(small: bytes) -> None:
    whole = open_build(small)
    places = zip(
        whole.layers["byte_offset"].to_pylist(), whole.layers["byte_size"].to_pylist(), strict=True
    )
    ends = [at + size for at, size in places]
    expected = plain_layers(Layer(None, layer.geometries) for layer in SMALL)
    for length in range(1, len(small)):
        cut = small[:length]
        outcome = _outcome_native(cut)
        assert outcome == _outcome_reference(cut)
        assert outcome is not None
        assert outcome[0] == "truncated"
        try:
            build = open_build(cut, format="tlv", on_damage="skip")
        except BuildFileError:
            assert length < 9  # of the header not even its length
            continue
        assert build.damage
        assert build.damage[0].code == "truncated"
        kept = [end for end in ends if end <= length]
        layers = read_layers(build)[: len(kept)]
        assert len(layers) == len(kept)
        # Heights are gone with the table; as much of that as is left is used.
        bare = plain_layers(Layer(None, layer.geometries) for layer in layers)
        assert bare == expected[: len(kept)]
        assert all(
            layer.z_mm in {None, want.z_mm} for layer, want in zip(layers, SMALL, strict=False)
        )


@given(st.data())
def test_damaged_bytes_give_what_the_reference_gives(small: bytes, data: st.DataObject) -> None:
    damaged = bytearray(small)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(1, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    outcome = _outcome_reference(bytes(damaged))
    if outcome != ("bad_header", 0):  # no table: the core reads on
        assert _outcome_native(bytes(damaged)) == outcome
    if outcome is None:
        build = open_build(bytes(damaged), format="tlv")
        assert_equal_to_reference(build, read_tlv(bytes(damaged)))
    if damaged[:9] == small[:9]:  # what tells how long the header is
        open_build(bytes(damaged), format="tlv", on_damage="skip").to_arrow()


def test_without_a_table_the_layers_are_found_and_their_heights_are_not() -> None:
    data, _ = written("mtt", SMALL, HEAD)
    index = open_build(data).layers
    first = index["byte_offset"].to_pylist()[0]
    end = first + sum(index["byte_size"].to_pylist())
    # A header without tag 4 does not say that there is a table; as long as the one before.
    known = section(2, b"MTT-LayerFile\0") + section(27, number(1000))
    head = section(1, known + section(99, bytes(first - 9 - len(known) - 4), 1), 7)
    assert len(head) == first
    build = open_build(head + data[first:end])
    assert [one.code for one in build.warnings] == ["bad_header"]
    assert build.layers["z_mm"].to_pylist() == [None, None, None]
    layers = [Layer(None, layer.geometries) for layer in SMALL]
    assert plain_layers(read_layers(build)) == plain_layers(layers)
    # A table that is met behind the layers has their heights.
    assert plain_layers(read_layers(open_build(head + data[first:]))) == plain_layers(SMALL)


def test_a_table_that_is_not_where_the_header_says_is_found(small: bytes) -> None:
    at = small.index(b"\4\10\xe0") + 9
    damaged = small[:at] + bytes([small[at] ^ 1]) + small[at + 1 :]
    with pytest.raises(BuildFileError, match="and it does not") as raised:
        open_build(damaged)
    assert (raised.value.code, raised.value.byte_offset) == ("bad_offset", at - 9)
    build = open_build(damaged, on_damage="skip")
    assert [one.code for one in build.damage] == ["bad_offset"]
    assert plain_layers(read_layers(build)) == plain_layers(SMALL)


def test_a_layer_whose_length_is_wrong_leaves_the_others(small: bytes) -> None:
    middle = open_build(small).layers["byte_offset"].to_pylist()[1]
    damaged = small[: middle + 1] + b"\x1f" + small[middle + 2 :]
    with pytest.raises(BuildFileError):
        open_build(damaged).to_arrow()
    build = open_build(damaged, on_damage="skip")
    tables = build.to_arrow()
    assert [one.layer for one in tables.damage] == [1]
    found = read_layers(build)
    assert plain_layers([found[0], found[2]]) == plain_layers([SMALL[0], SMALL[2]])


def test_a_layer_that_the_table_names_twice_is_refused() -> None:
    # Or a small table could ask for one large layer again and again.
    head = section(1, section(27, number(1000)) + section(4, number(29, 7)), 7)
    layer = section(10, section(11, section(19, b"")))
    table = len(head) + len(layer)
    head = section(1, section(27, number(1000)) + section(4, number(table, 7)), 7)
    entry = section(9, section(23, number(len(head))) + section(24, b"\5"))
    data = head + layer + section(8, entry * 2)
    with pytest.raises(BuildFileError, match="begins within layer 0") as raised:
        open_build(data)
    assert (raised.value.code, raised.value.byte_offset) == (
        "inconsistent",
        table + 2 + len(entry),
    )
    build = open_build(data, on_damage="skip")
    assert build.layers["z_mm"].to_pylist() == [0.005]


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        (section(11, section(19, floats(1, 2, 3))), "bad_count"),
        (section(12, section(20, floats(1, 2))), "bad_count"),
        (section(12, section(19, floats(1, 2))), "bad_command"),
        (section(11, section(19, floats(1, float("nan")))), "bad_number"),
        (section(11, section(18, number(2**31) + b"\1")), "bad_number"),
        (section(11, section(18, b"\1")), "truncated"),
        (b"\x0b\x05", "truncated"),
    ],
)
def test_what_a_layer_can_have_wrong(inner: bytes, code: str) -> None:
    layer = section(10, inner)
    head = b"\1" + number(14, 7) + section(27, number(1000))
    table = 9 + 14 + len(layer)
    data = head + section(4, number(table, 7)) + layer
    data += section(8, section(9, section(23, number(23)) + section(24, b"\5")))
    build = open_build(data)
    with pytest.raises(BuildFileError) as raised:
        build.read_layer(0)
    assert raised.value.code == code
    assert 23 <= raised.value.byte_offset <= table
    assert _outcome_reference(data) == (code, raised.value.byte_offset)


def test_unknown_tags_are_kept_and_shown_and_written_again() -> None:
    model = {"model_id": 1, "raw_tags": [("header/model/48", 0, b"\3")]}
    style = {
        "model_id": 1, "build_style_id": 2,
        "raw_tags": [("header/model/build_style/33", 0, b"\1\2")],
    }  # fmt: skip
    head = header(
        format="slm", models=[model], build_styles=[style], raw_tags=[("header/31", 0, b"abc")]
    )
    data, lost = written("slm", SMALL, head)
    assert not lost
    read = open_build(data)
    where = data.index(b"\x1f\3abc")
    assert read.header["raw_tags"] == [("header/31", where, b"abc")]
    assert read.header["models"][0]["raw_tags"][0][2] == b"\3"
    assert read.build_styles["raw_tags"].to_pylist()[0][0] == {
        "path": "header/model/build_style/33",
        "byte_offset": data.index(b"\x20\x21\2\1\2"),
        "bytes": b"\1\2",
    }
    assert written("slm", SMALL, read.header)[0] == data
    # Of layers, one of each kind is shown.
    inner = section(12, section(31, b"x") + section(20, b"")) + section(33, b"yy")
    layer = section(10, inner)
    bare = section(1, section(27, number(1000)), 7)
    shown = open_build(bare + layer * 3).header["raw_tags"]
    at = len(bare) + 4
    assert shown == [("layer/12/31", at, b"x"), ("layer/33", at + 5, b"yy")]


def test_mtt_and_slm_are_told_apart() -> None:
    def format_of(*parts: bytes) -> str:
        return open_build(section(1, b"".join(parts), 7), format="tlv").format

    assert format_of(section(2, b"mtt-layerfile")) == "mtt"
    assert format_of(section(2, b"SLM file\0")) == "slm"
    assert format_of(section(2, b"other"), section(42, b"uid")) == "slm"
    assert format_of(section(2, b"MTT-LayerFile\0"), section(42, b"uid")) == "mtt"
    assert format_of(section(2, b"other")) == "mtt"


@pytest.mark.parametrize("form", ["number", "little", "big", "wrong"])
def test_the_checksum_is_looked_at(small: bytes, form: str) -> None:
    value = zlib.crc32(small)
    payload = {
        "number": number(value, 4),
        "little": value.to_bytes(4, "little"),
        "big": value.to_bytes(4, "big"),
        "wrong": number(value ^ 1, 4),
    }[form]
    build = open_build(small + section(21, payload))
    assert plain_layers(read_layers(build)) == plain_layers(SMALL)
    if form == "wrong":
        assert [one.code for one in build.warnings] == ["inconsistent"]
        assert build.metadata["checksum"] == "not understood"
    else:
        assert build.warnings == ()
        assert build.metadata["checksum"] == "CRC-32 of everything before it"


def test_odd_text_and_numbers_are_warnings() -> None:
    model = section(6, number(1)) + section(7, b"a\0\0\xd8b\0\0\0") + section(22, b"")
    style = section(13, section(14, b"\1") + section(15, b"xx") + section(16, floats(float("inf"))))
    build = open_build(section(1, section(5, model + style), 7), format="tlv")
    assert [one.code for one in build.warnings][:4] == [
        "bad_text", "bad_number", "bad_number", "bad_number"
    ]  # fmt: skip
    assert build.models["name"].to_pylist() == ["a\ufffdb"]
    assert build.build_styles["laser_power_w"].to_pylist() == [None]


def test_limits(small: bytes) -> None:
    for limits in (
        ReadLimits(max_layers=2),
        ReadLimits(max_models=0),
        ReadLimits(max_build_styles=0),
        ReadLimits(max_header_bytes=30),
        ReadLimits(max_nesting=2),
    ):
        with pytest.raises(BuildFileError) as raised:
            open_build(small, limits=limits, on_damage="skip")
        assert raised.value.code == "limit_exceeded"
    for limits in (ReadLimits(max_geometries_per_layer=1), ReadLimits(max_points_per_layer=5)):
        with pytest.raises(BuildFileError) as raised:
            open_build(small, limits=limits).read_layer(0)
        assert raised.value.code == "limit_exceeded"


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        ([Layer(-0.03, [])], "whole numbers from 0"),
        ([Layer(0.1, []), Layer(None, [])], "layer 1 has no height"),
        ([Layer(0.0, [contour((1, 1), model_id=-1)])], "none below 0"),
        ([Layer(0.0, [hatch((1, 1))])], "each vector has two"),
        ([Layer(0.0, [contour((float("inf"), 1))])], "not finite"),
    ],
)
def test_what_the_container_cannot_hold_is_refused(layers: list[Layer], problem: str) -> None:
    from pbf_ray.formats._core import NativeFormatError

    with pytest.raises(NativeFormatError, match=problem) as raised:
        written("mtt", layers)
    assert raised.value.args[0] == "not_representable"


def test_what_is_only_left_out_is_named() -> None:
    layers = [
        Layer(0.0305, [Geometry("jump", points((0, 0), (1, 1)))]),
        Layer(1.0, [contour((1, 1), model_id=3, laser_id=1), hatch(build_style_id=3)]),
    ]
    head = header(
        models=[{"model_id": None}, {"model_id": 1}],
        build_styles=[
            {"model_id": 9, "build_style_id": 1},
            {"model_id": 1, "build_style_id": 1, "name": "core", "jump_speed_mm_s": 5000.0},
        ],
        raw_tags=[("USERDATA/1", 0, b"x")],
    )
    data, lost = written("mtt", layers, head)
    assert lost == [
        "the raw tag USERDATA/1",
        "models without an id",
        "names of build styles",
        "delays, jumps, spot size and further parameters of build styles",
        "build styles of no model",
        "heights of layers between whole units",
        "jumps",
        "which laser a geometry belongs to",
        "that geometries have no build style: it is 0 now",
        "build styles of geometries without a model",
    ]
    assert [one.model_id for one in read_layers(open_build(data))[1].geometries] == [3, None]
    fine, lost = written("mtt", layers[:1], options={"z_units_per_mm": "10000"})
    assert lost == ["jumps"]
    assert open_build(fine).z_mm.tolist() == [0.0305]

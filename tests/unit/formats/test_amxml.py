"""Scan XML (America Makes / OASIS): the standard library's parser is the other opinion."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import ReadLimits, open_build
from support.build_rows import Row, rows_of
from support.scan_xml import expected_rows, segment

PROFILES = (
    "<VelocityProfileList>"
    "<VelocityProfile><ID>mark</ID><Velocity>800</Velocity><Mode>Delay</Mode>"
    "<JumpDelay>300</JumpDelay><PolygonDelay>7</PolygonDelay></VelocityProfile>"
    "<VelocityProfile><ID>jump</ID><Velocity>5000</Velocity><JumpDelay>10</JumpDelay>"
    "</VelocityProfile></VelocityProfileList>"
)


def style(name: str, *travelers: str, profile: str = "mark") -> str:
    """A segment style as text; a traveler is its ID."""
    inner = "".join(
        f"<Traveler><ID>{one}</ID><SyncDelay>0</SyncDelay><Power>195</Power>"
        f"<SpotSize>50</SpotSize></Traveler>"
        for one in travelers
    )
    return (
        f"<SegmentStyle><ID>{name}</ID><VelocityProfileID>{profile}</VelocityProfileID>"
        f"{inner}</SegmentStyle>"
    )


STYLES = (
    "<SegmentStyleList>"
    + style("one", "a")
    + style("two", "b")
    + style("both", "b", "a")
    + style("off", profile="jump")
    + "</SegmentStyleList>"
)


def path(*segments: str, kind: str = "hatch", tag: str = "cube", count: int | None = None) -> str:
    return (
        f"<Path><Type>{kind}</Type><Tag>{tag}</Tag>"
        f"<NumSegments>{len(segments) if count is None else count}</NumSegments>"
        f"<Start><X>0</X><Y>0</Y></Start>{''.join(segments)}</Path>"
    )


def layer(*paths: str, styles: str = STYLES, profiles: str = PROFILES) -> str:
    return (
        "<Layer><Header><LayerNum>3</LayerNum><AbsoluteHeight>0.15</AbsoluteHeight></Header>"
        f"{profiles}{styles}<TrajectoryList><Trajectory><TrajectoryID>1</TrajectoryID>"
        f"{''.join(paths)}</Trajectory></TrajectoryList></Layer>"
    )


def summary(rows: list[Row]) -> list[tuple[str, int, int | None, int | None]]:
    return [(row.kind, row.count, row.build_style_id, row.laser_id) for row in rows]


def code_of(content: str | bytes, **options: object) -> tuple[str, int]:
    raw = content.encode() if isinstance(content, str) else content
    with pytest.raises(BuildFileError) as caught:
        open_build(raw, format="amxml", **options).to_arrow()
    return caught.value.facts["code"], caught.value.facts["byte_offset"]


def read(content: str) -> list[Row]:
    return rows_of(open_build(content.encode()))


@pytest.mark.parametrize(
    ("name", "kinds", "points", "z_mm", "models"),
    [
        # Points: of hatches two a segment, of others one more than segments.
        ("scan_01", {"hatch": 100, "contour": 13, "jump": 106}, 597, 0.05, 5),
        ("scan_005", {"contour": 24, "jump": 23}, 1542, 0.25, 1),
        ("layer_01", {"contour": 9}, 96, None, 5),
    ],
)
def test_real_files(
    shared_data: Path,
    name: str,
    kinds: dict[str, int],
    points: int,
    z_mm: float | None,
    models: int,
) -> None:
    (file,) = (shared_data / "build_files" / "amsxml").glob(f"*{name}.xml")
    build = open_build(file)
    rows = rows_of(build)
    assert rows == expected_rows(file.read_bytes())
    assert {kind: sum(row.kind == kind for row in rows) for kind in kinds} == kinds
    assert sum(row.count for row in rows) == points
    assert build.layers["z_mm"].to_pylist() == [z_mm]
    assert (build.models.num_rows, build.warnings, build.damage) == (models, (), ())
    assert (build.format, len(build)) == ("amxml", 1)


def test_segments_with_the_laser_off(shared_data: Path) -> None:
    """141 of the 378 segments of the first example move with the laser off."""
    (file,) = (shared_data / "build_files" / "amsxml").glob("*Example_1*scan_01.xml")
    rows = rows_of(open_build(file))
    segments = {
        kind: sum(
            row.count // 2 if kind == "hatch" else row.count - 1 for row in rows if row.kind == kind
        )
        for kind in ("hatch", "contour", "jump")
    }
    assert (segments["jump"], sum(segments.values())) == (141, 378)
    # Six paths of two outlines with a jump between, one of one outline: all are closed.
    assert [row.closed for row in rows if row.kind == "contour"] == [True] * 13


def test_the_bounding_box_of_a_real_file(shared_data: Path) -> None:
    (file,) = (shared_data / "build_files" / "amsxml").glob("*scan_005.xml")
    text = file.read_text()
    x = [float(part.split("</X>")[0]) for part in text.split("<X>")[1:]]
    y = [float(part.split("</Y>")[0]) for part in text.split("<Y>")[1:]]
    coordinates = open_build(file).to_arrow().coordinates
    found = [coordinates[name].to_numpy() for name in ("x_mm", "y_mm")]
    assert [(c.min(), c.max()) for c in found] == [
        (pytest.approx(min(c)), pytest.approx(max(c))) for c in (x, y)
    ]


def test_build_styles_of_a_real_file(shared_data: Path) -> None:
    (file,) = (shared_data / "build_files" / "amsxml").glob("*Example_1*scan_01.xml")
    styles = open_build(file).build_styles.to_pylist()
    assert len(styles) == 9 + 7  # travelers, and styles without one
    by_name = {(one["name"], one["laser_id"]): one for one in styles}
    lead, trail = by_name["cocr_followme", 2], by_name["cocr_followme", 1]
    assert (lead["laser_power_w"], lead["spot_size_um"], lead["speed_mm_s"]) == (222, 80, 1200)
    assert (trail["laser_power_w"], trail["jump_delay_us"]) == (130, 400)
    assert dict(lead["parameters"])["WobbleFreq"] == "3000"
    assert dict(trail["parameters"])["SyncDelay"] == "70"
    jump = by_name["Auto-generated10", None]
    assert (jump["laser_power_w"], jump["speed_mm_s"], jump["jump_speed_mm_s"]) == (
        None,
        None,
        4000,
    )


def test_runs_of_segments() -> None:
    """Consecutive segments of a style are one geometry; each begins where the last one ended."""
    segments = [
        segment(name, x, y)
        for name, x, y in [
            ("off", 1, 0), ("one", 2, 0), ("one", 3, 0), ("off", 3, 1), ("two", 0, 1),
            ("both", 1, 1), ("off", 5, 5),
        ]
    ]  # fmt: skip
    content = layer(path(*segments), path(*segments, kind="Contour", tag="cone"))
    rows = read(content)
    assert rows == expected_rows(content)
    assert summary(rows[:7]) == [
        ("jump", 2, 4, None),  # nobody says which laser jumps first
        ("hatch", 4, 0, 1),
        ("jump", 2, 4, 1),  # the one that exposed last
        ("hatch", 2, 1, 2),
        ("hatch", 2, 2, 2),  # follow-me: once per laser
        ("hatch", 2, 3, 1),
        ("jump", 2, 4, None),
    ]
    assert {row.model_id for row in rows[:7]} == {0}
    assert [row.kind for row in rows[7:]] == [
        "jump" if row.kind == "jump" else "contour" for row in rows[:7]
    ]


def test_names_of_lasers() -> None:
    lasers = ["7", "b", "left", "B", "g", "-3"]
    styles = f"<SegmentStyleList>{''.join(style(n, n) for n in lasers)}</SegmentStyleList>"
    build = open_build(layer(styles=styles).encode())
    numbers = dict(
        zip(
            build.build_styles["name"].to_pylist(),
            build.build_styles["laser_id"].to_pylist(),
            strict=True,
        )
    )
    # "g" would be 7, and "B" 2: taken. They get free numbers, and so does what is no letter.
    assert numbers == {"7": 7, "-3": -3, "b": 2, "B": 1, "g": 3, "left": 4}
    assert build.metadata["laser_4"] == "left"


def test_what_does_not_agree_is_a_warning() -> None:
    build = open_build(
        layer(
            path(segment("one", 1, 1), count=2),
            path(segment("one", 1, 1), kind="spiral"),
            styles=f"<SegmentStyleList>{style('one', 'a', profile='?')}{style('one', 'b')}"
            "</SegmentStyleList>",
        ).encode()
    )
    assert [(warning.code, warning.problem) for warning in build.warnings] == [
        ("inconsistent", "a path declares 2 segments and has 1"),
        ("unsupported", "a path is neither hatch nor contour: it is read as a contour"),
        ("inconsistent", "segment style 'one' names a velocity profile that is not there: '?'"),
        ("inconsistent", "segment style 'one' comes twice: the first counts"),
    ]
    assert summary(rows_of(build)) == [("hatch", 2, 0, 1), ("contour", 2, 0, 1)]


@pytest.mark.parametrize(
    "written",
    [
        "\ufeff{}",
        "<?xml version='1.0' encoding=\"UTF-8\"?>\n<!-- a <Layer> that is none -->\n{}\n<!-- -->",
        "<?xml version='1.0' encoding='ISO-8859-1'?>{}",
    ],
)
def test_what_may_stand_around_the_layer(written: str) -> None:
    content = written.format(layer(path(segment("one", 1, 1))))
    assert summary(read(content)) == [("hatch", 2, 0, 1)]


def test_markup_of_all_kinds() -> None:
    name = "a&lt;&amp;&#66;&#x43;<![CDATA[<&]]>ä"
    styles = f"<SegmentStyleList>{style(name, '&#97;')}<?a b?></SegmentStyleList>"
    one = (
        "<p:Segment a='1' b = \"<!-- >\" ><SegStyle><!-- - -->"
        f"{name}</SegStyle><Note/><End x='' ><X>\n +1.5e1 </X><Y>-0</Y></End></p:Segment >"
    ).replace('"<!-- >"', '"!-- >"')
    content = layer(path(one, tag="&#x1F600; x"), styles=styles)
    build = open_build(content.encode())
    assert build.build_styles["name"].to_pylist() == ["a<&BC<&ä"]
    assert build.models["name"].to_pylist() == ["😀 x"]
    (row,) = rows_of(build)
    assert summary([row]) == [("hatch", 2, 0, 1)]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("<!DOCTYPE Layer [<!ENTITY a 'b'>]><Layer><Header/></Layer>", "unsupported"),
        ("<?xml version='1.0' encoding='UTF-16'?><Layer><Header/></Layer>", "unsupported"),
        ("<Layer><Header></Layer></Header>", "bad_command"),
        ("<Layer><Header/></Layer><Layer/>", "bad_command"),
        ("<Layer><Header/></Layer>text", "bad_command"),
        ("<Layer>text<Header/></Layer>", "bad_command"),
        ("<Layer><Header/></Layer></a>", "bad_command"),
        ("<Layer><Header a/></Layer>", "bad_command"),
        ("<Layer><Header a=1/></Layer>", "bad_command"),
        ("<Layer><Header a='<'/></Layer>", "bad_command"),
        ("<Layer><Header/></Layer><![CDATA[a]]>", "bad_command"),
        ("<Layer><Header><A>&nbsp;</A></Header></Layer>", "bad_text"),
        ("<Layer><Header><A>&#xD800;</A></Header></Layer>", "bad_text"),
        ("<Layer><Header><A>a & b</A></Header></Layer>", "bad_text"),
        ("<Layer><Header><A>&#0;</A></Header></Layer>", "bad_text"),
        ("<Layer><Header><A><B/></A></Header></Layer>", "bad_command"),
        ("<Layer><a/></Layer>", "bad_header"),
        ("<Build/>", "bad_magic"),
        ("", "truncated"),
        ("<Layer><Header>", "truncated"),
        ("<Layer" + "><a" * 40 + "></a>" * 40 + "</Layer>", "limit_exceeded"),
        (layer(path(segment("one", "1,5", 0))), "bad_number"),
        (layer(path(segment("one", "nan", 0))), "bad_number"),
        (layer(path(segment("one", "1e300", 0))), "bad_number"),
        (layer(path(segment("one", "", 0))), "bad_number"),
        (layer(path(segment("three", 1, 0))), "inconsistent"),
        (layer(path("<Segment><SegStyle>one</SegStyle></Segment>")), "bad_count"),
        (layer(path("<Segment><End><X>1</X><Y>1</Y></End></Segment>")), "bad_count"),
        (layer(path(segment("one", 1, 1).replace("<Y>1</Y>", ""))), "bad_count"),
        (layer(f"<Path>{segment('one', 1, 1)}</Path>"), "bad_command"),
        (layer(styles="<SegmentStyleList><SegmentStyle/></SegmentStyleList>"), "bad_header"),
        ("<Layer><Slice><Region><Edge><Start>1</Start><End>1</End></Edge></Region></Slice></Layer>",
         "inconsistent"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_a_code_and_a_place(content: str, code: str) -> None:
    found, offset = code_of(content)
    assert found == code
    assert offset <= len(content.encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(encoding: str) -> None:
    assert code_of(layer().encode(encoding)) == ("unsupported", 0)


def test_cut_at_every_byte() -> None:
    content = layer(path(segment("one", 1.5, 1), segment("off", 2, 1))).encode()
    whole = rows_of(open_build(content))
    for size in range(len(content)):
        code, offset = code_of(content[:size])
        assert code in {"truncated", "bad_command"}
        assert offset <= size
        if size % 5:
            continue
        build = open_build(content[:size], format="amxml", on_damage="skip")
        tables = build.to_arrow()
        assert build.damage
        assert (tables.geometries.num_rows, len(tables.damage)) == (0, 1)
    assert len(whole) == 2


def test_a_slice_whose_edges_do_not_join() -> None:
    vertices = "".join(f"<Vertex><X>{n}</X><Y>{-n}</Y></Vertex>" for n in range(5))
    edges = "".join(
        f"<Edge><Start>{a}</Start><End>{b}</End></Edge>"
        for a, b in [(1, 2), (2, 3), (5, 1), (1, 5)]
    )
    content = (
        f"<Layer><Thickness>0.05</Thickness><VertexList>{vertices}</VertexList>"
        f"<Slice><Region><Tag>a</Tag>{edges}</Region></Slice></Layer>"
    )
    build = open_build(content.encode())
    rows = rows_of(build)
    assert rows == expected_rows(content)
    assert [(row.count, row.closed) for row in rows] == [(3, False), (3, True)]
    assert build.metadata["layer_thickness_mm"] == "0.05"


def test_much_out_of_little_is_refused() -> None:
    """Many lasers on one long path; parameters that many styles would share."""
    lasers = f"<SegmentStyleList>{style('one', *'abcdefgh' * 400)}</SegmentStyleList>"
    path_of_many = path(*[segment("one", n, 0) for n in range(3000)], kind="contour")
    limits = ReadLimits(max_expansion=20)
    assert code_of(layer(path_of_many, styles=lasers), limits=limits)[0] == "limit_exceeded"
    profile = PROFILES.replace("<Mode>", "<a/>" * 20_000 + "<Mode>")
    many = f"<SegmentStyleList>{''.join(style(f'{n}') for n in range(2000))}</SegmentStyleList>"
    assert code_of(layer(styles=many, profiles=profile))[0] == "limit_exceeded"


@pytest.mark.parametrize(
    "limits",
    [
        ReadLimits(max_geometries_per_layer=1),
        ReadLimits(max_points_per_layer=3),
        ReadLimits(max_models=0),
        ReadLimits(max_build_styles=1),
        ReadLimits(max_nesting=6),
    ],
)
def test_limits(limits: ReadLimits) -> None:
    content = layer(path(segment("one", 1, 1), segment("off", 2, 2)))
    assert code_of(content, limits=limits)[0] == "limit_exceeded"


coordinates = st.one_of(
    st.floats(-1e6, 1e6).map(repr),
    st.decimals(-1000, 1000, places=6).map(str),
    st.integers(-(10**25), 10**25).map(str),
)
names = st.sampled_from(["one", "two", "both", "off"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["hatch", "contour", "Hatch"]),
            st.sampled_from(["a", "b", "c d"]),
            st.lists(st.tuples(names, coordinates, coordinates), max_size=8),
        ),
        max_size=4,
    )
)
def test_any_layer_is_read_as_elementtree_reads_it(
    paths: list[tuple[str, str, list[tuple[str, str, str]]]],
) -> None:
    content = layer(
        *[path(*[segment(*one) for one in some], kind=kind, tag=tag) for kind, tag, some in paths]
    )
    build = open_build(content.encode())
    assert rows_of(build) == expected_rows(content)
    assert build.warnings == ()

"""A folder of scan files as one build."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import ReadLimits, open_build, scan_folder
from support.build_rows import as_rows, rows_of
from support.scan_xml import segment


def scan(number: int, *tags: str, power: int = 200, height: float | None = None) -> str:
    """A layer with a hatch per tag; each has its number as coordinate."""
    paths = "".join(
        f"<Path><Type>hatch</Type><Tag>{tag}</Tag><Start><X>0</X><Y>0</Y></Start>"
        f"{segment('s', number, number)}</Path>"
        for tag in tags
    )
    return (
        f"<Layer><Header><LayerNum>{number}</LayerNum><LayerThickness>0.5</LayerThickness>"
        f"<AbsoluteHeight>{number / 2 if height is None else height}</AbsoluteHeight></Header>"
        "<SegmentStyleList><SegmentStyle><ID>s</ID><VelocityProfileID>v</VelocityProfileID>"
        f"<Traveler><ID>a</ID><Power>{power}</Power></Traveler></SegmentStyle></SegmentStyleList>"
        "<VelocityProfileList><VelocityProfile><ID>v</ID></VelocityProfile></VelocityProfileList>"
        f"<TrajectoryList><Trajectory>{paths}</Trajectory></TrajectoryList></Layer>"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scan_2.xml").write_text(scan(2, "b", "a"))
    (tmp_path / "scan_10.xml").write_text(scan(10, "a", power=300))
    (tmp_path / "scan_9.XML").write_text(scan(9, "c"))
    (tmp_path / "notes.xml").write_text("<notes/>")
    (tmp_path / "scan_2.svg").write_text("<svg/>")
    return tmp_path


def test_files_become_layers_in_the_order_of_their_numbers(folder: Path) -> None:
    build = open_build(folder)
    assert build.z_mm.tolist() == [1.0, 4.5, 5.0]
    assert (build.format, len(build)) == ("amxml", 3)
    assert build.metadata == {"layer_thickness_mm": "0.5", "laser_1": "a"}
    # Tags are models of the whole folder, and equal styles are one.
    names = build.models["name"].to_pylist()
    power = dict(
        zip(
            build.build_styles["build_style_id"].to_pylist(),
            build.build_styles["laser_power_w"].to_pylist(),
            strict=True,
        )
    )
    assert (names, sorted(power.values())) == (["b", "a", "c"], [200.0, 300.0])
    ids = dict(
        zip(build.models["model_id"].to_pylist(), build.models["name"].to_pylist(), strict=True)
    )
    assert [
        (row.layer, ids[row.model_id], power[row.build_style_id]) for row in rows_of(build)
    ] == [(0, "b", 200), (0, "a", 200), (1, "c", 200), (2, "a", 300)]
    assert [(warning.problem, warning.member) for warning in build.warnings] == [
        ("there are no files with the numbers 3 to 8", ""),
        ("it is no scan XML, and is left out", "notes.xml"),
    ]


def test_many_files_are_opened_when_they_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = rows_of(open_build(folder))
    monkeypatch.setattr(scan_folder, "_STAY_OPEN", 2)
    build = open_build(folder)
    assert rows_of(build) == together
    assert as_rows(build.to_arrow(threads=3)) == together
    (folder / "scan_9.XML").write_text(scan(9, "another"))
    with pytest.raises(BuildFileError, match="has changed since it was opened"):
        build.to_arrow()


def test_a_damaged_file_is_named_and_the_others_are_read(folder: Path) -> None:
    whole = rows_of(open_build(folder))
    path = folder / "scan_9.XML"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(BuildFileError, match=r"scan_9\.XML"):
        open_build(folder)
    build = open_build(folder, on_damage="skip")
    assert [(one.member, one.code) for one in build.damage] == [("scan_9.XML", "truncated")]
    tables = build.to_arrow()
    assert [one.member for one in tables.damage] == ["scan_9.XML"]
    assert {row.points for row in as_rows(tables)} == {
        row.points for row in whole if row.layer != 1
    }


def test_numbers_that_are_missing_or_twice(tmp_path: Path) -> None:
    for name in ("a1", "a2", "a4", "b4", "none"):
        (tmp_path / f"{name}.xml").write_text(scan(len(name), "t"))
    problems = [warning.problem for warning in open_build(tmp_path).warnings]
    assert problems == ["there is no file with the number 3", "two files have the number 4"]


def test_what_a_folder_needs(tmp_path: Path) -> None:
    with pytest.raises(BuildFileError, match="no scan XML in it") as caught:
        open_build(tmp_path)
    assert caught.value.facts["code"] == "unsupported"
    for number in (1, 2):
        (tmp_path / f"{number}.xml").write_text(scan(number))
    with pytest.raises(BuildFileError, match="max_layers"):
        open_build(tmp_path, limits=ReadLimits(max_layers=1))


def test_real_files_of_two_builds(shared_data: Path, tmp_path: Path) -> None:
    for path in (shared_data / "build_files" / "amsxml").glob("*scan_*.xml"):
        shutil.copyfile(path, tmp_path / path.name.rpartition("XMLdir_")[2])
    build = open_build(tmp_path)
    assert build.z_mm.tolist() == [0.05, 0.25]
    tables = build.to_arrow()
    assert tables.layers["point_count"].to_pylist() == [597, 1542]
    assert (build.models.num_rows, build.build_styles.num_rows) == (6, 16 + 5)
    assert [warning.problem for warning in build.warnings] == [
        "there are no files with the numbers 2 to 4"
    ]

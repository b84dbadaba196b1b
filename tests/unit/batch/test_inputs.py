from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from pbf_ray.batch.builds.inputs import find_inputs, has_changed
from pbf_ray.errors import InputFileError, PbfRayError
from support.small_builds import ascii_cli

SCAN = b'<?xml version="1.0"?>\n<Layer><Header/><Trajectory/></Layer>\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/part.cli", "a/notes.txt", "b/part.cli", "b/part.SLI", "b/deep/x y=1.ovf",
                 "b/.hidden.cli", "b/settings.xml", "c/[1]::2.cli", "d/job.rea"):  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return tmp_path


def test_a_folder_gives_what_is_called_like_a_build_file(folder: Path) -> None:
    found = find_inputs([folder])
    assert [Path(file.url).relative_to(folder).as_posix() for file in found.files] == [
        "a/part.cli", "b/deep/x y=1.ovf", "b/part.SLI", "b/part.cli", "c/[1]::2.cli", "d/job.rea",
    ]  # fmt: skip
    assert [file.file_name for file in found.skipped] == [
        "notes.txt", ".hidden.cli", "settings.xml",
    ]  # fmt: skip
    assert [file.size for file in found.files] == [
        len(Path(file.url).relative_to(folder).as_posix()) for file in found.files
    ]


def test_names_are_as_short_as_they_can_be_and_never_the_same(folder: Path) -> None:
    names = [file.build for file in find_inputs([folder]).files]
    assert names[1] == "x y=1"
    assert names[2] == "part.SLI"
    assert names[0].startswith("part.cli-")
    assert names[3].startswith("part.cli-")
    assert len(set(names)) == len(names)
    assert names == [file.build for file in find_inputs([folder / "b", folder, folder]).files]
    assert [file.build for file in find_inputs([folder / "a"]).files] == ["part"]


def test_what_is_named_itself_is_taken_whatever_it_is_called(folder: Path) -> None:
    (file,) = find_inputs([folder / "a" / "notes.txt"]).files
    assert file.build == "notes"
    assert len(find_inputs([folder / "c" / "[1]::2.cli"]).files) == 1


@pytest.mark.parametrize(
    ("pattern", "taken", "skipped"),
    [("*/part.*", 3, 0), ("b/*", 2, 2), ("**/*.txt", 1, 0), ("?/[pn]*", 3, 1)],
)
def test_patterns(folder: Path, pattern: str, taken: int, skipped: int) -> None:
    found = find_inputs([f"{folder}/{pattern}"])
    assert (len(found.files), len(found.skipped)) == (taken, skipped)


def test_what_names_nothing_is_an_error(folder: Path) -> None:
    for path, problem in (
        (folder / "none.cli", "there is no such file or folder"),
        (folder / "*.none", "matches no file"),
        ("gopher://x/y.cli", "Protocol not known"),
    ):
        with pytest.raises(PbfRayError, match=problem):
            find_inputs([path])
    (folder / "a" / "part.cli").unlink()
    with pytest.raises(PbfRayError, match="none of the 1 files"):
        find_inputs([folder / "a"])


def test_urls_of_other_file_systems(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    root = f"/{tmp_path.name}"
    memory.pipe_file(f"{root}/one.cli", ascii_cli(1))
    memory.pipe_file(f"{root}/two.txt", b"")
    found = find_inputs([f"memory:/{root}"])
    assert [file.url for file in found.files] == [f"memory://{root}/one.cli"]
    assert [file.file_name for file in found.skipped] == ["two.txt"]
    (file,) = find_inputs([f"memory:/{root}/*.cli"]).files
    assert not has_changed(file)
    memory.pipe_file(f"{root}/one.cli", ascii_cli(2))
    assert has_changed(file)


def test_scan_files_of_one_folder_are_one_build(folder: Path, shared_data: Path) -> None:
    scans = sorted((shared_data / "build_files" / "amsxml").glob("*_scan_*.xml"))
    place = folder / "b" / "scans"
    place.mkdir()
    for number, scan in enumerate(scans):
        (place / f"scan_{number + 1:03}.xml").write_bytes(scan.read_bytes())
    found = find_inputs([folder / "b"])
    (build,) = [file for file in found.files if file.members]
    assert (build.url, build.build, len(build.members)) == (str(place), "scans", len(scans))
    assert build.size == sum(scan.stat().st_size for scan in scans)
    assert not has_changed(build)


def test_the_error_of_a_missing_file_system_driver_names_it() -> None:
    with pytest.raises(PbfRayError, match="driver") as caught:
        find_inputs(["gs://bucket/part.cli"])
    assert "gcsfs" in caught.value.advice
    with pytest.raises(InputFileError):
        find_inputs(["memory://nothing/here.cli"])

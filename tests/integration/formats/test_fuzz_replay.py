"""Fuzzed inputs are replayed with ASan and UBSan: those that were found, and real files."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CI = os.environ.get("CI") == "true"
REPOSITORY = Path(__file__).resolve().parents[3]
CORPUS = REPOSITORY / "tests" / "data" / "build_files" / "corpus"
FORMATS = sorted(folder.name for folder in CORPUS.iterdir())
MOST_BYTES = 4096
MOST_FILES = 200
REAL = {"cli": "cli", "sli": "sli", "ovf": "ovf", "amxml": "amsxml"}
"""Folders of real files, by format."""

# The first test builds the whole core with sanitizers: minutes, where others use the machine too.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="session")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that replays, built from the core as it stands."""
    if shutil.which("g++") is None and not CI:
        pytest.skip("g++ builds what replays, and is not there")
    out = tmp_path_factory.mktemp("fuzz")
    done = subprocess.run(
        [
            "make",
            "--jobs=2",
            "--directory",
            str(REPOSITORY / "native" / "fuzz"),
            "replay",
            f"OUT={out}",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MAKEFLAGS": "", "MAKELEVEL": "0"},
        timeout=1100,
    )
    assert done.returncode == 0, done.stderr
    return out / "replay"


def _replay(program: Path, format: str, files: list[Path]) -> None:
    done = subprocess.run(
        [str(program), format, *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        # What cannot be had is an error of the reader, not of the allocator.
        env={**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1", "UBSAN_OPTIONS": ""},
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(files)} inputs replayed\n"


def test_the_corpus_is_small() -> None:
    assert "cli" in FORMATS
    for format in FORMATS:
        files = list((CORPUS / format).iterdir())
        assert 0 < len(files) <= MOST_FILES, format
        assert all(file.stat().st_size <= MOST_BYTES for file in files), format


@pytest.mark.parametrize("format", FORMATS)
def test_the_corpus_is_read_without_a_finding(replay: Path, format: str) -> None:
    _replay(replay, format, sorted((CORPUS / format).iterdir()))


@pytest.mark.parametrize("format", [format for format in FORMATS if format in REAL])
def test_real_files_are_read_without_a_finding(
    replay: Path, shared_data: Path, format: str
) -> None:
    files = sorted((shared_data / "build_files" / REAL[format]).iterdir())
    assert files
    _replay(replay, format, files)


@pytest.mark.parametrize("format", FORMATS)
def test_inputs_of_one_format_do_not_harm_the_others(replay: Path, format: str) -> None:
    others = [file for other in FORMATS if other != format for file in (CORPUS / other).iterdir()]
    _replay(replay, format, sorted(others) or sorted((CORPUS / format).iterdir()))


def test_the_program_sees_what_goes_wrong(replay: Path, tmp_path: Path) -> None:
    done = subprocess.run([str(replay), "cli", str(tmp_path)], capture_output=True, check=False)
    assert done.returncode != 0

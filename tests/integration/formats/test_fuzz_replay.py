"""Fuzzed inputs are replayed with ASan and UBSan: those that were found, and real files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
CORPUS = REPOSITORY / "tests" / "data" / "build_files" / "corpus"
FORMATS = sorted(folder.name for folder in CORPUS.iterdir())
MOST_BYTES = 4096
MOST_FILES = 200
REAL = {"cli": "cli", "sli": "sli", "ovf": "ovf", "amxml": "amsxml"}
"""Folders of real files, by format."""

Replay: TypeAlias = Callable[[str, Sequence[Path]], None]

# The first test builds the whole core with sanitizers: minutes, where others use the machine too.
pytestmark = pytest.mark.timeout(1200)


def test_the_corpus_is_small() -> None:
    assert "cli" in FORMATS
    for format in FORMATS:
        files = list((CORPUS / format).iterdir())
        assert 0 < len(files) <= MOST_FILES, format
        assert all(file.stat().st_size <= MOST_BYTES for file in files), format


@pytest.mark.parametrize("format", FORMATS)
def test_the_corpus_is_read_without_a_finding(replay: Replay, format: str) -> None:
    replay(format, sorted((CORPUS / format).iterdir()))


@pytest.mark.parametrize("format", [format for format in FORMATS if format in REAL])
def test_real_files_are_read_without_a_finding(
    replay: Replay, shared_data: Path, format: str
) -> None:
    files = sorted((shared_data / "build_files" / REAL[format]).iterdir())
    assert files
    replay(format, files)


@pytest.mark.parametrize("format", FORMATS)
def test_inputs_of_one_format_do_not_harm_the_others(replay: Replay, format: str) -> None:
    others = [file for other in FORMATS if other != format for file in (CORPUS / other).iterdir()]
    replay(format, sorted(others) or sorted((CORPUS / format).iterdir()))


def test_the_program_sees_what_goes_wrong(replay_program: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(replay_program), "cli", str(tmp_path)], capture_output=True, check=False
    )
    assert done.returncode != 0

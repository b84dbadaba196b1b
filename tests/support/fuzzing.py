"""The program that replays fuzzed inputs with ASan and UBSan, built once a session."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

__all__ = ["replay", "replay_program"]

REPOSITORY = Path(__file__).resolve().parents[2]
CI = os.environ.get("CI") == "true"


@pytest.fixture(scope="session")
def replay_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built from the core as it stands."""
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


@pytest.fixture(scope="session")
def replay(replay_program: Path) -> Callable[[str, Sequence[Path]], None]:
    """Replay files as a format: nothing may be found."""

    def run(format: str, files: Sequence[Path]) -> None:
        done = subprocess.run(
            [str(replay_program), format, *map(str, files)],
            capture_output=True,
            text=True,
            check=False,
            # What cannot be had is an error of the reader, not of the allocator.
            env={**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1", "UBSAN_OPTIONS": ""},
            timeout=250,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{len(files)} inputs replayed\n"

    return run

"""A file that is cut or written to while it is open: an error, and no SIGBUS that ends all."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.build_files import write_ascii, write_blocks

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import open_build, write_build

# In a process of its own, which may end. Reading looks at pages first and at the file afterwards,
# so each of these cuts is met as a signal.
CUT = """
import itertools, json, os, pathlib, sys
from pbf_ray.errors import BuildFileError
from pbf_ray.formats import open_build

said = []

def read(build):
    try:
        batch = build.read_layers(0, len(build))
        said.append(["read", batch.coordinates.num_rows, 0])
    except BuildFileError as error:
        said.append([error.code, error.byte_offset, error.problem])

paths = list(map(pathlib.Path, sys.argv[1:]))
for path, on_damage in itertools.product(paths, ("raise", "skip")):
    content = path.read_bytes()
    build = open_build(path, on_damage=on_damage)
    read(build)
    os.truncate(path, len(content) // 3)
    read(build)
    os.truncate(path, 0)
    read(build)
    path.write_bytes(content)
    read(build)
    read(open_build(path, on_damage=on_damage))
print(json.dumps(said))
"""

# A map of somebody else: its SIGBUS is not ours, and ends the process as it always did.
NOT_OURS = """
import mmap, sys
from pbf_ray.formats import open_build

build = open_build(sys.argv[1])
with open(sys.argv[2], "w+b") as file:
    file.truncate(1 << 20)
    theirs = mmap.mmap(file.fileno(), 1 << 20)
    file.truncate(0)
    print(len(build), flush=True)
    theirs[5000]
"""


def _run(script: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cut") / "blocks.cli"
    write_blocks(path, layers=4, vectors=2_000)
    return path


def test_files_that_are_cut_while_they_are_open(blocks: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"cut.{form}" for form in ("cli", "ascii", "sli", "mtt", "ovf")]
    for path in paths:
        if path.suffix == ".ascii":
            write_ascii(path, layers=4, vectors=2_000)
        else:
            write_build(open_build(blocks), path, allow_loss=True)
    sizes = [path.stat().st_size for path in paths]
    ended = _run(CUT, *paths)
    assert ended.returncode == 0, ended.stderr
    said: list[list[Any]] = json.loads(ended.stdout)
    shorter = "the file has become shorter since it was opened"
    expected = [
        [
            ["read", 16_000, 0],
            ["io", size // 3, shorter],
            ["io", 0, shorter],
            ["io", size, shorter],  # pages were lost meanwhile: what stands there again is not read
            ["read", 16_000, 0],
        ]
        * 2
        for size in sizes
    ]
    assert said == [row for rows in expected for row in rows]


def test_a_file_that_is_written_to_while_it_is_open(blocks: Path, tmp_path: Path) -> None:
    path = tmp_path / "grown.cli"
    path.write_bytes(blocks.read_bytes())
    build = open_build(path, on_damage="skip")
    with path.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BuildFileError, match="has been written to since it was opened") as raised:
        build.read_layer(0)
    assert raised.value.code == "io"


def test_other_peoples_bus_errors_stay_theirs(blocks: Path, tmp_path: Path) -> None:
    ended = _run(NOT_OURS, blocks, tmp_path / "theirs")
    assert (ended.returncode, ended.stdout) == (-signal.SIGBUS, "4\n"), ended.stderr

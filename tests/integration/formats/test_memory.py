"""How much memory reading takes, measured in processes of their own."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pbf_ray.formats import open_build
from support.plain_builds import Layer, hatch, written

GIB = 1 << 30

# The peak is set back before the work; VmHWM is in bytes then.
MEASURE = """
import sys
from pbf_ray.errors import BuildFileError
from pbf_ray.formats import open_build

def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024

def attempt(path, **arguments):
    try:
        for batch in open_build(path, **arguments).scan():
            pass
    except BuildFileError:
        pass

open_build(sys.argv[1]).read_layers(0, 1)
with open("/proc/self/clear_refs", "w") as refs:
    refs.write("5")
before = status("VmRSS")
"""

SCAN = (
    MEASURE
    + """
build = open_build(sys.argv[2])
points = 0
for batch in build.scan():
    points += batch.coordinates.num_rows
print(len(build), points, status("VmHWM"))
"""
)

EACH = (
    MEASURE
    + """
for path in sys.argv[2:]:
    for format in (None, "cli", "zip"):
        for on_damage in ("raise", "skip"):
            attempt(path, format=format, on_damage=on_damage)
print(status("VmHWM") - before)
"""
)


def _run(script: str, *arguments: Path) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.cli"
    file.write_bytes(written("cli", [Layer(1.0, [hatch((0, 0), (1, 1))])])[0])
    return file


def test_a_gigabyte_is_scanned_in_a_quarter_of_it(tmp_path: Path, small: Path) -> None:
    """Sparse: each layer is one command and zeroes, which are coordinates too."""
    file = tmp_path / "large.cli"
    vectors, layers = 65_000, 1040  # 1.04 MB a layer
    with file.open("wb") as out:
        out.write(b"$$HEADERSTART$$BINARY$$UNITS/1$$HEADEREND")
        for layer in range(layers):
            out.write(struct.pack("<HfHii", 127, 0.03 * layer, 132, 1, vectors))
            out.seek(16 * vectors, 1)
        out.truncate()
    assert file.stat().st_size > GIB
    found, points, peak = _run(SCAN, small, file)
    assert found == layers
    assert points == 2 * vectors * layers
    assert peak < 256 << 20, f"{peak / 2**20:.0f} MiB"


def _worst_cases() -> dict[str, bytes]:
    """Files of 16 KB that might take much: many of what is small, and large numbers."""
    ascii_head = b"$$HEADERSTART$$ASCII$$UNITS/1$$HEADEREND$$GEOMETRYSTART"
    binary_head = b"$$HEADERSTART$$BINARY$$UNITS/1$$HEADEREND"
    layer = struct.pack("<Hf", 127, 1.0)
    params = b"".join(b"$$PARAM/p%d,i,1$$HATCHES/1,0" % number for number in range(600))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("a.cli", binary_head + layer * 1_500_000)
    at_the_limit = io.BytesIO()
    with zipfile.ZipFile(at_the_limit, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("a.cli", binary_head + layer * 230_000)
        archive.writestr("b.txt", np.random.default_rng(1).bytes(13_000))
    names = io.BytesIO()
    with zipfile.ZipFile(names, "w") as archive:
        for number in range(100):
            archive.writestr(f"{number}.cli", binary_head)
    random = np.random.default_rng(7)
    files = {
        "layers": ascii_head + b"$$LAYER/1" * 2000,
        "binary layers": binary_head + layer * 2700,
        "geometries": ascii_head + b"$$LAYER/1 " + b"$$HATCHES/1,0" * 1200,
        "short geometries": binary_head + layer + struct.pack("<HHH", 131, 1, 0) * 2700,
        "states": ascii_head + b"$$LAYER/1 " + params,
        "states by layer": ascii_head + params[:4000] + b"$$LAYER/1 $$POWER/2$$HATCHES/1,0" * 350,
        "powers": ascii_head
        + b"$$LAYER/1"
        + b"".join(b"$$POWER/%d$$HATCHES/1,0" % number for number in range(600)),
        "count": binary_head + layer + struct.pack("<Hii", 132, 1, 2**31 - 1) + bytes(8000),
        "ascii count": ascii_head + b"$$LAYER/1$$HATCHES/1,2147483647" + b",0" * 8000,
        "labels": b"$$HEADERSTART" + b"$$LABEL/1,a" * 1450,
        "unknown": b"$$HEADERSTART" + b"$$X" * 5400,
        "unknown commands": ascii_head + b"$$LAYER/1" + b"$$X" * 5400,
        "comments": ascii_head + b"//" * 8000,
        "user data": b"$$HEADERSTART" + b"$$USERDATA/u,0," * 1000,
        "numbers": ascii_head + b"$$LAYER/" + b"9" * 16000,
        "bomb": bomb.getvalue(),
        "at the limit of expansion": at_the_limit.getvalue(),
        "names": names.getvalue(),
        **{f"random {n}": b"$$HEADERSTART" + random.bytes(16000) for n in range(3)},
        **{
            f"random behind a header {n}": binary_head + layer + random.bytes(16000)
            for n in range(3)
        },
    }
    archives = {name: data for name, data in files.items() if data.startswith(b"PK")}
    assert all(len(data) <= 16 << 10 for data in archives.values())
    return {name: data[: 16 << 10] for name, data in files.items()}


def test_sixteen_kilobytes_never_take_sixty_four_megabytes(
    tmp_path: Path, small: Path, repository: Path
) -> None:
    corpus = repository / "tests" / "data" / "build_files" / "corpus"
    paths = sorted(corpus.rglob("*.*"))
    for name, data in _worst_cases().items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    assert len(paths) > 25
    assert len(open_build(tmp_path / "at the limit of expansion").warnings) == 0
    [peak] = _run(EACH, small, *paths)
    assert peak < 64 << 20, f"{peak / 2**20:.0f} MiB"

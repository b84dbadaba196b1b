"""Build files to columns: ours against other readers, and the memory of a scan.

The peers: the CLI parser of crates.io (`colain`, where cargo is there), and readers that keep an
array per geometry, restated in Python as the public ones are written. Results go to
``benchmarks/results/build_files.json``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.build_files import (
    Found,
    object_reader_ascii,
    object_reader_binary,
    write_ascii,
    write_blocks,
    write_fragments,
)
from benchmarks.comparison import compare, recorded, seconds

from pbf_ray.formats import open_build, write_build

MB = 1e6


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    with recorded("build_files", ("numpy", "pyarrow")) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("builds")


@pytest.fixture(scope="module")
def colain(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The peer from crates.io, built; None where there is no cargo."""
    if shutil.which("cargo") is None:
        return None
    target = tmp_path_factory.mktemp("cargo")
    source = Path(__file__).parent / "peers" / "colain"
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "--target-dir", str(target)],
        cwd=source, check=True, timeout=600,
    )  # fmt: skip
    return target / "release" / "colain-peer"


def ours(path: Path) -> Found:
    """Scan it, layer by layer, and look at every x."""
    geometries, points, total = 0, 0, 0.0
    for batch in open_build(path).scan():
        geometries += batch.geometries.num_rows
        points += batch.coordinates.num_rows
        total += float(np.sum(batch.coordinates["x_mm"].to_numpy(), dtype=np.float64))
    return geometries, points, total


def same(one: Found, other: Found) -> None:
    assert one[:2] == other[:2]
    assert one[2] == pytest.approx(other[2], rel=1e-9)


def run_colain(program: Path, path: Path) -> tuple[float, Found]:
    said = subprocess.run([program, path, "1"], capture_output=True, text=True, check=True)
    took, geometries, points, total = said.stdout.split()
    return float(took), (int(geometries), int(points), float(total))


@pytest.mark.parametrize(
    ("name", "write"), [("big blocks", write_blocks), ("fragments", write_fragments)]
)
def test_binary_cli(
    name: str,
    write: Callable[[Path], None],
    folder: Path,
    colain: Path | None,
    results: dict[str, Any],
) -> None:
    path = folder / f"{name}.cli"
    write(path)
    peers: dict[str, Callable[[], Any]] = {"array per geometry": lambda: object_reader_binary(path)}
    same(ours(path), object_reader_binary(path))
    if colain is not None:
        same(ours(path), run_colain(colain, path)[1])
        peers["colain"] = lambda: run_colain(colain, path)[0]
    compare(
        results, f"binary CLI, {name}, {path.stat().st_size / MB:.0f} MB",
        path.stat().st_size / MB, lambda: ours(path), peers, unit="mb_per_s",
    )  # fmt: skip


@pytest.mark.parametrize("form", ["sli", "mtt", "ovf"])
def test_other_binary_formats(form: str, folder: Path, results: dict[str, Any]) -> None:
    source = folder / "few blocks.cli"
    if not source.exists():
        # An SLI record holds 65,535 vectors at most, at a hundredth of a millimetre.
        write_blocks(source)
    path = folder / f"blocks.{form}"
    write_build(open_build(source), path, allow_loss=True)
    wanted, found = ours(source), ours(path)
    assert found[:2] == wanted[:2]
    assert found[2] == pytest.approx(wanted[2], rel=1e-6 if form == "sli" else 1e-9)
    compare(
        results, f"{form}, big blocks, {path.stat().st_size / MB:.0f} MB",
        path.stat().st_size / MB, lambda: ours(path), {}, unit="mb_per_s",
    )  # fmt: skip


def test_ascii_cli(folder: Path, results: dict[str, Any]) -> None:
    path = folder / "ascii.cli"
    write_ascii(path)
    same(ours(path), object_reader_ascii(path))
    compare(
        results, f"ASCII CLI, {path.stat().st_size / MB:.0f} MB",
        path.stat().st_size / MB, lambda: ours(path),
        {"array per geometry": lambda: object_reader_ascii(path)}, unit="mb_per_s", rounds=5,
    )  # fmt: skip


SCAN = """
import json, sys, time
from benchmarks.test_build_files import ours

def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

with open("/proc/self/clear_refs", "w") as refs:
    refs.write("5")  # the peak begins anew: a child starts with its parent's
before = status("VmRSS")
began = time.perf_counter()
found = ours(sys.argv[1])
print(json.dumps([found, time.perf_counter() - began, before, status("VmHWM")]))
"""


def test_a_file_of_5_gb_in_500_mb(folder: Path, results: dict[str, Any]) -> None:
    path = folder / "large.cli"
    layers, vectors = 2_000, 160_000
    write_blocks(path, layers, vectors)
    size = path.stat().st_size
    try:
        said = subprocess.run(
            [sys.executable, "-c", SCAN, str(path)],
            cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True,
        )  # fmt: skip
    finally:
        path.unlink()
    found, took, before_mib, most_mib = json.loads(said.stdout)
    assert found[:2] == [layers, 2 * layers * vectors]
    assert most_mib < 500
    results["scan of a large file"] = {
        "gb": round(size / 1e9, 2),
        "seconds": round(took, 1),
        "mb_per_s": round(size / MB / took),
        "most_memory_mib": round(most_mib),
        "of_that_before_the_scan_mib": round(before_mib),
    }
    print(f"\nscan of a large file: {json.dumps(results['scan of a large file'])}")


def test_growth(folder: Path, results: dict[str, Any]) -> None:
    """Fragments at 1x, 4x and 16x of the layers: the exponent of the cost (1 is linear)."""
    medians = []
    for times in (1, 4, 16):
        path = folder / f"growth-{times}.cli"
        write_fragments(path, layers=20 * times)
        ours(path)
        medians.append(float(np.median([seconds(lambda path=path: ours(path)) for _ in range(5)])))
    exponent = float(np.log(medians[2] / medians[0]) / np.log(16))
    results["growth, fragments"] = {"exponent": round(exponent, 2)}
    print(f"\ngrowth, fragments: {json.dumps(results['growth, fragments'])}")

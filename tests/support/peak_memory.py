"""The memory that opening files takes, each on top of what a fresh process has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["peaks_of_opening"]

_EACH = """
import sys
from pbf_ray.errors import BuildFileError
from pbf_ray.formats import open_build

def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024

open_build(sys.argv[1]).to_arrow()
for path in sys.argv[2:]:
    for on_damage in ("raise", "skip"):
        with open("/proc/self/clear_refs", "w") as refs:
            refs.write("5")
        before = status("VmRSS")
        try:
            open_build(path, on_damage=on_damage).to_arrow()
        except BuildFileError:
            pass
        print(status("VmHWM") - before)
"""


def peaks_of_opening(first: Path, files: Sequence[Path]) -> list[int]:
    """Bytes that reading each file took at most, strictly and tolerantly: two numbers a file.

    Args:
        first: A file that can be read; it warms the process up.
        files: Those that are measured; they may be damaged.
    """
    done = subprocess.run(
        [sys.executable, "-c", _EACH, str(first), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    peaks = [int(word) for word in done.stdout.split()]
    assert len(peaks) == 2 * len(files)
    return peaks

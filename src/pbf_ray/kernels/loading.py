"""Loading the machine code of kernels ahead of the first record."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Final

__all__ = ["BUILD_KERNELS", "STREAM_KERNELS", "load_kernels"]

STREAM_KERNELS: Final = ("order", "anomaly", "rolling")
"""What workers of the stream call."""

BUILD_KERNELS: Final = ("scan_path", "hatch_spacing", "contour_area")
"""What a build's plan is computed with."""


def load_kernels(names: Sequence[str] = (*STREAM_KERNELS, *BUILD_KERNELS)) -> None:
    """Load kernels now: tenths of a second from the cache, several seconds once per machine.

    A worker calls it when it starts, so that its first records do not wait for numba.
    """
    for name in names:
        importlib.import_module(f"pbf_ray.kernels._{name}_loop")

"""Loading the machine code of all kernels ahead of the first record."""

from __future__ import annotations

import importlib

__all__ = ["load_kernels"]


def load_kernels() -> None:
    """Load every kernel now: some 0.4 s from the cache, several seconds once per machine.

    A worker calls it when it starts, so that its first records do not wait for numba.
    """
    for name in ("order", "anomaly", "rolling"):
        importlib.import_module(f"pbf_ray.kernels._{name}_loop")

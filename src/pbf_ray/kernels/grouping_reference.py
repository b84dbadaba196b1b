"""Reference of :mod:`pbf_ray.kernels.grouping`: a dictionary of the keys seen so far."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["group_rows"]


def group_rows(
    build_ids: Sequence[str | None], layers: Sequence[int | None]
) -> tuple[list[int], list[tuple[str | None, int | None]]]:
    """Number keys in order of their first row."""
    seen: dict[tuple[str | None, int | None], int] = {}
    codes = [seen.setdefault(key, len(seen)) for key in zip(build_ids, layers, strict=True)]
    return codes, list(seen)

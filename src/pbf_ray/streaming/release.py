"""Released rows in parts of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from pbf_ray.kernels.grouping import group_rows
from pbf_ray.streaming.layer_states import LayerId
from pbf_ray.streaming.pending import PendingRows

__all__ = ["by_key", "released_parts"]

_PART_ROWS = 200_000
"""Released rows that are worked on together, unless one layer has more."""


def by_key(key: LayerId) -> tuple[bool, str, bool, int]:
    """Sort key of layers: by build and layer, null first."""
    build, layer = key
    return build is not None, build or "", layer is not None, layer or 0


def released_parts(
    pending: PendingRows, limits: Mapping[LayerId, int], at_once: pa.Table
) -> Iterator[pa.Table]:
    """Take released rows, whole layers together.

    A backlog may be released in one epoch; its rows wait on disk, and need not all come into
    memory together.

    Args:
        pending: The waiting rows; those that are released are taken out.
        limits: Order key per layer, below which its waiting rows are released.
        at_once: ``ROUTED_SCHEMA``, rows of this epoch that need not wait.

    Yields:
        ``ROUTED_SCHEMA``.
    """
    codes, keys = group_rows(at_once["build_id"], at_once["layer"])
    numbers = {key: number for number, key in enumerate(keys)}
    sizes = dict(zip(keys, np.bincount(codes, minlength=len(keys)).tolist(), strict=True))
    for key in pending.layers():
        if key in limits:
            sizes[key] = sizes.get(key, 0) + pending.count(key)
    for part in _parts(sizes):
        mine = np.isin(codes, [numbers[key] for key in part if key in numbers])
        waited = pending.release((key, limits[key]) for key in part if key in limits)
        yield pa.concat_tables([*waited, at_once.filter(pa.array(mine))])


def _parts(sizes: Mapping[LayerId, int]) -> Iterator[list[LayerId]]:
    part: list[LayerId] = []
    rows = 0
    for key in sorted(sizes, key=by_key):
        part.append(key)
        rows += sizes[key]
        if rows >= _PART_ROWS:
            yield part
            part, rows = [], 0
    if part:
        yield part

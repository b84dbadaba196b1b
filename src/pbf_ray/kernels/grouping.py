"""Groups of rows by (build_id, layer), and the stable hash that spreads them over buckets."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["LayerKey", "bucket_of", "group_rows", "sorted_groups", "stable_hash"]

LayerKey: TypeAlias = tuple[str | None, int | None]
"""(build_id, layer); null is an ordinary key, and differs from ''."""


def stable_hash(build_id: str | None, layer: int | None) -> int:
    """Hash of a layer's key: the same in every process, on every machine, in every version.

    Checkpoints hold buckets made of it, so its values are frozen: BLAKE2b with a digest of 8 bytes
    (read little-endian) over a byte string that is different for different keys: for a null
    build_id a byte 0, else a byte 1, the length of its UTF-8 in 8 bytes, and the UTF-8; then for a
    null layer a byte 0, else a byte 1 and the layer in 8 signed bytes; all little-endian.

    Returns:
        An integer from 0 to 2**64 - 1.
    """
    if build_id is None:
        encoded = b"\x00"
    else:
        text = build_id.encode("utf-8", "surrogatepass")
        encoded = b"\x01" + len(text).to_bytes(8, "little") + text
    if layer is None:
        encoded += b"\x00"
    else:
        encoded += b"\x01" + layer.to_bytes(8, "little", signed=True)
    return int.from_bytes(blake2b(encoded, digest_size=8).digest(), "little")


def bucket_of(build_id: str | None, layer: int | None, buckets: int) -> int:
    """Bucket of a layer's key.

    Args:
        build_id: Build, or None.
        layer: Layer, or None.
        buckets: Number of buckets, at least 1; fixed for the life of a job.

    Returns:
        :func:`stable_hash` modulo ``buckets``.

    Raises:
        ValueError: If ``buckets`` is less than 1.
    """
    if buckets < 1:
        raise ValueError(f"buckets must be at least 1, not {buckets}")
    return stable_hash(build_id, layer) % buckets


def group_rows(
    build_id: pa.Array | pa.ChunkedArray, layer: pa.Array | pa.ChunkedArray
) -> tuple[NDArray[np.int64], list[LayerKey]]:
    """Number the groups of rows that share (build_id, layer).

    Args:
        build_id: string[n] (also large or dictionary-encoded), nullable.
        layer: int32[n], nullable.

    Returns:
        ``codes`` int64[n], the group of each row, and the keys of the groups, in order of their
        first row.

    Raises:
        ValueError: If the lengths differ.
    """
    if len(build_id) != len(layer):
        raise ValueError(f"build_id has {len(build_id)} rows, layer has {len(layer)}")
    builds, build_codes = _encode(build_id)
    layers, layer_codes = _encode(layer)
    pairs = pa.array(build_codes * len(layers) + layer_codes).dictionary_encode()
    keys = [divmod(pair, len(layers)) for pair in pairs.dictionary.to_pylist()]
    codes = pairs.indices.to_numpy().astype(np.int64)
    return codes, [(builds[build], layers[number]) for build, number in keys]


def _encode(column: pa.Array | pa.ChunkedArray) -> tuple[list[Any], NDArray[np.int64]]:
    # The values of the column, None last, and the index of each row's value among them.
    if pa.types.is_dictionary(column.type):
        # Its dictionary may repeat entries, hold unused ones, and differ from chunk to chunk.
        column = column.cast(column.type.value_type)
    # Chunks are not combined: the texts of a big table may not fit into one array.
    chunked = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
    encoded = chunked.dictionary_encode().unify_dictionaries()
    if encoded.num_chunks == 0:
        return [None], np.empty(0, np.int64)
    values = encoded.chunk(0).dictionary.to_pylist()
    codes = np.concatenate(
        [chunk.indices.fill_null(len(values)).to_numpy() for chunk in encoded.chunks]
    )
    return [*values, None], codes.astype(np.int64)


def sorted_groups(
    codes: NDArray[np.int64], keys: list[LayerKey]
) -> tuple[NDArray[np.int64], list[LayerKey]]:
    """Renumber groups so that they ascend by (build_id, layer), nulls first.

    Args:
        codes: int64[n], from :func:`group_rows`.
        keys: Keys of the groups.

    Returns:
        The new codes int64[n] and keys.
    """
    order = sorted(range(len(keys)), key=lambda i: _rank(keys[i]))
    rank = np.empty(len(keys), np.int64)
    rank[order] = np.arange(len(keys))
    return rank[codes], [keys[i] for i in order]


def _rank(key: LayerKey) -> tuple[bool, str, bool, int]:
    build_id, layer = key
    return (build_id is not None, build_id or "", layer is not None, layer or 0)

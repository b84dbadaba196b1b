"""Build files for the benchmarks, and other readers' ways through them, restated.

The restated readers do what the public Python readers do: an object or an array per geometry. Each
returns (geometries, points, sum of x in mm), which has to be what ours finds.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "Found",
    "object_reader_ascii",
    "object_reader_binary",
    "write_ascii",
    "write_blocks",
    "write_fragments",
]

Found = tuple[int, int, float]
"""Geometries, points, sum of x in mm."""

_HEADER = "$$HEADERSTART\n$${}\n$$UNITS/1.0\n$$VERSION/200\n$$LAYERS/{}\n$$HEADEREND"


def _vectors(rng: np.random.Generator, count: int) -> np.ndarray:
    """count x 4 float32: hatch vectors across a plate of 250 mm."""
    x = rng.uniform(0.0, 250.0, (count, 1))
    y = np.sort(rng.uniform(0.0, 250.0, (count, 1)), axis=0)
    return np.hstack([x, y, x + 5.0, y]).astype("<f4")


def write_blocks(path: Path, layers: int = 100, vectors: int = 48_000) -> None:
    """Binary CLI of a few big blocks: one block of hatches per layer (77 MB by default)."""
    rng = np.random.default_rng(1)
    with path.open("wb") as file:
        file.write(_HEADER.format("BINARY", layers).encode())
        for layer in range(layers):
            file.write(struct.pack("<Hf", 127, 0.03 * (layer + 1)))
            file.write(struct.pack("<Hii", 132, 1, vectors))
            file.write(_vectors(rng, vectors).tobytes())


def write_fragments(path: Path, layers: int = 300, contours: int = 3_000, points: int = 8) -> None:
    """Binary CLI of many small contours (900,000 of 8 points: 70 MB by default)."""
    rng = np.random.default_rng(2)
    kind = np.dtype(
        [("opcode", "<u2"), ("id", "<i4"), ("dir", "<i4"), ("n", "<i4"), ("xy", "<f4", (points, 2))]
    )
    with path.open("wb") as file:
        file.write(_HEADER.format("BINARY", layers).encode())
        for layer in range(layers):
            rows = np.zeros(contours, kind)
            rows["opcode"], rows["id"], rows["dir"], rows["n"] = 130, 1, 1, points
            rows["xy"] = rng.uniform(0.0, 250.0, (contours, points, 2))
            rows["xy"][:, -1] = rows["xy"][:, 0]
            file.write(struct.pack("<Hf", 127, 0.03 * (layer + 1)))
            file.write(rows.tobytes())


def write_ascii(path: Path, layers: int = 200, vectors: int = 24_000) -> None:
    """ASCII CLI with hatches of 24 vectors a line (171 MB by default)."""
    rng = np.random.default_rng(3)
    with path.open("w", encoding="ascii") as file:
        file.write(_HEADER.format("ASCII", layers) + "\n$$GEOMETRYSTART\n")
        for layer in range(layers):
            file.write(f"$$LAYER/{0.03 * (layer + 1):.5f}\n")
            for first in range(0, vectors, 24):
                block = _vectors(rng, min(24, vectors - first)).ravel()
                numbers = ",".join(map("{:.5f}".format, block.tolist()))
                file.write(f"$$HATCHES/1,{block.size // 4},{numbers}\n")
        file.write("$$GEOMETRYEND\n")


def object_reader_binary(path: Path) -> Found:
    """Binary CLI of long commands, an array per geometry."""
    data = path.read_bytes()
    at = data.index(b"$$HEADEREND") + len(b"$$HEADEREND")
    geometries: list[dict[str, Any]] = []
    while at < len(data):
        (opcode,) = struct.unpack_from("<H", data, at)
        at += 2
        if opcode == 127:
            at += 4
            continue
        if opcode == 130:
            model, direction, n = struct.unpack_from("<iii", data, at)
            at += 12
            points = np.frombuffer(data, "<f4", 2 * n, at).reshape(-1, 2)
        else:
            model, n = struct.unpack_from("<ii", data, at)
            at += 8
            direction = None
            n *= 2
            points = np.frombuffer(data, "<f4", 2 * n, at).reshape(-1, 2)
        at += 8 * n
        geometries.append({"model": model, "direction": direction, "points": points})
    points = np.concatenate([geometry["points"] for geometry in geometries])
    return len(geometries), len(points), float(points[:, 0].sum(dtype=np.float64))


def object_reader_ascii(path: Path) -> Found:
    """ASCII CLI, line by line, an array per geometry."""
    geometries: list[np.ndarray] = []
    with path.open(encoding="ascii") as file:
        for line in file:
            if line.startswith("$$HATCHES/"):
                numbers = line[len("$$HATCHES/") :].split(",")
                geometries.append(np.array(numbers[2:], np.float64).astype(np.float32))
    points = np.concatenate(geometries).reshape(-1, 2)
    return len(geometries), len(points), float(points[:, 0].sum(dtype=np.float64))

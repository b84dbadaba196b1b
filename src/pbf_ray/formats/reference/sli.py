"""EOS SLI 1.03 in plain Python; the layout is in docs/formats.md."""

from __future__ import annotations

import math
import struct
from typing import Final

import numpy as np

from pbf_ray.formats.reference.build import (
    ReferenceBuild,
    ReferenceGeometry,
    ReferenceLayer,
    damage_in,
    shown,
)

__all__ = ["read_sli"]

_INFO_BYTES: Final = 112
_KINDS: Final = {3: ("contour", 1), 4: ("hatch", 2)}


def read_sli(data: bytes, name: str = "<bytes>") -> ReferenceBuild:
    """Read an SLI file.

    Args:
        data: The file.
        name: What it is called in errors.

    Raises:
        BuildFileError: The file is damaged; code and byte offset as of the core.
    """
    damage = damage_in(name)
    if data[:17] != b"EOS 1993 SLI FILE":
        raise damage("bad_magic", 0, "no SLI file")
    if len(data) < 64:
        raise damage("truncated", 0, "no whole header")
    version, _, base, info, _, _, index = struct.unpack_from("<HHIIIII", data, 40)
    info += base
    index += base
    # Whether the header's size is added to the first offset too was only seen where both agree.
    if not _has_unit(data, info) or (
        _has_unit(data, 64) and _has_creator(data, 64) and not _has_creator(data, info)
    ):
        info = 64
    if not _has_unit(data, info):
        if len(data) < 64 + _INFO_BYTES:
            raise damage("truncated", len(data), "no whole header")
        raise damage("bad_header", info + 84, "no unit")
    creator = shown(data[info : info + 40].split(b"\0")[0].rstrip(b" "))
    layer_count, polylines, points = struct.unpack_from("<III", data, info + 40)
    # The float32 stands for the decimal number that somebody meant.
    unit_mm = float(str(np.float32(struct.unpack_from("<f", data, info + 84)[0])))

    if index + 6 * layer_count > len(data):
        raise damage("truncated", len(data), "no whole index")
    entries = []
    for number in range(layer_count):
        z, offset = struct.unpack_from("<HI", data, index + 6 * number)
        entries.append((z * unit_mm, base + offset))
        if not (64 <= base + offset < len(data) and data[base + offset] == 1):
            raise damage("bad_offset", index + 6 * number, "no layer")
    named: set[int] = set()
    for number in sorted(range(layer_count), key=lambda number: (entries[number][1], number)):
        if entries[number][1] in named:
            raise damage("inconsistent", index + 6 * number, "two layers at one place")
        named.add(entries[number][1])

    ends = sorted(named | {index, len(data)})
    layers = []
    for z_mm, start in entries:
        end = next(place for place in ends if place > start)
        geometries, _ = _read_layer(data[:end], start, unit_mm, name)
        layers.append(ReferenceLayer(z_mm, geometries))
    if version != 103 and not layers:
        raise damage("unsupported", 40, "another version")
    return ReferenceBuild(
        "sli",
        layers,
        metadata=[
            ("version", str(version)),
            ("creator", creator),
            ("header_bytes", str(base)),
            ("layers", str(layer_count)),
            ("polylines", str(polylines)),
            ("points", str(points)),
        ],
    )


def _has_unit(data: bytes, info: int) -> bool:
    if info + _INFO_BYTES > len(data):
        return False
    unit = struct.unpack_from("<f", data, info + 84)[0]
    return math.isfinite(unit) and 0 < unit < 1e6


def _has_creator(data: bytes, info: int) -> bool:
    return all(letter == 0 or letter >= 32 for letter in data[info : info + 40])


def _read_layer(
    data: bytes, position: int, unit_mm: float, name: str
) -> tuple[list[ReferenceGeometry], int]:
    damage = damage_in(name)
    if len(data) - position < 3:
        raise damage("truncated", position + 1, "no height")
    if len(data) - position < 12:
        raise damage("truncated", position + 3, "no whole beginning of a layer")
    position += 12
    geometries: list[ReferenceGeometry] = []
    while True:
        if position >= len(data):
            raise damage("truncated", position, "a layer without an end")
        opcode = data[position]
        if opcode == 2:
            return geometries, position + 1
        if opcode not in _KINDS:
            raise damage("bad_command", position, "no opcode")
        if len(data) - position < 2:
            raise damage("truncated", position, "no whole record")
        if len(data) - position < 4:
            raise damage("truncated", position + 2, "no count")
        kind, points_each = _KINDS[opcode]
        count = struct.unpack_from("<H", data, position + 2)[0] * points_each
        position += 4
        if count * 4 > len(data) - position:
            raise damage("bad_count", position, "more points than bytes")
        raw = struct.unpack_from(f"<{2 * count}H", data, position)
        position += 4 * count
        rows = [(np.float32(value * unit_mm)) for value in raw]
        points_mm = np.array(rows, dtype=np.float32).reshape(-1, 2)
        closed = None
        if kind == "contour":
            closed = count > 2 and raw[:2] == raw[-2:]
        geometries.append(ReferenceGeometry(kind, points_mm, closed))

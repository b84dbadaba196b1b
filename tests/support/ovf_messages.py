"""Google's protobuf as the other opinion on OVF: the messages that tests read and write.

Only field numbers and types stand here, as the format's public schema has them; the names are ours.
``OvfFile`` is the container around them, in plain Python.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.decoder import _DecodeVarint
from google.protobuf.internal.encoder import _VarintBytes

from support.build_rows import Row, as_row

__all__ = [
    "MESSAGES",
    "OvfFile",
    "Plane",
    "block",
    "delimited",
    "expected_rows",
    "read_ovf",
    "write_ovf",
]

_SCALARS: Final = {
    "f32": descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT,
    "f64": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "i32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "u32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "i64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "u64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "text": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
}

# message: {number: (name, type)}; "*type" is repeated, "?type" a member of the oneof.
_FACTS: Final[dict[str, dict[int, tuple[str, str]]]] = {
    "JobLut": {1: ("shell_at", "i64"), 2: ("planes", "*i64")},
    "PlaneLut": {1: ("shell_at", "i64"), 2: ("blocks", "*i64")},
    "Box": {1: ("x_min", "f32"), 2: ("y_min", "f32"), 3: ("x_max", "f32"), 4: ("y_max", "f32")},
    "JobMeta": {
        1: ("created", "i64"),
        2: ("version", "u64"),
        3: ("name", "text"),
        4: ("author", "text"),
        5: ("description", "text"),
        6: ("bounds", "Box"),
    },
    "Gradient": {1: ("min_power", "f32"), 2: ("gradient", "f32")},
    "Params": {
        1: ("power", "f32"),
        2: ("speed", "f32"),
        3: ("focus", "f32"),
        4: ("point_exposure", "f32"),
        5: ("jump_speed", "f32"),
        6: ("point_repetitions", "f32"),
        7: ("repetition_rate", "u64"),
        10: ("marking_mode", "i32"),
        11: ("jump_delay", "f32"),
        12: ("laser_off_delay", "f32"),
        13: ("laser_on_delay", "f32"),
        14: ("mark_delay", "f32"),
        15: ("polygon_delay", "f32"),
        25: ("gradient", "Gradient"),
        26: ("name", "text"),
        27: ("beam_profile", "i32"),
        130: ("proprietary", "text"),
    },
    "ParamsEntry": {1: ("key", "i32"), 2: ("value", "Params")},
    "Strategy": {5: ("layer_thickness", "f32"), 6: ("hatch_distance", "f32"), 90: ("name", "text")},
    "Part": {1: ("name", "text"), 4: ("strategy", "Strategy"), 8: ("parent", "text")},
    "PartEntry": {1: ("key", "i32"), 2: ("value", "Part")},
    "JobParams": {1: ("preheating", "f64"), 2: ("gas_directions", "*f64")},
    "Job": {
        1: ("work_planes", "*WorkPlane"),
        2: ("meta", "JobMeta"),
        3: ("params", "*ParamsEntry"),
        4: ("parts", "*PartEntry"),
        5: ("job_params", "JobParams"),
        6: ("plane_count", "i32"),
    },
    "PlaneMeta": {7: ("bounds", "Box")},
    "WorkPlane": {
        1: ("blocks", "*Block"),
        2: ("x", "f32"),
        3: ("y", "f32"),
        4: ("z", "f32"),
        7: ("z_rot", "f32"),
        8: ("block_count", "i32"),
        9: ("repeats", "u32"),
        10: ("number", "i32"),
        13: ("meta", "PlaneMeta"),
    },
    "Floats": {1: ("points", "*f32")},
    "Arcs": {1: ("angle", "f64"), 2: ("dx", "f32"), 3: ("dy", "f32"), 4: ("centers", "*f32")},
    "Ellipses": {1: ("a", "f32"), 2: ("b", "f32"), 3: ("phi0", "f64"), 4: ("arcs", "Arcs")},
    "Arcs3d": {
        1: ("angle", "f64"),
        2: ("dx", "f32"),
        3: ("dy", "f32"),
        4: ("dz", "f32"),
        5: ("centers", "*f32"),
    },
    "Pause": {1: ("microseconds", "u64")},
    "Adapted": {1: ("points", "*f32"), 2: ("parameter", "i32")},
    "AdaptedHatches": {1: ("sequences", "*Adapted")},
    "Sync": {1: ("wait_for", "i32")},
    "BlockMeta": {1: ("scan_distance", "f64"), 3: ("part", "i32"), 5: ("contour", "i32")},
    "Lpbf": {1: ("part_area", "i32"), 2: ("skin_type", "i32"), 5: ("reexposure", "bool")},
    "Block": {
        1: ("lines", "?Floats"),
        2: ("hatches", "?Floats"),
        3: ("points", "?Floats"),
        4: ("arcs", "?Arcs"),
        5: ("ellipses", "?Ellipses"),
        6: ("lines_3d", "?Floats"),
        7: ("hatches_3d", "?Floats"),
        8: ("points_3d", "?Floats"),
        9: ("arcs_3d", "?Arcs3d"),
        10: ("pause", "?Pause"),
        11: ("adapted_lines", "?Adapted"),
        12: ("adapted_hatches", "?AdaptedHatches"),
        13: ("sync", "?Sync"),
        50: ("params", "i32"),
        53: ("laser", "i32"),
        54: ("repeats", "u64"),
        100: ("meta", "BlockMeta"),
        101: ("lpbf", "Lpbf"),
    },
}


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="ovf_as_tested.proto", package="ovf_as_tested", syntax="proto3"
    )
    for message_name, facts in _FACTS.items():
        message = file.message_type.add(name=message_name)
        if any(kind.startswith("?") for _, kind in facts.values()):
            message.oneof_decl.add(name="data")
        for number, (name, kind) in facts.items():
            repeated = kind.startswith("*")
            one = message.field.add(
                name=name,
                number=number,
                label=descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
                if repeated
                else descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            )
            if kind.startswith("?"):
                one.oneof_index = 0
            bare = kind.lstrip("*?")
            if bare in _SCALARS:
                one.type = _SCALARS[bare]
            else:
                one.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
                one.type_name = f".ovf_as_tested.{bare}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"ovf_as_tested.{name}"))
        for name in _FACTS
    }


MESSAGES: Final = _messages()
"""Message classes by name."""


@dataclass
class Plane:
    """A work plane: its shell, and its blocks."""

    shell: Any
    blocks: list[Any] = field(default_factory=list)


@dataclass
class OvfFile:
    """A whole OVF file as messages."""

    job: Any
    planes: list[Plane] = field(default_factory=list)


def delimited(message: Any) -> bytes:
    """A message behind its length."""
    raw = message.SerializeToString()
    return bytes(_VarintBytes(len(raw))) + raw


def _message(kind: str, content: bytes, position: int) -> Any:
    length, begin = _DecodeVarint(content, position)
    assert begin + length <= len(content)
    return MESSAGES[kind].FromString(content[begin : begin + length])


def read_ovf(content: bytes) -> OvfFile:
    """Read a finished OVF file as Google's protobuf reads its messages."""
    assert content[:4] == b"LVF!"
    (position,) = struct.unpack_from("<q", content, 4)
    lut = _message("JobLut", content, position)
    out = OvfFile(_message("Job", content, lut.shell_at))
    for plane in lut.planes:
        (position,) = struct.unpack_from("<q", content, plane)
        plane_lut = _message("PlaneLut", content, position)
        out.planes.append(
            Plane(
                _message("WorkPlane", content, plane_lut.shell_at),
                [_message("Block", content, block) for block in plane_lut.blocks],
            )
        )
    return out


def write_ovf(ovf: OvfFile) -> bytes:
    """Write an OVF file with Google's protobuf; counts in the shells stay as they are given."""
    out = bytearray(b"LVF!" + bytes(8))
    lut = MESSAGES["JobLut"]()
    for plane in ovf.planes:
        lut.planes.append(len(out))
        place = len(out)
        out += bytes(8)
        plane_lut = MESSAGES["PlaneLut"]()
        for block in plane.blocks:
            plane_lut.blocks.append(len(out))
            out += delimited(block)
        plane_lut.shell_at = len(out)
        out += delimited(plane.shell)
        struct.pack_into("<q", out, place, len(out))
        out += delimited(plane_lut)
    lut.shell_at = len(out)
    out += delimited(ovf.job)
    struct.pack_into("<q", out, 4, len(out))
    out += delimited(lut)
    return bytes(out)


def block(kind: str, points: list[float], **fields: Any) -> Any:
    """A vector block of one kind with points; further fields by name."""
    out = MESSAGES["Block"](**fields)
    getattr(out, kind).SetInParent()
    getattr(out, kind).points.extend(points)
    return out


_PLAIN: Final = {
    "lines": ("contour", 2),
    "hatches": ("hatch", 2),
    "points": ("points", 2),
    "lines_3d": ("contour", 3),
    "hatches_3d": ("hatch", 3),
    "points_3d": ("points", 3),
    "adapted_lines": ("contour", 3),
}


def expected_rows(ovf: OvfFile) -> list[Row]:
    """What a reader is to make of a file; written from the schema, not from the C++."""
    styles = {entry.key for entry in ovf.job.params}
    parts = {entry.key for entry in ovf.job.parts}
    out: list[Row] = []
    for layer, plane in enumerate(ovf.planes):
        rows: list[Row] = []
        for one in [*plane.blocks, *plane.shell.blocks]:
            style = one.params if one.params or 0 in styles else None
            part = one.meta.part if one.HasField("meta") and (one.meta.part or 0 in parts) else None
            rows += [
                as_row(
                    layer,
                    kind,
                    points,
                    build_style_id=style,
                    model_id=part,
                    laser_id=one.laser,
                )
                for kind, points in _shapes(one)
            ] * (1 + one.repeats)
        out += rows * (1 + plane.shell.repeats)
    return out


def _shapes(one: Any) -> list[tuple[str, Any]]:
    name = one.WhichOneof("data")
    if name in _PLAIN:
        kind, stride = _PLAIN[name]
        return [(kind, np.array(getattr(one, name).points, np.float32).reshape(-1, stride)[:, :2])]
    if name == "adapted_hatches":
        vectors = []
        for sequence in one.adapted_hatches.sequences:
            points = np.array(sequence.points, np.float32).reshape(-1, 3)[:, :2]
            vectors += [points[at : at + 2] for at in range(len(points) - 1)]
        return [("hatch", np.array(vectors, np.float32))]
    if name == "arcs":
        centers = np.array(one.arcs.centers, np.float32).reshape(-1, 2)
        return [("contour", _arc(one.arcs, *center)) for center in centers.tolist()]
    if name == "arcs_3d" and one.arcs_3d.dz == 0:
        centers = np.array(one.arcs_3d.centers, np.float32).reshape(-1, 3)
        return [("contour", _arc(one.arcs_3d, x, y)) for x, y, _ in centers.tolist()]
    return []


def _arc(arc: Any, x: float, y: float) -> Any:
    """Points of an arc, chords within 5 um of it and turning 10 degrees at most."""
    radius = math.hypot(arc.dx, arc.dy)
    turn = math.radians(10)
    if radius > 0.005:
        turn = min(turn, 2 * math.acos(1 - 0.005 / radius))
    chords = max(1, math.ceil(abs(arc.angle) * math.pi / 180 / turn))
    points = []
    for at in range(chords + 1):
        angle = arc.angle * math.pi / 180 / chords * at
        if at == chords and arc.angle and math.fmod(arc.angle, 360) == 0:
            angle = 0
        points.append(
            (
                x + arc.dx * math.cos(angle) + arc.dy * math.sin(angle),
                y - arc.dx * math.sin(angle) + arc.dy * math.cos(angle),
            )
        )
    return points

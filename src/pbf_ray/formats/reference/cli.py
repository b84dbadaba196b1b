"""CLI 2.0 and CLI+ in plain Python."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import Any, Final

import numpy as np

from pbf_ray.formats.reference.build import (
    ReferenceBuild,
    ReferenceGeometry,
    ReferenceLayer,
    shown,
)
from pbf_ray.formats.reference.cli_text import BLANK, INT32, NUMBER, CliText

__all__ = ["read_cli"]

_EMPTY: Final = np.zeros((0, 2), np.float32)


def read_cli(data: bytes, *, name: str = "<bytes>") -> ReferenceBuild:
    """Read a CLI file.

    Args:
        data: The whole file.
        name: Its name in errors.

    Raises:
        BuildFileError: With the code, and mostly the byte offset, of the core.
    """
    return _Reader(data, name).read()


class _Reader(CliText):
    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data, name)
        self.layers: list[ReferenceLayer] = []
        self.styles: list[dict[str, Any]] = []

    def read(self) -> ReferenceBuild:
        self.read_header()
        if self.header.encoding == "binary":
            self.read_binary()
        else:
            self.read_ascii()
        header = self.header
        return ReferenceBuild("cli", self.layers, header.models, self.styles, header.metadata)

    # Binary geometry.

    def read_binary(self) -> None:
        data, at = self.data, self.behind_padding(self.header.end)
        if data[at : at + 15].upper() == b"$$GEOMETRYSTART":
            at = self.behind_padding(at + 15)
        if self.header.align:
            aligned = self.header.end + -(self.header.end - self.header.start) % 4
            if self.is_aligned_command(aligned) or not self.is_aligned_command(at):
                at = min(aligned, len(data))
        shorts: list[tuple[list[ReferenceGeometry], int, int, int, int]] = []
        while not self.is_end(at):
            offset = at
            opcode, at = self.field("H", at)
            if opcode in (127, 128):
                z, at = self.field("f" if opcode == 127 else "H", at)
                z *= self.header.unit_mm
                if not math.isfinite(z):
                    raise self.fail("bad_number", offset, "no height")
                self.layers.append(ReferenceLayer(z, []))
                continue
            if opcode not in (129, 130, 131, 132):
                raise self.fail("bad_command", offset, f"no command {opcode}")
            word, size = ("i", 8) if opcode in (130, 132) else ("H", 4)
            model, at = self.field(word, at)
            if model == -INT32:
                raise self.fail("bad_number", offset, "no id")
            if opcode in (129, 130):
                _, at = self.field(word, at)
            count, at = self.field(word, at)
            if count < 0:
                raise self.fail("bad_count", offset, "less than no points")
            points = count if opcode in (129, 130) else 2 * count
            if points * size > len(data) - at:
                raise self.fail("bad_count", at, "more points than there are")
            if not self.layers:
                raise self.fail("bad_command", offset, "no layer yet")
            kind = "contour" if opcode in (129, 130) else "hatch"
            self.layers[-1].geometries.append(ReferenceGeometry(kind, _EMPTY, model_id=model))
            shorts.append((self.layers[-1].geometries, opcode, at, points, offset))
            at += points * size
        short = "h" if self.is_signed(shorts) else "H"
        places: dict[int, int] = {}
        for geometries, opcode, start, points, _ in shorts:
            place = places.get(id(geometries), 0)
            places[id(geometries)] = place + 1
            code, size = ("f", 4) if opcode in (130, 132) else (short, 2)
            values = struct.unpack_from(f"<{2 * points}{code}", data, start)
            offsets = [start + size * item for item in range(2 * points)]
            made = self.geometry(geometries[place].kind, values, offsets)
            geometries[place] = replace(geometries[place], **made)

    def behind_padding(self, at: int) -> int:
        return len(self.data) - len(self.data[at:].lstrip(b" \t\r\n\0"))

    def is_aligned_command(self, at: int) -> bool:
        return int.from_bytes(self.data[at : at + 4], "little") in range(127, 133) and (
            len(self.data) - at >= 4
        )

    def is_end(self, at: int) -> bool:
        rest = self.data[at:].lstrip(b"\0 \t\r\n\x1a")
        return not rest or rest[:13].upper() == b"$$GEOMETRYEND"

    def field(self, code: str, at: int) -> tuple[Any, int]:
        size = struct.calcsize(f"<{code}")
        if size > len(self.data) - at:
            raise self.fail("truncated", at, "a field is cut")
        value = struct.unpack_from(f"<{code}", self.data, at)[0]
        padding = 4 - size if self.header.align and size < 4 else 0
        if padding > len(self.data) - at - size:
            raise self.fail("truncated", at + size, "padding is cut")
        return value, at + size + padding

    def is_signed(self, shorts: list[tuple[list[ReferenceGeometry], int, int, int, int]]) -> bool:
        """Whether short coordinates are int16: so they are unless something speaks against it."""
        box = self.header.dimension_mm
        if box is not None:
            x0, y0, _, x1, y1, _ = box
            if x0 <= x1 and y0 <= y1 and (x0, y0) != (x1, y1):
                unit = self.header.unit_mm
                return min(x0, y0) / unit < -0.5 or max(x1, y1) / unit < 32767.5
        votes = 0
        for _, opcode, at, points, _ in shorts:
            if opcode != 129:
                continue
            values = struct.unpack_from(f"<{2 * points}H", self.data, at)
            for before, after in zip(values, values[2:], strict=False):
                if (before < 0x8000) != (after < 0x8000):
                    apart = abs(before - after)
                    votes += (65536 - apart < 4096) - (apart < 4096)
        return votes >= 0

    def geometry(self, kind: str, values: Any, offsets: list[int]) -> dict[str, Any]:
        """Points in mm as float32, rounded once; and whether they are closed."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.array(values, np.float64) * self.header.unit_mm
            in_mm = scaled.astype(np.float32)
        wrong = np.flatnonzero(~np.isfinite(in_mm))
        if len(wrong):
            raise self.fail("bad_number", offsets[int(wrong[0])], "a coordinate is not finite")
        points = in_mm.reshape(-1, 2)
        closed = len(points) >= 3 and bool((points[0] == points[-1]).all())
        return {"points_mm": points, "closed": closed if kind == "contour" else None}

    # ASCII geometry.

    def read_ascii(self) -> None:
        """Finds layers and states first, as the core does, so that errors come in its order."""
        state: dict[bytes, float | bytes] = {}
        states: list[dict[bytes, float | bytes]] = []
        found: list[tuple[int, bytes, int, int | None]] = []  # geometries of the layers
        starts: list[int] = []
        at, end = self.header.end, len(self.data)
        text = self.skip_blank(at)
        if text < end and not self.next_command(at, end):
            raise self.fail("bad_command", text, "no command")
        while command := self.next_command(at, len(self.data)):
            offset, word, at = command
            if word == b"LAYER":
                z, at = self.last_number(at, len(self.data))
                z *= self.header.unit_mm
                if not math.isfinite(z):
                    raise self.fail("bad_number", at, "no height")
                self.layers.append(ReferenceLayer(z, []))
                starts.append(offset)
            elif word in (b"POLYLINE", b"HATCHES"):
                if not self.layers:
                    raise self.fail("bad_command", offset, "no layer yet")
                if state and state not in states:
                    states.append(dict(state))
                style = states.index(state) + 1 if state else None
                found.append((len(self.layers) - 1, word, at, style))
            elif word in (b"POWER", b"SPEED", b"FOCUS"):
                state[word], at = self.last_number(at, len(self.data))
            elif word == b"PARAM":
                at = self.parameter(at, state)
            elif word == b"GEOMETRYEND":
                end = offset
                break
            elif word != b"GEOMETRYSTART" or self.layers:
                raise self.fail("bad_command", offset, "no command of a geometry")
        ends = [*starts[1:], end]
        for layer, word, at, style in found:
            made = self.ascii_geometry(word, at, ends[layer])
            self.layers[layer].geometries.append(replace(made, build_style_id=style))
        self.styles = [_style(number, one) for number, one in enumerate(states, 1)]

    def parameter(self, at: int, state: dict[bytes, float | bytes]) -> int:
        _, behind = self.parameters(at)
        words = [word.strip(BLANK) for word in self.data[at:behind].split(b",")]
        if len(words) < 2 or not words[0]:
            raise self.fail("bad_command", at, "no name and value")
        state[b"PARAM/" + words[0]] = words[-1]
        return behind

    def ascii_geometry(self, word: bytes, at: int, end: int) -> ReferenceGeometry:
        offset = at - len(word) - 3
        model, at = self.integer(at, end)
        at = self.comma(at, end)
        if word == b"POLYLINE":
            _, at = self.number(at, end)
            at = self.comma(at, end)
        count, at = self.integer(at, end, -INT32)
        numbers = count * (2 if word == b"POLYLINE" else 4)
        if count < 0 or numbers > (end - at) // 2:
            raise self.fail("bad_count", offset, "more points than there are")
        values, offsets = [], []
        for _ in range(numbers):
            at = self.comma(at, end)
            value, behind = self.number(at, end)
            values.append(value)
            offsets.append(at)
            at = behind
            self.geometry(
                "hatch", [value, 0.0], [offsets[-1]] * 2
            )  # finite in mm, or an error here
        if self.has_further(at, end):
            raise self.fail("inconsistent", offset, "more numbers than the count says")
        kind = "contour" if word == b"POLYLINE" else "hatch"
        return ReferenceGeometry(kind, model_id=model, **self.geometry(kind, values, offsets))


def _style(number: int, state: dict[bytes, float | bytes]) -> dict[str, Any]:
    parameters = {
        shown(name.removeprefix(b"PARAM/")): shown(value)
        for name, value in sorted(state.items())
        if isinstance(value, bytes)
    }
    known: dict[str, float | None] = {"jump_speed": None, "jump_delay": None}
    for name in known:
        text = parameters.get(name, "")
        if NUMBER.fullmatch(text.encode()) and math.isfinite(float(text)):
            known[name] = float(text)
            del parameters[name]
    return {
        "build_style_id": number,
        "laser_power_w": state.get(b"POWER"),
        "speed_mm_s": state.get(b"SPEED"),
        "focus_mm": state.get(b"FOCUS"),
        "jump_speed_mm_s": known["jump_speed"],
        "jump_delay_us": known["jump_delay"],
        "parameters": list(parameters.items()),
    }

"""The text and the header of CLI files in plain Python."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pbf_ray.errors import BuildFileError
from pbf_ray.formats.reference.build import damage_in, shown

__all__ = ["BLANK", "INT32", "NUMBER", "CliText"]

BLANK: Final = b" \t\n\v\f\r\0"
NUMBER: Final = re.compile(rb"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_COMMENT_OR_COMMAND: Final = re.compile(rb"//|\$\$")
_WORD: Final = re.compile(rb"([A-Za-z]*)(?:[ \t]*/(?!/))?")
_QUOTED: Final = re.compile(rb'[^"\n]*')
_END_OF_PARAMETERS: Final = re.compile(rb"\r|\n|//|\$\$[A-Za-z]|\Z")
_END_OF_LABEL: Final = re.compile(rb"\r|\n|\$\$[A-Za-z]|\Z")
_LINE: Final = re.compile(rb"[^\r\n]*")
INT32: Final = 1 << 31


@dataclass
class _Header:
    metadata: list[tuple[str, str]] = field(default_factory=list)
    models: list[dict[str, Any]] = field(default_factory=list)
    encoding: str = ""
    unit_mm: float = 0.0
    align: bool = False
    dimension_mm: list[float] | None = None
    start: int = 0
    end: int = 0


class CliText:
    """A CLI file with its header: commands, comments, numbers at byte offsets."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.fail = damage_in(name)
        self.header = _Header()

    # Text: commands, comments, numbers.

    def behind_comment(self, at: int) -> int:
        """At "//": behind the next one, or at the end of the line where there is none."""
        closing = self.data.find(b"//", at + 2)
        if closing >= 0:
            return closing + 2
        line = self.data.find(b"\n", at + 2)
        return len(self.data) if line < 0 else line

    def next_command(self, at: int, end: int) -> tuple[int, bytes, int] | None:
        """Offset, name, and offset of the parameters of the next command that is in no comment."""
        while found := _COMMENT_OR_COMMAND.search(self.data, at, end):
            if found[0] == b"//":
                at = self.behind_comment(found.start())
                continue
            word = cast("re.Match[bytes]", _WORD.match(self.data, found.end(), end))
            return found.start(), word[1].upper(), word.end()
        return None

    def skip_blank(self, at: int) -> int:
        """Behind blanks and comments."""
        while at < len(self.data):
            if self.data[at] in BLANK:
                at += 1
            elif self.data[at : at + 2] == b"//":
                at = self.behind_comment(at)
            else:
                break
        return at

    def number(self, at: int, end: int) -> tuple[float, int]:
        """The number behind blanks, and where it ends. It lies before ``end``."""
        at = self.skip_blank(at)
        found = NUMBER.match(self.data, at, end)
        if found is None:
            raise self.fail("truncated" if at >= end else "bad_number", min(at, end), "no number")
        if found.end() == len(self.data):
            raise self.fail("truncated", at, "the file ends in a number")
        value = float(found[0])
        if not math.isfinite(value):
            raise self.fail("bad_number", at, "too large")
        return value, found.end()

    def integer(self, at: int, end: int, least: int = -INT32 + 1) -> tuple[int, int]:
        """As ``number``, and an integer of int32."""
        at = self.skip_blank(at)
        value, behind = self.number(at, end)
        if value != int(value) or not least <= value < INT32:
            raise self.fail("bad_number", at, "no int32")
        return int(value), behind

    def comma(self, at: int, end: int) -> int:
        """Behind a comma that is there."""
        at = self.skip_blank(at)
        if at >= end:
            raise self.fail("truncated", end, "a comma is missing")
        if self.data[at : at + 1] != b",":
            raise self.fail("bad_number", at, "a comma is missing")
        return at + 1

    def has_further(self, at: int, end: int) -> bool:
        """Whether a comma and something more than the next command follow."""
        at = self.skip_blank(at)
        if at >= end or self.data[at : at + 1] != b",":
            return False
        at = self.skip_blank(at + 1)
        return at < end and self.data[at : at + 2] != b"$$"

    def last_number(self, at: int, end: int) -> tuple[float, int]:
        """As ``number``, with no further one behind it."""
        value, behind = self.number(at, end)
        if self.has_further(behind, end):
            raise self.fail("bad_number", behind, "a decimal comma")
        return value, behind

    def parameters(self, at: int) -> tuple[str, int]:
        """Text to the end of the line, a comment, or a command; and where it ends."""
        found = cast("re.Match[bytes]", _END_OF_PARAMETERS.search(self.data, at))
        return shown(self.data[at : found.start()].strip(BLANK)), found.start()

    def label(self, at: int) -> tuple[str, int]:
        """As ``parameters``; "//" is text, unless a blank is before it or another ends the line."""
        line = cast("re.Match[bytes]", _END_OF_LABEL.search(self.data, at)).start()
        for comment in re.finditer(rb"(?=//)", self.data[at:line]):
            begin = at + comment.start()
            whole = cast("re.Match[bytes]", _LINE.match(self.data, begin + 2))[0].rstrip(BLANK)
            if begin == at or self.data[begin - 1] in BLANK or whole.endswith(b"//"):
                line = begin
                break
        return shown(self.data[at:line].strip(BLANK)), line

    # Header.

    def read_header(self) -> None:
        """Reads what stands before the geometry."""
        header = self.header
        header.start = self.data.upper().find(b"$$HEADERSTART")
        if header.start < 0:
            raise self.fail("bad_magic", 0, "no header")
        header.end = -1
        at = header.start + len(b"$$HEADERSTART")
        while command := self.next_command(at, len(self.data)):
            offset, word, at = command
            if word.startswith(b"HEADEREND"):
                header.end = offset + len(b"$$HEADEREND")
                break
            at = self._header_command(offset, word, at)
        if header.end < 0:
            raise self.fail("bad_header", at, "no end of the header")
        if not header.encoding or not header.unit_mm:
            raise self.fail("bad_header", header.end - len(b"$$HEADEREND"), "no mode or no unit")

    def _header_command(self, offset: int, word: bytes, at: int) -> int:
        header = self.header
        if word == b"USERDATA":
            return self._user_data(offset, at)
        if word == b"LABEL":
            return self._label(at)
        if word in (b"BINARY", b"ASCII"):
            if header.encoding not in ("", word.decode().lower()):
                raise self.fail("bad_header", offset, "two modes")
            header.encoding = word.decode().lower()
            header.metadata.append(("encoding", header.encoding))
            return at
        if word == b"ALIGN":
            header.align = True
            header.metadata.append(("align", "true"))
            return at
        text, behind = self.parameters(at)
        key = {b"UNITS": "units_mm", b"DIMENSION": "dimension_mm"}.get(word, word.decode().lower())
        header.metadata.append((key, text))
        if word == b"UNITS":
            header.unit_mm = self.last_number(at, behind)[0]
            if not 1.1754943508222875e-38 <= header.unit_mm <= 3.4028234663852886e38:
                raise self.fail("bad_number", offset, "no length")
        elif word == b"DIMENSION":
            try:
                box, place = [], at
                for item in range(6):
                    value, place = self.number(self.comma(place, behind) if item else place, behind)
                    box.append(value)
                header.dimension_mm = box
            except BuildFileError:
                pass  # declared, but only a warning
        return behind

    def _label(self, at: int) -> int:
        try:
            number, at = self.integer(at, len(self.data))
            at = self.skip_blank(self.comma(at, len(self.data)))
        except BuildFileError as error:
            return self.parameters(error.facts["byte_offset"])[1]
        if self.data[at : at + 1] == b'"':
            line = cast("re.Match[bytes]", _QUOTED.match(self.data, at + 1))
            closed = self.data[line.end() : line.end() + 1] == b'"'
            text = line[0] if closed else line[0].strip(BLANK)
            at = line.end() + (1 if closed else 0)
            name = shown(text)
        else:
            name, at = self.label(at)
        self.header.models.append({"model_id": number, "name": name})
        return at

    def _user_data(self, offset: int, at: int) -> int:
        comma = re.compile(rb"[^,\n]*,").match(self.data, at)
        if comma is None:
            raise self.fail("bad_header", offset, "no length")
        at = self.skip_blank(comma.end())
        value, behind = self.number(at, len(self.data))
        if value != int(value) or not 0 <= value <= 1 << 53:
            raise self.fail("bad_number", at, "no length")
        if self.data[behind : behind + 1] != b",":
            raise self.fail("bad_header", behind, "no comma")
        if behind + 1 + int(value) > len(self.data):
            raise self.fail("bad_count", offset, "more bytes than there are")
        return behind + 1 + int(value)

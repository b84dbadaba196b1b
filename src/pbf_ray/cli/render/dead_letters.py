"""Dead letters and late records: a list, and one with its raw bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.fitting import FittedColumn, fitted_table
from pbf_ray.cli.render.rows import moment, preview
from pbf_ray.cli.render.text import count, listing

__all__ = ["hex_dump", "letter_view", "letters_table"]

Row = Mapping[str, Any]

_PER_LINE: Final = 16
_MOST_BYTES: Final = 512
_REPLAYED: Final = {"no": "", "yes": "yes", "unconfirmed": "unconfirmed"}


def letters_table(rows: Sequence[Row], *, width: int) -> RenderableType:
    """A line per record.

    Args:
        rows: As ``DeadLetters.find`` gives them.
        width: Columns of the terminal.
    """

    def column(heading: str, texts: list[str], **options: Any) -> FittedColumn:
        style = options.pop("style", "")
        return FittedColumn(heading, [Text(text, style=style) for text in texts], **options)

    return fitted_table(
        [
            column("place", [_place(row) for row in rows], fold=True),
            column(
                "set aside, UTC",
                [f"{row['processing_timestamp']:%Y-%m-%d %H:%M:%S}" for row in rows],
                spare=3,
            ),
            column("reason", [row["reason"] for row in rows], style="yellow"),
            column(
                "build", ["-" if row["build_id"] is None else row["build_id"] for row in rows],
                spare=4,
            ),
            column("record", [_record(row) for row in rows], spare=2, style="dim"),
            column(
                "replayed", [_REPLAYED[row["replayed"]] for row in rows], spare=1, style="green"
            ),
        ],
        width=width,
    )  # fmt: skip


def letter_view(row: Row, *, width: int, whole: bool = False) -> RenderableType:
    """One record: why, where, and its bytes as hex and as text.

    Args:
        row: As ``DeadLetters.get`` gives it.
        width: Columns of the terminal.
        whole: Show all bytes, however many.
    """
    value: bytes | None = row["value"]
    table = listing("", "", header=False)
    stamp = row.get("kafka_timestamp")
    for name, text in (
        ("reason", row["reason"]),
        ("detail", row.get("detail")),
        ("timestamp", None if row.get("timestamp") is None else f"{moment(row['timestamp'])} UTC"),
        ("watermark", None if row.get("watermark") is None else f"{moment(row['watermark'])} UTC"),
        ("build, layer", f"{row['build_id']}, {row['layer']}" if row["build_id"] else None),
        ("key", preview(row["key"])),
        ("sent to Kafka", None if stamp is None else f"{stamp:%Y-%m-%d %H:%M:%S} UTC"),
        ("set aside", f"{row['processing_timestamp']:%Y-%m-%d %H:%M:%S} UTC, epoch {row['epoch']}"),
        ("record key", row["record_key"]),
        ("sent again", row["replayed_to"] or _REPLAYED[row["replayed"]] or "no"),
    ):
        if text is not None:
            table.add_row("", Text(name, style="dim"), str(text))
    parts: list[RenderableType] = [Text(_place(row), style="bold"), table]
    if not row.get("raw", True):
        note = "the broker has it no more: written anew from the table"
        parts.append(Text(f"  {note}", style="yellow"))
    if value is None:
        return Group(*parts, Text("  no value", style="dim"))
    at: int | None = row.get("error_byte")
    parts.append(Text(f"  {count(len(value))} bytes", style="dim"))
    first, last = (0, len(value)) if whole else _part(len(value), at)
    parts += _text_around(value, at, width)
    parts += hex_dump(value, first, last, mark=at)
    if (first, last) != (0, len(value)):
        parts.append(Text("  --all shows every byte", style="dim"))
    return Group(*parts)


def hex_dump(
    value: bytes, first: int = 0, last: int | None = None, *, mark: int | None = None
) -> list[Text]:
    """Lines of 16 bytes: offset, hex, printable ASCII.

    Args:
        value: The bytes.
        first: Where to begin, rounded down to a line.
        last: Where to end.
        mark: Index of a byte to mark.
    """
    lines = []
    last = len(value) if last is None else min(last, len(value))
    for start in range(first - first % _PER_LINE, last, _PER_LINE):
        piece = value[start : min(start + _PER_LINE, last)]
        line = Text("  ").append(f"{start:08x} ", style="dim")
        for index, byte in enumerate(piece, start):
            line.append(" ").append(f"{byte:02x}", style="bold red" if index == mark else "")
        line.append(" " * (3 * (_PER_LINE - len(piece)) + 2))
        for index, byte in enumerate(piece, start):
            shown = chr(byte) if 32 <= byte < 127 else "."
            line.append(shown, style="bold red" if index == mark else "")
        lines.append(line)
    return lines


def _text_around(value: bytes, at: int | None, width: int) -> list[RenderableType]:
    """The text near the error, and a mark below it."""
    if at is None:
        return []
    room = max(20, width - 8)
    start = max(0, min(at, len(value)) - room // 2)
    before = preview(value[start:at], most=10_000)
    after = preview(value[at : start + room], most=10_000)
    if len(before) + len(after) > room:
        before, after = before[-(room // 2) :], after[: room // 2]
    return [
        Text.assemble("  ", before, (after[:1], "bold red"), after[1:], no_wrap=True),
        Text("  " + " " * len(before) + "^ here", style="red"),
    ]


def _part(size: int, at: int | None) -> tuple[int, int]:
    if size <= _MOST_BYTES:
        return 0, size
    middle = min(at or 0, size)
    first = max(0, min(middle - _MOST_BYTES // 2, size - _MOST_BYTES))
    first -= first % _PER_LINE
    return first, first + _MOST_BYTES


def _place(row: Row) -> str:
    return f"{row['topic']}/{row['partition']}/{row['offset']}"


def _record(row: Row) -> str:
    if "value" in row:
        return preview(row["value"], most=32)
    return f"{moment(row['timestamp'])} layer {row['layer']}"

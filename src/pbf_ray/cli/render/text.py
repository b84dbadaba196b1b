"""Text of a given width, with colours where they show."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

__all__ = ["console_for", "count", "duration", "listing", "show"]

_WIDTH_IN_FILES = 160
"""Width where there is no terminal: nothing is cut, and lines can be searched."""


def console_for(stream: TextIO, *, width: int | None = None) -> Console:
    """A rich console on a stream.

    Args:
        stream: Where to write.
        width: Columns; those of the terminal, or many where there is none.
    """
    from rich.console import Console

    if width is None and not stream.isatty() and "COLUMNS" not in os.environ:
        width = _WIDTH_IN_FILES
    return Console(file=stream, width=width, highlight=False, emoji=False, soft_wrap=False)


def show(renderable: RenderableType, stream: TextIO, *, width: int | None = None) -> None:
    """Write something rich can render, without blanks at the ends of lines."""
    console = console_for(stream, width=width)
    with console.capture() as captured:
        console.print(renderable, crop=False)
    stream.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def listing(*columns: str, right: tuple[str, ...] = (), header: bool = True) -> Table:
    """A table without lines, indented by two.

    Args:
        columns: Headings.
        right: Which columns hold numbers.
        header: Whether to write the headings.
    """
    from rich.table import Table

    table = Table(
        box=None, show_header=header, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0)
    )
    table.add_column("", width=0)
    for column in columns:
        if column in right:
            table.add_column(column, justify="right", no_wrap=True)
        else:
            table.add_column(column, overflow="fold")
    return table


def count(value: int) -> str:
    """A count, in groups of three digits."""
    return f"{value:,}"


def duration(seconds: float) -> str:
    """``0:07`` or ``1:02:03``."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    clock = f"{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
    return f"{hours}:{clock}" if hours else clock

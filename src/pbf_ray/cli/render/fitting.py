"""Tables that fit: columns that can be done without make room for those that cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

__all__ = ["FittedColumn", "fitted_table"]

_GAP = 2
_INDENT = 2


@dataclass(frozen=True)
class FittedColumn:
    """One column with its cells.

    Attributes:
        heading: What stands above it.
        cells: A cell per row.
        right: Whether it holds numbers.
        fold: Whether a cell may go on in the next line.
        spare: 0: always there; of the others the highest goes first when there is no room.
    """

    heading: str
    cells: Sequence[Text]
    right: bool = False
    fold: bool = False
    spare: int = 0

    @property
    def width(self) -> int:
        """Columns of the terminal that it takes."""
        return max([len(self.heading), *(cell.cell_len for cell in self.cells)])

    @property
    def empty(self) -> bool:
        """Whether no cell has anything to say."""
        return all(cell.plain in {"", "-"} for cell in self.cells)


def fitted_table(columns: Sequence[FittedColumn], *, width: int) -> Table:
    """A table without lines, indented by two.

    Spare columns without content are left out, and then as many others as it takes.

    Args:
        columns: All columns, in order.
        width: Columns of the terminal.
    """
    kept = [column for column in columns if not (column.spare and column.empty)]
    while sum(column.width + _GAP for column in kept) - _GAP + _INDENT > width:
        spare = max(kept, key=lambda column: column.spare)
        if not spare.spare:
            break
        kept.remove(spare)
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, _GAP, 0, 0))
    table.add_column("", width=0)
    for column in kept:
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            no_wrap=not column.fold,
            overflow="fold",
        )
    for row in range(len(kept[0].cells)):
        table.add_row("", *(column.cells[row] for column in kept))
    return table

"""Values of single cells of a log: texts, numbers, layer numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

__all__ = ["CellError", "layer_cell", "number_cell", "text_cell"]

_NUMBER: Final = re.compile(
    r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE | re.ASCII
)


class CellError(ValueError):
    """A cell does not hold what it should; the message says what is wrong with it."""


def text_cell(cell: object) -> str | None:
    """The text of a cell; whole numbers become text, None stays None.

    Raises:
        CellError: It is something else, or text that no store could hold.
    """
    if cell is None:
        return None
    if isinstance(cell, bool) or not isinstance(cell, str | int):
        raise CellError(f"{cell!r} is not text")
    text = str(cell)
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise CellError(f"{cell!r} holds a character that is no text")
    return text


def number_cell(cell: object, decimal: str = ".") -> float | None:
    """The number in a cell; None stays None.

    Args:
        cell: Text or number.
        decimal: Decimal mark of texts; thousands separators are not accepted, for ``1.234`` would
            then mean two things.

    Raises:
        CellError: It is no number.
    """
    if cell is None:
        return None
    if isinstance(cell, str):
        text = cell if decimal == "." else cell.replace(".", "?").replace(decimal, ".")
        if _NUMBER.fullmatch(text) is None:
            raise CellError(f"{cell!r} is not a number")
        return float(text)
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise CellError(f"{cell!r} is not a number")
    try:
        return float(cell)
    except OverflowError as error:
        raise CellError("is a number beyond all floats") from error


def layer_cell(cell: object, decimal: str = ".") -> int | None:
    """The layer number in a cell, also written as ``12.0``; None stays None.

    Raises:
        CellError: It is no whole number of 32 bits.
    """
    number = number_cell(cell, decimal)
    if number is None:
        return None
    if not (-(2**31) <= number < 2**31 and number.is_integer()):
        raise CellError(f"{cell!r} is not a layer number")
    return int(number)

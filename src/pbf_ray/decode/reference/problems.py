"""What stops the reference reader."""

from __future__ import annotations

from typing import Final

__all__ = ["FIELD", "JsonProblem"]

FIELD: Final = "field"
"""Not a reason to reject: one field cannot be converted, the record stands."""


class JsonProblem(Exception):  # noqa: N818 - never leaves this package
    """The text, or one value in it, cannot be read as wanted.

    Attributes:
        code: One of ``REASONS`` or ``FIELD``.
        what: Short text for people.
        position: Index of the UTF-16 unit at which reading stopped.
    """

    def __init__(self, code: str, what: str, position: int) -> None:
        super().__init__(code, what, position)
        self.code = code
        self.what = what
        self.position = position

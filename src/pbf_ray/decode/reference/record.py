"""One record, exactly: the reference that every faster way is held against."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from pbf_ray.decode.reasons import BLANK, NOT_AN_OBJECT, NULL_VALUE
from pbf_ray.decode.reference.convert import Converter, PartialRow, Row, converted_object
from pbf_ray.decode.reference.java_text import code_units, decoded, ends_inside_character
from pbf_ray.decode.reference.problems import JsonProblem
from pbf_ray.decode.reference.tokenizer import NONE, START_OBJECT, STRING, Tokenizer

__all__ = ["Outcome", "Problem", "read_record"]


class Problem(NamedTuple):
    """Why a record is void.

    Attributes:
        reason: Code of ``problems.REASONS``.
        detail: Short text for people, with a byte offset where there is one.
    """

    reason: str
    detail: str


class Outcome(NamedTuple):
    """What became of one value.

    Attributes:
        row: Values by field name; empty where the record is void.
        flagged: A field could not be converted and is null; the others stand.
        problem: Set where nothing of the record stands.
    """

    row: Row
    flagged: bool = False
    problem: Problem | None = None

    @property
    def is_null(self) -> bool:
        """Spark gives a null struct: there was nothing to read, which it does not call corrupt."""
        return self.problem is not None and self.problem.reason in (NULL_VALUE, BLANK)

    @property
    def is_corrupt(self) -> bool:
        """Spark puts the record in ``_corrupt_record``."""
        return self.flagged or (self.problem is not None and not self.is_null)


def read_record(value: bytes | None, converters: dict[str, Converter]) -> Outcome:
    """Read one value as ``from_json`` of Spark does.

    Args:
        value: The record as it came, or None.
        converters: Converter of each field of the schema.
    """
    if value is None:
        return Outcome({}, problem=Problem(NULL_VALUE, "no value"))
    tokens = Tokenizer(code_units(decoded(value)), unfinished=ends_inside_character(value))
    try:
        token = tokens.next_token()
        if token == NONE:
            return Outcome({}, problem=Problem(BLANK, f"{len(value)} bytes of white space"))
        if token == START_OBJECT:
            return Outcome(converted_object(tokens, converters))
        if token == STRING:
            tokens.string()
        tokens.fail("an object expected", NOT_AN_OBJECT)
    except PartialRow as partial:
        return Outcome(partial.row, flagged=True)
    except JsonProblem as problem:
        offset = _byte_offset(value, problem.position)
        return Outcome({}, problem=Problem(problem.code, f"{problem.what} at byte {offset}"))


def _byte_offset(value: bytes, position: int) -> int:
    """Byte at which the UTF-16 unit of the given index begins."""
    if value.isascii():
        return position
    return (
        bisect_right(
            range(len(value) + 1),
            position,
            key=lambda size: len(code_units(decoded(value[:size]))),
        )
        - 1
    )

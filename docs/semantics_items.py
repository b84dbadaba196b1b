"""The table of items of ``docs/semantics.md``, from their lines and from the marks of the tests."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["item_rows", "marked_tests"]

_DOCS: Final = Path(__file__).resolve().parent


def item_rows() -> Iterator[tuple[str, str, str, str]]:
    """Rows of the table: number, what PySpark does, what to add, the tests that show it."""
    said = tomllib.loads((_DOCS / "semantics_items.toml").read_text(encoding="utf-8"))
    tests = marked_tests()
    for item, what in said["items"].items():
        if item in said["sections"]:
            yield "", f"**{said['sections'][item]}**", "", ""
        shown = "<br>".join(f"`{name}`" for name in tests.get(int(item), []))
        yield item, what, said["differs"].get(item, ""), shown or f"none: {said['argued'][item]}"


def marked_tests() -> dict[int, list[str]]:
    """Per item of the list of semantics the tests that are marked with it.

    Raises:
        ValueError: A mark holds something else than numbers and ranges of numbers.
    """
    tests: dict[int, list[str]] = {}
    for file in sorted((_DOCS.parent / "tests").rglob("test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                for item in _marks(node):
                    tests.setdefault(item, []).append(f"{file.stem}::{node.name}")
    return tests


def _marks(test: ast.FunctionDef) -> Iterable[int]:
    for mark in test.decorator_list:
        if not (isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.semantics"):
            continue
        for argument in mark.args:
            text = ast.unparse(argument)
            numbers = re.fullmatch(r"\*range\((\d+), (\d+)\)", text)
            if numbers:
                yield from range(int(numbers[1]), int(numbers[2]))
            elif text.isdecimal():
                yield int(text)
            else:
                raise ValueError(f"{test.name}: mark semantics({text}) names no items")

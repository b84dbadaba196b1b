"""Modules stay small enough to read at one go."""

from __future__ import annotations

from pathlib import Path

import pytest

LOOK_TWICE = 400
LOOKED_TWICE: dict[str, str] = {
    "errors.py": "one tree, which is read, and drawn, as one",
}
"""Longer modules, and why they are one."""
MOST = 500


def _lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


@pytest.fixture(scope="module")
def lengths(repository: Path) -> dict[str, int]:
    places = {"src/pbf_ray": ("*.py", "*.pyx"), "native": ("*.cpp", "*.hpp")}
    return {
        str(file.relative_to(repository / place)): _lines(file)
        for place, kinds in places.items()
        for kind in kinds
        for file in (repository / place).rglob(kind)
    }


def test_long_modules_were_looked_at_twice(lengths: dict[str, int]) -> None:
    assert len(lengths) > 100
    too_long = {name: lines for name, lines in lengths.items() if lines > LOOK_TWICE}
    assert too_long.keys() <= LOOKED_TWICE.keys(), "split it, or say why it is one"
    assert all(lines <= MOST for lines in too_long.values()), too_long


def test_the_reasons_are_still_needed(lengths: dict[str, int]) -> None:
    short = [name for name in LOOKED_TWICE if lengths[name] <= LOOK_TWICE]
    assert not short, "these are short again: take them off the list"

"""The pages of the documentation, and their code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LANGUAGES", "REPOSITORY", "Block", "blocks", "commands", "pages", "title_of"]

REPOSITORY = Path(__file__).resolve().parents[2]

LANGUAGES = {"console", "python", "toml", "text"}
"""What a block may be; all but ``text`` are run or read by tests."""

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        page: Path of the page, from the repository.
        line: Where it begins.
        language: Its info string.
        text: What stands in it.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def file_name(self) -> str | None:
        """The file that the block is, if its first line says so: ``# name.toml``."""
        found = re.match(r"# ([\w-]+\.\w+)\n", self.text)
        return found[1] if found else None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README, the other pages of the root, and docs; README first."""
    return [
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        REPOSITORY / "CHANGELOG.md",
        *sorted((REPOSITORY / "docs").glob("*.md")),
    ]


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    name = str(page.relative_to(REPOSITORY))
    return [
        Block(name, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in _FENCE.finditer(text)
    ]


def commands(block: Block) -> list[str]:
    """The commands of a console block; every line has to be one, or output would stand untested."""
    lines = block.text.splitlines()
    odd = [line for line in lines if not line.startswith("$ ")]
    assert not odd, f"{block}: a line of a console block begins with '$ ': {odd}"
    return [line.removeprefix("$ ") for line in lines]


def title_of(page: Path) -> str:
    """Path of a page, for test ids."""
    return str(page.relative_to(REPOSITORY))

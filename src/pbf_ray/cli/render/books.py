"""The books of a job: where every record that was consumed went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.text import count, listing

__all__ = ["ACCOUNTS", "balance", "books_view", "counts_by_name"]

ACCOUNTS: Final = {
    "accepted": "accepted",
    "dead_letters": "dead letters",
    "late": "late",
    "dropped": "dropped",
    "duplicates": "duplicates",
}
"""What consumed records become, and what people call it."""


def balance(books: Mapping[str, Any], *, named: bool = False) -> tuple[str, bool]:
    """The equation of the books with its figures, and whether it holds.

    Args:
        books: The fields of ``Books`` as plain values.
        named: Say what the figures are, and leave out those that are 0: where no table does it.
    """
    consumed = int(books.get("consumed", 0))
    amounts = {label: int(books.get(name, 0)) for name, label in ACCOUNTS.items()}
    right = consumed == sum(amounts.values())
    terms = list(map(count, amounts.values()))
    if named:
        terms = [f"{count(amount)} {label}" for label, amount in amounts.items() if amount] or ["0"]
    return f"{count(consumed)} {'=' if right else '!='} {' + '.join(terms)}", right


def counts_by_name(counts: Mapping[str, int]) -> str:
    """``truncated 12, blank 3``, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count(amount)}" for name, amount in ordered)


def books_view(books: Mapping[str, Any]) -> RenderableType:
    """The books, line by line, and the equation that they have to satisfy.

    Args:
        books: The fields of ``Books`` as plain values.
    """
    notes = {
        "accepted": _accepted_note(books),
        "dead_letters": counts_by_name(books.get("dead_letters_by_reason", {})),
    }
    table = listing("", "records", "", right=("records",), header=False)
    table.add_row("", "consumed", Text(count(int(books.get("consumed", 0))), style="bold"), "")
    for index, (name, label) in enumerate(ACCOUNTS.items()):
        amount = int(books.get(name, 0))
        sign = "=" if index == 0 else "+"
        style = "yellow" if name == "dead_letters" and amount else ""
        table.add_row(
            "",
            f"{sign} {label}",
            Text(count(amount), style=style or ("dim" if not amount else "")),
            Text(notes.get(name, ""), style="dim"),
        )
    equation, right = balance(books)
    verdict = (
        Text(f"  balanced: {equation}", style="green")
        if right
        else Text(f"  NOT BALANCED: {equation}", style="bold red")
    )
    return Group(Text("Books", style="bold"), table, verdict)


def _accepted_note(books: Mapping[str, Any]) -> str:
    notes = []
    if pending := int(books.get("pending", 0)):
        notes.append(f"{count(pending)} still wait for the watermark")
    if flagged := int(books.get("flagged", 0)):
        notes.append(f"{count(flagged)} flagged: a field was unusable and is null")
    return ", ".join(notes)

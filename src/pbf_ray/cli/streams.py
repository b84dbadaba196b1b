"""What goes where: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import click

__all__ = ["json_ready", "say", "tell", "write_error", "write_json"]


def say(text: str = "") -> None:
    """Write a line for people to stdout."""
    click.echo(text)


def tell(text: str) -> None:
    """Write a line about what is going on to stderr."""
    click.echo(text, err=True)


def write_error(what: str, advice: str) -> None:
    """Write what went wrong, and what to do about it, to stderr."""
    click.echo(f"{click.style('pbf-ray:', fg='red', bold=True)} {what}", err=True)
    if advice:
        click.echo(f"{click.style('  to do:', fg='yellow')} {advice}", err=True)


def write_json(value: Mapping[str, Any]) -> None:
    """Write one JSON object as one line to stdout."""
    click.echo(json.dumps(json_ready(value), allow_nan=False, ensure_ascii=False))


def json_ready(value: Any) -> Any:
    r"""The value as strict JSON knows it.

    NaN and the infinities become ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, which
    ``from_json`` reads back; times become ISO 8601; bytes become text with ``\x..`` for what is
    not UTF-8; anything unknown its ``str``.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else f"{'-' if value < 0 else ''}Infinity"
    if isinstance(value, Mapping):
        return {str(key): json_ready(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_ready(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)

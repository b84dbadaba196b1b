"""Editing a record with a program of the user's."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from typing import Final

import click

from pbf_ray.errors import PbfRayError

__all__ = ["edit_with"]

_PATIENCE_S: Final = 30.0


def edit_with(command: str) -> Callable[[bytes | None], bytes | None]:
    """A function that gives a value to a command and takes back what it writes.

    Args:
        command: Program and arguments, as a shell would split them; no shell runs it.

    Raises:
        click.UsageError: The command cannot be split, or is empty.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise click.UsageError(f"--edit-with {command!r}: {error}") from error
    if not words:
        raise click.UsageError("--edit-with: write a command")

    def edit(value: bytes | None) -> bytes | None:
        try:
            done = subprocess.run(
                words, input=value or b"", capture_output=True, check=False, timeout=_PATIENCE_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PbfRayError(f"{words[0]}: {error}", advice="see --edit-with") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
            why = f": {said[-1]}" if said else ""
            raise PbfRayError(f"{words[0]} ended with {done.returncode}{why}")
        # Most programs end their output with a line feed, which no record wants.
        return done.stdout.removesuffix(b"\n")

    return edit

"""The work in pieces: a file, or a share of the layers of a large one."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np

from pbf_ray.batch.builds.inputs import InputFile
from pbf_ray.buildplan import MachineTimes
from pbf_ray.formats import BuildFile, ReadLimits

__all__ = ["SPLIT_BYTES", "OnDamage", "ParseTask", "ReadingOptions", "layers_of_part", "split"]

SPLIT_BYTES: Final = 128 << 20
"""Bytes of a file that one task reads, about."""

OnDamage: TypeAlias = Literal["fail", "skip"]
"""What becomes of a damaged file: it is left out whole, or its damaged layers are."""


@dataclass(frozen=True)
class ReadingOptions:
    """How files are read.

    Attributes:
        on_damage: ``"fail"``: a damaged file is left out; ``"skip"``: its damaged layers are.
        limits: How much of a file is read at most.
        machine: What files do not say about times, for the layers' plans.
        memory_bytes: Remote files up to this size are read into memory; larger ones are copied
            to local disk while they are in use.
        spool_bytes: Most local disk that the copies of one process take.
    """

    on_damage: OnDamage = "fail"
    limits: ReadLimits = field(default_factory=ReadLimits)
    machine: MachineTimes = field(default_factory=MachineTimes)
    memory_bytes: int = 64 << 20
    spool_bytes: int = 16 << 30


@dataclass(frozen=True)
class ParseTask:
    """A share of the layers of a file; small and picklable.

    Attributes:
        file: The file.
        part: Which share, from 0.
        parts: How many shares there are.
        options: How it is read.
        planned_on: Name of the machine that found the file.
    """

    file: InputFile
    part: int
    parts: int
    options: ReadingOptions
    planned_on: str


def split(
    files: Iterable[InputFile], options: ReadingOptions, *, split_bytes: int = SPLIT_BYTES
) -> list[ParseTask]:
    """Tasks in the order of the files, and within one in the order of its layers.

    How many depends on the sizes alone, so that no file is opened here: whoever does a task finds
    its layers by the index of the file (``layers_of_part``), which a process reads once for all
    the tasks of a file that it gets. Splitting by an index read here would read it once more.

    Args:
        files: What is to be read.
        options: How.
        split_bytes: Bytes of a file that one task reads, about; 1 or more.
    """
    if split_bytes < 1:
        raise ValueError(f"split_bytes is {split_bytes}, and must be 1 or more")
    here = socket.gethostname()
    tasks = []
    for file in files:
        parts = max(1, -(-file.size // split_bytes))
        tasks += [ParseTask(file, part, parts, options, here) for part in range(parts)]
    return tasks


def layers_of_part(build: BuildFile, part: int, parts: int) -> tuple[int, int]:
    """The layers [first, behind the last) of a share; the shares are of about equal bytes.

    A layer belongs to the share in which its first byte is, so every layer is in exactly one, and
    a share may have none.
    """
    sizes = build.layers["byte_size"].to_numpy()
    # Empty layers count a little, so that files of nothing else are shared out as well.
    ends = np.cumsum(np.maximum(sizes, 1))
    begins = np.concatenate(([0], ends[:-1])) if len(ends) else ends
    total = int(ends[-1]) if len(ends) else 0
    first, behind = np.searchsorted(begins, [total * part / parts, total * (part + 1) / parts])
    return int(first), len(begins) if part == parts - 1 else int(behind)

"""An uploaded build file, read layer by layer and told line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pbf_ray.buildplan import MachineTimes, plan_batches
from pbf_ray.errors import BuildFileError
from pbf_ray.formats import ReadLimits, open_build
from pbf_ray.http.build_files import PLAN_COLUMNS
from pbf_ray.http.problems import problem_of

__all__ = ["parse_lines"]


def parse_lines(path: Path, name: str, machine: MachineTimes) -> Iterator[bytes]:
    """What a build file says, as lines of JSON: the file, each layer of its plan, the end.

    Args:
        path: The file.
        name: What it is called in answers.
        machine: What no file says of the machine.

    Raises:
        BuildFileError: It is no build file; before the first line. What goes wrong later is a
            line of kind ``error``, and the last one.
    """
    file = open_build(path, name=name, on_damage="skip", limits=ReadLimits())
    yield _line(
        {
            "kind": "file",
            "name": name,
            "format": file.format,
            "layers": len(file),
            "metadata": file.metadata,
            "models": file.models.num_rows,
            "build_styles": file.build_styles.num_rows,
        }
    )
    layers = damaged = 0
    try:
        for batch, plan in _planned(file, machine):
            rows = plan.layers.select(PLAN_COLUMNS).to_pylist()
            layers += len(rows)
            damaged += len(batch.damage)
            for row in rows:
                yield _line({"kind": "layer", **row})
            for damage in batch.damage:
                yield _line(
                    {
                        "kind": "damage",
                        "layer": damage.layer,
                        "code": damage.code,
                        "byte_offset": damage.byte_offset,
                        "problem": damage.problem,
                    }
                )
    except BuildFileError as error:
        yield _line({"kind": "error", **problem_of(error).body()})
        return
    yield _line({"kind": "end", "layers": layers, "damaged": damaged})


def _planned(file: Any, machine: MachineTimes) -> Iterator[tuple[Any, Any]]:
    # Each batch once: its plan, and what was damaged in it.
    seen: list[Any] = []

    def noted() -> Iterator[Any]:
        for batch in file.scan():
            seen[:] = [batch]
            yield batch

    for plan in plan_batches(noted(), file.build_styles, machine=machine):
        yield seen[0], plan


def _line(values: dict[str, Any]) -> bytes:
    return orjson.dumps(values) + b"\n"

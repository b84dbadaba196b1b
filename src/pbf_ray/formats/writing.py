"""Writes build files: layer by layer, under a temporary name until it is whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import _core
from pbf_ray.formats.build_file import BuildFile, BuildTables
from pbf_ray.formats.ilt_writing import IltWriter
from pbf_ray.formats.layer_columns import LayerColumns, LayerWriter, layer_columns, option_texts
from pbf_ray.formats.layer_source import BuildBatch, build_file_errors

__all__ = ["WriteReport", "write_build"]

_SUFFIXES: Final = {
    ".cli": "cli",
    ".ilt": "ilt",
    ".sli": "sli",
    ".mtt": "mtt",
    ".slm": "slm",
    ".ovf": "ovf",
}


@dataclass(frozen=True)
class WriteReport:
    """What was written.

    Attributes:
        format: The format.
        layers: Layers.
        geometries: Geometries.
        byte_count: Bytes of the file.
        lost: What the format, or the chosen variant of it, cannot hold, and was left out.
        data: The file, where no target was named.
    """

    format: str
    layers: int
    geometries: int
    byte_count: int
    lost: tuple[str, ...]
    data: bytes | None = None


class _NativeWriter:
    def __init__(self, format: str, path: str | None, options: dict[str, object]) -> None:
        self._writer = _core.Writer(format, path, option_texts(options))

    def begin(self, header: dict[str, Any]) -> None:
        self._writer.begin(header)

    def layer(self, columns: LayerColumns) -> None:
        self._writer.layer(**vars(columns))

    def finish(self) -> bytes | None:
        return self._writer.finish()

    def close(self) -> None:
        del self._writer

    @property
    def lost(self) -> list[str]:
        return self._writer.lost


def write_build(
    build: BuildFile | BuildTables,
    target: str | os.PathLike[str] | None,
    *,
    format: str | None = None,
    allow_loss: bool = False,
    **options: object,
) -> WriteReport:
    """Write a build file. The target appears when it is whole, or not at all.

    Args:
        build: An opened file, which is read in batches, or tables.
        target: A path, or None: the bytes come back in the report.
        format: ``"cli"``, ``"ilt"``, ``"sli"``, ``"mtt"``, ``"slm"``, ``"ovf"``; None: by suffix
            of the target; without one, the format that ``build`` has.
        allow_loss: Write although the format cannot hold everything; ``lost`` of the report says
            what was left out. Otherwise that is an error.
        options: Of the format, by name; docs/formats.md has them (``variant="ascii"``, ...).

    Raises:
        BuildFileError: With code ``"not_representable"``: something would be lost. With others: the
            target cannot be written, the format is not written here, or ``build`` is damaged.
    """
    name = "<bytes>" if target is None else os.fspath(target)
    format = format or _format_of(name, build, is_path=target is not None)
    if target is None:
        return _write(build, name, None, format, allow_loss, options)
    place = Path(target)
    unfinished = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
    try:
        report = _write(build, name, str(unfinished), format, allow_loss, options)
        unfinished.replace(place)
    except OSError as error:
        raise BuildFileError(
            name, f"it cannot be written: {error.strerror or error}", code="io"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return report


def _format_of(name: str, build: BuildFile | BuildTables, *, is_path: bool) -> str:
    found = _SUFFIXES.get(Path(name).suffix.lower()) if is_path else None
    if found is None and isinstance(build, BuildFile) and not is_path:
        found = build.format
    if found is None:
        raise BuildFileError(
            name,
            "its name does not say which format it is to have",
            code="unsupported",
            advice=f"name a format, or end the name with one of {', '.join(_SUFFIXES)}",
        )
    return found


def _write(
    build: BuildFile | BuildTables,
    name: str,
    path: str | None,
    format: str,
    allow_loss: bool,
    options: dict[str, object],
) -> WriteReport:
    with build_file_errors(name):
        writer = _writer(format, path, options)
        try:
            return _fill(writer, build, name, path, format, allow_loss)
        finally:
            writer.close()


def _writer(format: str, path: str | None, options: dict[str, object]) -> LayerWriter:
    return IltWriter(path, options) if format == "ilt" else _NativeWriter(format, path, options)


def _fill(
    writer: LayerWriter,
    build: BuildFile | BuildTables,
    name: str,
    path: str | None,
    format: str,
    allow_loss: bool,
) -> WriteReport:
    layers = geometries = damaged = 0
    writer.begin(build.header if isinstance(build, BuildFile) else _header_of(build))
    for batch in _batches(build):
        damaged += len({damage.layer for damage in batch.damage})
        _refuse_loss(name, format, writer.lost, damaged, allow_loss)
        for columns in layer_columns(batch):
            writer.layer(columns)
            layers += 1
            geometries += len(columns.kind)
    data = writer.finish()
    _refuse_loss(name, format, writer.lost, damaged, allow_loss)
    lost = [*writer.lost, *([_damaged(damaged)] if damaged else [])]
    size = len(data) if data is not None else Path(path or "").stat().st_size
    return WriteReport(format, layers, geometries, size, tuple(lost), data)


def _damaged(layers: int) -> str:
    return f"what is damaged in {layers} layers"


def _refuse_loss(name: str, format: str, lost: list[str], damaged: int, allow: bool) -> None:
    parts = [*lost, *([_damaged(damaged)] if damaged else [])]
    if parts and not allow:
        raise BuildFileError(
            name,
            f"{format} as it is asked for cannot hold: {'; '.join(parts)}",
            code="not_representable",
            advice="allow_loss=True leaves it out",
        )


def _batches(build: BuildFile | BuildTables) -> Iterator[BuildBatch]:
    if isinstance(build, BuildFile):
        yield from build.scan()
    else:
        yield BuildBatch(build.layers, build.geometries, build.coordinates, build.damage)


def _header_of(tables: BuildTables) -> dict[str, Any]:
    """The header that tables still say; there is no raw tag of the file among them."""
    return {
        "format": "",
        "metadata": [(row["key"], row["value"]) for row in tables.metadata.to_pylist()],
        "models": [_with_raw_tags(row) for row in tables.models.to_pylist()],
        "build_styles": [_with_raw_tags(row) for row in tables.build_styles.to_pylist()],
        "unit_mm": None,
        "dimension_mm": None,
        "declared_layers": None,
        "raw_tags": [],
    }


def _with_raw_tags(row: dict[str, Any]) -> dict[str, Any]:
    tags = [(tag["path"], tag["byte_offset"], tag["bytes"]) for tag in row["raw_tags"]]
    return {**row, "raw_tags": tags}

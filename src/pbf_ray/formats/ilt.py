"""ILT: a zip archive with a CLI file for each section of a build, and one with their parameters.

Members are unpacked once: to memory while they are few bytes, else to temporary files without a
name, which are memory-mapped. Nothing is ever written under a name that the archive chooses.
"""

from __future__ import annotations

import io
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import _core
from pbf_ray.formats.advice import advice_on
from pbf_ray.formats.composite import CompositeSource, Member
from pbf_ray.formats.ilt_sections import parameter_sections, section_of, stem_of, style_of
from pbf_ray.formats.layer_source import Damage, NativeSource, build_file_errors
from pbf_ray.formats.limits import ReadLimits
from pbf_ray.formats.recognised import unsupported

__all__ = ["PARAMETER_FILE", "open_ilt"]

PARAMETER_FILE: Final = "modelsection_param.txt"

_IN_MEMORY: Final = 32 << 20
"""Unpacked bytes of an archive up to which its members are held in memory."""

_CHUNK: Final = 1 << 20
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    ValueError,
    RuntimeError,  # NotImplementedError too
    OverflowError,
    OSError,
)
"""What zipfile raises for damaged archives."""


def open_ilt(
    file: str | bytes | bytearray | memoryview,
    *,
    name: str,
    limits: ReadLimits,
    tolerate_damage: bool,
) -> CompositeSource:
    """Open an ILT archive: all its sections as one build, merged by height.

    Args:
        file: A path, or bytes.
        name: Its name in messages.
        limits: How much is read at most.
        tolerate_damage: Leave out members that cannot be read, and name them.

    Raises:
        BuildFileError: It is no zip archive, one without CLI members, too large, or damaged.
    """
    opened = file if isinstance(file, str) else io.BytesIO(file)
    with _zip_errors(name, 0), zipfile.ZipFile(opened) as archive:
        return _Archive(archive, name, limits, tolerate_damage).source()


@contextmanager
def _zip_errors(name: str, byte_offset: int) -> Iterator[None]:
    try:
        yield
    except BuildFileError:
        raise
    except _ZIP_ERRORS as error:
        raise BuildFileError(
            name,
            f"the zip archive cannot be read: {error}",
            code="io" if isinstance(error, OSError) else "inconsistent",
            byte_offset=byte_offset,
            advice="copy or export the file again: the table of a zip archive stands at its end",
        ) from error


class _Archive:
    """One opened archive, on its way to a source."""

    def __init__(
        self, archive: zipfile.ZipFile, name: str, limits: ReadLimits, tolerate_damage: bool
    ) -> None:
        self._archive = archive
        self._name = name
        self._limits = limits
        self._tolerate_damage = tolerate_damage
        self._damage: list[Damage] = []
        self._warnings: list[Damage] = []
        self._spill = False

    def source(self) -> CompositeSource:
        infos = self._cli_members()
        self._check_sizes(infos)
        parameters = self._parameters()
        members: list[Member] = []
        models: dict[str, int] = {}
        styles: list[dict[str, Any]] = []
        for info in infos:
            try:
                source = self._open(info)
            except BuildFileError as error:
                self._damaged(info.filename, error)
                continue
            label = source.header["models"]
            model = section_of(info.filename).model or (
                label[0]["name"] if len(label) == 1 else stem_of(info.filename)
            )
            model_id = models.setdefault(model, len(models) + 1)
            if source.header["build_styles"]:
                self._warn(
                    info.filename, "its $$POWER, $$SPEED, ... give way to the parameter file"
                )
            section = parameters.pop(stem_of(info.filename).lower() + ".cli", {})
            styles.append(style_of(len(styles) + 1, info.filename, section))
            members.append(Member(info.filename, source, model_id, len(styles)))
        for unused in parameters:
            self._warn(unused, "the parameter file has a block for it, but it is not there")
        composite = CompositeSource(
            "ilt",
            members,
            models=[
                {"model_id": number, "name": model, "top_layer": None, "raw_tags": []}
                for model, number in models.items()
            ],
            build_styles=styles,
        )
        composite.damage = (*self._damage, *composite.damage)
        composite.warnings = (*self._warnings, *composite.warnings)
        return composite

    def _cli_members(self) -> list[zipfile.ZipInfo]:
        files = [
            info
            for info in self._archive.infolist()
            if not info.is_dir() and not info.filename.startswith("__MACOSX/")
        ]
        members = [info for info in files if info.filename.lower().endswith(".cli")]
        if not members:
            names = [info.filename for info in self._archive.infolist()]
            raise unsupported(self._name, b"PK\x03\x04", members=names)
        if len(members) > self._limits.max_build_styles:
            raise self._error("limit_exceeded", 0, f"there are {len(members)} sections in it")
        known: dict[str, zipfile.ZipInfo] = {}
        for info in members:
            if info.filename in known:
                twice = self._error("inconsistent", info.header_offset, "a second one has its name")
                self._damaged(info.filename, twice)
            known.setdefault(info.filename, info)
        return list(known.values())

    def _check_sizes(self, infos: list[zipfile.ZipInfo]) -> None:
        """Holds what is declared against the limits; unpacking never goes beyond it."""
        archive = self._archive.fp
        size = archive.seek(0, os.SEEK_END) if archive is not None else 0
        total = sum(info.file_size for info in infos)
        if total > size * self._limits.max_expansion:
            raise self._error(
                "limit_exceeded",
                0,
                f"its {size} bytes would unpack to {total}, more than max_expansion = "
                f"{self._limits.max_expansion} times as many",
            )
        for info in infos:
            if info.file_size > self._limits.max_member_bytes:
                raise self._error(
                    "limit_exceeded",
                    info.header_offset,
                    f"{info.filename} has {info.file_size} bytes, more than max_member_bytes = "
                    f"{self._limits.max_member_bytes}",
                )
        self._spill = total > _IN_MEMORY

    def _parameters(self) -> dict[str, dict[str, str]]:
        texts = [info for info in self._archive.infolist() if info.filename.endswith(".txt")]
        texts.sort(key=lambda info: not info.filename.lower().endswith(PARAMETER_FILE))
        if not texts:
            return {}
        try:
            return parameter_sections(self._unpack(texts[0], self._limits.max_header_bytes))
        except BuildFileError as error:
            self._damaged(texts[0].filename, error)
            return {}

    def _open(self, info: zipfile.ZipInfo) -> NativeSource:
        name = f"{self._name}, {info.filename}"
        limits = self._limits.native()
        if not self._spill:
            data = self._unpack(info, self._limits.max_member_bytes)
            with build_file_errors(name):
                return NativeSource(
                    name, _core.Reader.open_bytes(data, "cli", limits, self._tolerate_damage)
                )
        with tempfile.TemporaryDirectory(prefix="pbf-ray-ilt-") as folder:
            place = Path(folder) / "section.cli"
            with self._reading(info) as packed, place.open("wb") as unpacked:
                while chunk := packed.read(_CHUNK):
                    unpacked.write(chunk)
            with build_file_errors(name):
                # The map keeps the bytes, although the name is gone at the end of this block.
                return NativeSource(
                    name, _core.Reader.open_file(str(place), "cli", limits, self._tolerate_damage)
                )

    def _unpack(self, info: zipfile.ZipInfo, most: int) -> bytes:
        if info.file_size > most:
            raise self._error(
                "limit_exceeded", info.header_offset, f"{info.filename} has {info.file_size} bytes"
            )
        with self._reading(info) as packed:
            return bytes(packed.read())

    @contextmanager
    def _reading(self, info: zipfile.ZipInfo) -> Iterator[Any]:
        if info.flag_bits & 1:
            raise self._error("unsupported", info.header_offset, f"{info.filename} is encrypted")
        if info.compress_type not in _METHODS:
            raise self._error(
                "unsupported",
                info.header_offset,
                f"{info.filename} is packed by method {info.compress_type}, not deflate",
            )
        with (
            _zip_errors(f"{self._name}, {info.filename}", info.header_offset),
            self._archive.open(info) as packed,
        ):
            yield packed

    def _error(self, code: str, byte_offset: int, problem: str) -> BuildFileError:
        return BuildFileError(
            self._name, problem, code=code, byte_offset=byte_offset, advice=advice_on(code)
        )

    def _damaged(self, member: str, error: BuildFileError) -> None:
        if not self._tolerate_damage or error.facts["code"] == "limit_exceeded":
            raise error
        offset = error.facts["byte_offset"] or 0
        self._damage.append(
            Damage(error.facts["code"], offset, None, error.facts["problem"], member)
        )

    def _warn(self, member: str, problem: str) -> None:
        self._warnings.append(Damage("inconsistent", 0, None, problem, member))

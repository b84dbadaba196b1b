"""What is not read is named, with what to export instead."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from pbf_ray.errors import BuildFileError
from pbf_ray.formats import open_build


def _zip(*members: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for member in members:
            archive.writestr(member, "content")
    return data.getvalue()


STL = bytes(80) + (2).to_bytes(4, "little") + bytes(100)


@pytest.mark.parametrize(
    ("data", "name", "what"),
    [
        (b"", "part.cli", "it is empty"),
        (b"4.7 text", "part.rea", "Realizer"),
        ("\ufeff$$HEADERSTART".encode("utf-16-le"), "part.cli", "text in UTF-16"),
        (b"\0\1\2\3", "part.f&s", "Fockele & Schwarze"),
        (b"\0\1\2\3", "job.openjz", "EOS job container"),
        (_zip("a.bin"), "job.openjz", "EOS job container"),
        (_zip("a.bin"), "job.EOSJZ", "EOS job container"),
        (b"\0\1\2\3", "job.eosjob", "only EOSPRINT reads"),
        (b"$8a9f\r\n$8", "", "an EOS .job file"),
        (_zip("content.bin"), "build.mtt", "QuantAM 5"),
        (b"\1\xe0" + bytes(40), "build.renam", "renam"),
        (_zip("3D/3dmodel.model"), "part", "3MF"),
        (b"solid cube\nfacet", "", "an STL model"),
        (STL, "", "a binary STL model"),
        (b"ISO-10303-21;", "", "a STEP model"),
        (b"\x89HDF\r\n\x1a\n", "", "HDF5"),
        (b"\x1f\x8b\x08", "part.cli.gz", "gzip"),
        (b"version https://git-lfs.github.com/spec/v1\n", "part.cli", "Git LFS"),
        (b"\n<!DOCTYPE html><html>", "part.cli", "a web page"),
        (_zip("readme.txt"), "parts.zip", "without members that are build files"),
        (b"<?xml version='1.0'?><other/>", "scan.xml", "XML of another kind"),
        (b"EOS 2020 SLI FILE", "part.sli", "not SLI 1993"),
        (b"\0\1\2\3", "part.xyz", "like no build file"),
    ],
)
def test_a_file_is_named_by_its_bytes_or_its_suffix(
    data: bytes, name: str, what: str, tmp_path: Path
) -> None:
    place = tmp_path / (name or "unnamed")
    place.write_bytes(data)
    for given, called in ((data, name), (memoryview(data), name), (place, None)):
        with pytest.raises(BuildFileError, match=what) as raised:
            open_build(given, name=called)
        assert (raised.value.code, raised.value.byte_offset) == ("unsupported", 0)
        assert raised.value.advice


def test_a_suffix_does_not_overrule_bytes_that_are_read() -> None:
    magic = b"EOS 1993 SLI FILE"
    with pytest.raises(BuildFileError) as raised:
        open_build(magic, name="part.rea")
    assert raised.value.code == "truncated"

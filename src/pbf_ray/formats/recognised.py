"""Files that people try to open and nothing here reads: what they are, what to export instead.

By bytes first, by the suffix second: a suffix is only asked where the bytes say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from pbf_ray.errors import BuildFileError

__all__ = ["HEAD_BYTES", "ForeignFormat", "recognise_foreign", "unsupported"]

HEAD_BYTES: Final = 512
"""So many bytes from the front are enough to recognise all of these."""

_EXPORT_CLI: Final = "export CLI (binary, with hatches) from the build processor instead"
_SLICE: Final = "slice it and add scan vectors, then export CLI, ILT, OVF, SLI, MTT or SLM"
_UNPACK: Final = "unpack it first, and open what is in it"


@dataclass(frozen=True)
class ForeignFormat:
    """A format that is recognised, and not read.

    Attributes:
        what: What it is, as the end of "it is ...".
        advice: What to do instead.
        marks: It begins with one of these bytes.
        suffixes: Names of its files end in one of these, lower case.
        members: As an archive, it has a member whose name ends in one of these, lower case.
    """

    what: str
    advice: str
    marks: tuple[bytes, ...] = ()
    suffixes: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


_ZIP: Final = b"PK\x03\x04"

_FORMATS: Final = (
    # Build files of machines.
    ForeignFormat(
        "a Realizer or DMG Mori build (.rea), whose layout is not public",
        f"{_EXPORT_CLI}; where libSLM with its translator for REA is installed, "
        "pbf_ray.formats.libslm_adapter reads it through that",
        suffixes=(".rea",),
    ),
    ForeignFormat(
        "a Fockele & Schwarze build (.f&s), whose layout is not public",
        _EXPORT_CLI,
        suffixes=(".f&s", ".fas"),
    ),
    ForeignFormat(
        "an EOS job container (.openjz, .eosjz), whose layout is not public",
        "export the job as SLI or CLI from EOSPRINT's or the slicer's side instead",
        suffixes=(".openjz", ".eosjz"),
    ),
    ForeignFormat(
        "an EOSPRINT job (.eosjob), which only EOSPRINT reads",
        "export SLI or CLI before the parts go to EOSPRINT",
        suffixes=(".eosjob",),
    ),
    ForeignFormat(
        "an EOS .job file: it names parts and exposures in obfuscated text, and has no vectors",
        "open the .sli files that it names; their parameters stay in the .job",
        marks=(b"$8",),
        suffixes=(".job",),
    ),
    ForeignFormat(
        "an EOS parameter set (.eospar), which is encrypted",
        "open the .sli or .cli of the part; parameters can be given beside it",
        suffixes=(".eospar",),
    ),
    ForeignFormat(
        "a Renishaw .renam build, whose content is not public",
        "export MTT (QuantAM 6) or CLI from QuantAM instead",
        suffixes=(".renam",),
    ),
    ForeignFormat(
        "a Materialise build (.matjob), which only its build processors read",
        _EXPORT_CLI,
        suffixes=(".matjob",),
    ),
    ForeignFormat(
        "an Aachen scan protocol (.asp), a program of commands and no table of layers",
        "export OVF or CLI; the Open Vector Format tools turn one into the other",
        suffixes=(".asp",),
    ),
    ForeignFormat(
        "an SLC file of slices, without scan vectors",
        "export CLI with hatches instead",
        marks=(b"-SLCVER",),
        suffixes=(".slc",),
    ),
    # Archives: these first, as what is in them says more.
    ForeignFormat(
        "a 3MF model: triangles, or tool paths in an extension that is not read here",
        _SLICE,
        suffixes=(".3mf",),
        members=(".model",),
    ),
    ForeignFormat(
        "a ZIP archive named as MTT: what QuantAM 5 is said to have written",
        "save the build with QuantAM 6, whose MTT files are read here, or export CLI",
        suffixes=(".mtt",),
        members=(".mtt",),
    ),
    # Parts, not builds.
    ForeignFormat(
        "an STL model: triangles, no layers", _SLICE, marks=(b"solid ",), suffixes=(".stl",)
    ),
    ForeignFormat("a STEP model", _SLICE, marks=(b"ISO-10303-21",), suffixes=(".step", ".stp")),
    ForeignFormat("an AMF model", _SLICE, suffixes=(".amf",)),
    ForeignFormat("a PLY model", _SLICE, marks=(b"ply\n", b"ply\r\n"), suffixes=(".ply",)),
    ForeignFormat("an OBJ model", _SLICE, suffixes=(".obj",)),
    ForeignFormat("a Magics project", _SLICE, suffixes=(".magics", ".mgx")),
    ForeignFormat(
        "G-code: a program of moves for another kind of machine",
        _EXPORT_CLI,
        suffixes=(".gcode", ".nc"),
    ),
    # What else lies in the same folders, or came instead of the file.
    ForeignFormat(
        "an HDF5 file: monitoring data, not a build",
        "build files are CLI, ILT, OVF, SLI, MTT, SLM and scan XML",
        marks=(b"\x89HDF\r\n\x1a\n",),
        suffixes=(".h5", ".hdf5"),
    ),
    ForeignFormat(
        "a Parquet file",
        "read it with pyarrow, polars or Spark; it may be what builds parse wrote",
        marks=(b"PAR1",),
        suffixes=(".parquet",),
    ),
    ForeignFormat(
        "an image",
        "build files are CLI, ILT, OVF, SLI, MTT, SLM and scan XML",
        marks=(b"\x89PNG", b"II*\x00", b"MM\x00*", b"\xff\xd8\xff", b"BM"),
        suffixes=(".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"),
    ),
    ForeignFormat("a PDF document", "open the build file itself", marks=(b"%PDF",)),
    ForeignFormat("compressed with gzip", _UNPACK, marks=(b"\x1f\x8b",), suffixes=(".gz", ".tgz")),
    ForeignFormat("a 7z archive", _UNPACK, marks=(b"7z\xbc\xaf\x27\x1c",), suffixes=(".7z",)),
    ForeignFormat("a RAR archive", _UNPACK, marks=(b"Rar!",), suffixes=(".rar",)),
    ForeignFormat(
        "text in UTF-16", "save it as UTF-8 or ASCII", marks=(b"\xff\xfe$\x00", b"\xfe\xff\x00$")
    ),
    ForeignFormat(
        "a pointer of Git LFS, and not the file itself",
        "fetch the file: git lfs pull",
        marks=(b"version https://git-lfs",),
    ),
    ForeignFormat(
        "a web page, and not the file itself",
        "download the file again, as raw content",
        marks=(b"<!DOCTYPE html", b"<!doctype html", b"<html"),
        suffixes=(".html", ".htm"),
    ),
)

_EMPTY: Final = ForeignFormat("empty", "copy or export the file again")
_PLAIN_ZIP: Final = ForeignFormat("a ZIP archive without members that are build files", _UNPACK)
_XML: Final = ForeignFormat(
    "XML of another kind than the scan XML of America Makes (OASIS)",
    "docs/formats.md says what is read",
)
_BINARY_STL: Final = ForeignFormat("a binary STL model: triangles, no layers", _SLICE)
_EOS: Final = ForeignFormat(
    "a file of EOS that is not SLI 1993", "export SLI version 1.03 or CLI instead"
)
_STL_HEADER_BYTES: Final = 84
_ZIP_ONLY: Final = frozenset({".mtt"})
"""A file of this suffix is of that format only if it is an archive."""


def recognise_foreign(
    head: bytes, file: str, *, members: Sequence[str] = (), size: int | None = None
) -> ForeignFormat | None:
    """What a file is that nothing here reads; None: nobody knows.

    Args:
        head: Its first ``HEAD_BYTES`` bytes, or all of it.
        file: Its name or path, for the suffix.
        members: Names of its members, where it is an archive.
        size: Its size in bytes, if that is known: a binary STL is told by it.
    """
    if not head:
        return _EMPTY
    suffix = PurePath(file).suffix.lower()
    if head.startswith((_ZIP, b"PK\x05\x06")):
        names = [member.lower() for member in members]
        inside = [one for one in _FORMATS if any(name.endswith(one.members) for name in names)]
        named = [one for one in _FORMATS if suffix in one.suffixes]
        return next(iter(inside + named), _PLAIN_ZIP)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for one in _FORMATS:
        if one.marks and (head.startswith(one.marks) or text.startswith(one.marks)):
            return one
    if size is not None and len(head) >= _STL_HEADER_BYTES:
        triangles = int.from_bytes(head[80:84], "little")
        if triangles and size == _STL_HEADER_BYTES + 50 * triangles:
            return _BINARY_STL
    for one in _FORMATS:
        if suffix in one.suffixes and _ZIP_ONLY.isdisjoint(one.suffixes):
            return one
    if text.startswith(b"<?xml"):
        return _XML
    return _EOS if head.startswith(b"EOS ") else None


def unsupported(
    file: str, head: bytes, *, members: Sequence[str] = (), size: int | None = None
) -> BuildFileError:
    """The error for a file that is not read: what it is, and what to do instead.

    Args:
        file: Its name or path.
        head: As ``recognise_foreign`` takes it; so for the others.
        members: Likewise.
        size: Likewise.
    """
    found = recognise_foreign(head, file, members=members, size=size)
    if found is None:
        return BuildFileError(
            file,
            "it begins like no build file that is known here",
            code="unsupported",
            byte_offset=0,
            advice="docs/formats.md says what is read; most slicers export CLI",
        )
    return BuildFileError(
        file, f"it is {found.what}", code="unsupported", byte_offset=0, advice=found.advice
    )

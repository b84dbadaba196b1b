"""How much memory small SLI, MTT and SLM files may take: short in the file, long in memory."""

from __future__ import annotations

import struct
from pathlib import Path

from support.peak_memory import peaks_of_opening
from support.plain_builds import Layer, contour, written
from support.tlv_bytes import floats, number, section

MOST_BYTES = 16 << 10


def _filled(part: bytes, around: int = 64) -> bytes:
    return part * ((MOST_BYTES - around) // len(part))


def _mtt(header: bytes, layers: bytes = b"", entries: bytes = b"") -> bytes:
    head = section(27, number(1000)) + header
    table = 9 + len(head) + 10 + len(layers)
    head += section(4, number(table, 7))
    return section(1, head, 7) + layers + section(8, entries, 7)


def _worst_cases() -> dict[str, bytes]:
    empty = _filled(section(11, b""))
    layer = section(10, section(11, section(19, floats(*[1.0] * 1900))))
    at = 1 + 8 + 4 + 10  # header: its start, tag 27, tag 4
    again = section(9, section(23, number(at))) * ((MOST_BYTES - len(layer) - 80) // 6)
    layers = [Layer(place / 100, []) for place in range(840)]
    empty_layers = written("sli", layers)[0]
    count = struct.unpack_from("<I", empty_layers, 104)[0]
    overlapping = bytearray(empty_layers)
    index = struct.unpack_from("<I", empty_layers, 60)[0] + 48
    for entry in range(count):
        struct.pack_into("<I", overlapping, index + 6 * entry + 2, 128)
    return {
        "fine.sli": written("sli", [Layer(0.1, [contour((0, 0), (1, 1))])])[0],
        "layers.sli": empty_layers,
        "overlapping.sli": bytes(overlapping),
        "records.sli": written("sli", [Layer(0.1, [contour()] * 3900)])[0],
        "models.mtt": _mtt(_filled(section(5, b""))),
        "styles.mtt": _mtt(section(5, _filled(section(13, b"")), 3)),
        "unknown.mtt": _mtt(_filled(section(30, b""))),
        "unknown-of-styles.mtt": _mtt(section(5, section(13, _filled(section(30, b"")), 3), 3)),
        "geometries.mtt": _mtt(b"", section(10, empty, 3), section(9, section(23, number(at)))),
        "again.mtt": _mtt(b"", layer, again),
        "layers.mtt": section(1, section(27, number(1000)), 7) + _filled(section(10, b"")),
    }


def test_sixteen_kilobytes_never_take_sixty_four_megabytes(tmp_path: Path) -> None:
    cases = _worst_cases()
    files = [tmp_path / name for name in cases]
    for file, data in zip(files, cases.values(), strict=True):
        assert len(data) <= MOST_BYTES, file.name
        file.write_bytes(data)
    peaks = peaks_of_opening(files[0], files)
    worst = max(peaks)
    assert worst < 64 << 20, f"{files[peaks.index(worst) // 2].name}: {worst / 2**20:.0f} MiB"

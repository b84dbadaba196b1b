"""How much memory small OVF and scan XML may take: what is said once and means much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.ovf_messages import MESSAGES, OvfFile, Plane, write_ovf
from support.peak_memory import peaks_of_opening
from support.scan_xml import segment


def _planes(*blocks: Any, planes: int = 1) -> bytes:
    shells = [Plane(MESSAGES["WorkPlane"](), list(blocks)) for _ in range(planes)]
    return write_ovf(OvfFile(MESSAGES["Job"](), shells))


def _layer(*parts: str) -> bytes:
    return f"<Layer><Header/>{''.join(parts)}</Layer>".encode()


def _styles(*styles: str) -> str:
    inner = "".join(f"<SegmentStyle>{style}</SegmentStyle>" for style in styles)
    return f"<SegmentStyleList>{inner}</SegmentStyleList>"


def _worst_cases() -> dict[str, bytes]:
    again = MESSAGES["Block"](repeats=190)
    again.lines.SetInParent()
    empty = MESSAGES["Block"]()
    empty.lines.SetInParent()
    arcs = MESSAGES["Block"]()
    arcs.arcs.angle, arcs.arcs.dx = 36_000, 100
    arcs.arcs.centers.extend([0, 0] * 1900)
    sequences = MESSAGES["Block"]()
    for _ in range(8000):
        sequences.adapted_hatches.sequences.add()
    params = [MESSAGES["ParamsEntry"](key=key) for key in range(2600)]
    parts = [MESSAGES["PartEntry"](key=key) for key in range(2600)]
    path = "".join(segment("ab"[place % 2], 1, 1) for place in range(110))
    profile = f"<VelocityProfile><ID/>{'<a/>' * 1900}</VelocityProfile>"
    return {
        "repeats.ovf": _planes(*[again] * 1300),
        "blocks.ovf": _planes(*[empty] * 2300),
        "planes.ovf": _planes(planes=900),
        "arcs.ovf": _planes(arcs),
        "sequences.ovf": _planes(sequences),
        "styles.ovf": write_ovf(OvfFile(MESSAGES["Job"](params=params))),
        "parts.ovf": write_ovf(OvfFile(MESSAGES["Job"](parts=parts))),
        "shared.xml": _layer(
            f"<VelocityProfileList>{profile}</VelocityProfileList>",
            _styles("<ID/>" + "<Traveler/>" * 740),
        ),
        "travelers.xml": _layer(
            _styles("<ID>a</ID>" + "<Traveler/>" * 700, "<ID>b</ID>"),
            "<TrajectoryList><Trajectory><Path><Start><X>1</X><Y>1</Y></Start>",
            f"{path}</Path></Trajectory></TrajectoryList>",
        ),
        "styles.xml": _layer(_styles(*[f"<ID>{place}</ID>" for place in range(390)])),
        "paths.xml": _layer(
            "<TrajectoryList><Trajectory>", "<Path/>" * 2200, "</Trajectory></TrajectoryList>"
        ),
    }


def test_sixteen_kilobytes_never_take_sixty_four_megabytes(tmp_path: Path) -> None:
    cases = _worst_cases()
    for name, data in cases.items():
        assert len(data) <= 16 << 10, name
        (tmp_path / name).write_bytes(data)
    peaks = peaks_of_opening(tmp_path / "planes.ovf", [tmp_path / name for name in cases])
    assert max(peaks) < 64 << 20, f"{max(peaks) / 2**20:.0f} MiB"

"""Injected faults: what goes wrong, in which layers, and how the channels show it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pbf_ray.contracts import CHANNELS
from pbf_ray.errors import SettingError

__all__ = [
    "FAULT_CLASSES",
    "FAULT_KINDS",
    "Fault",
    "FaultClass",
    "FaultKind",
    "apply_fault",
    "draw_faults",
    "parse_fault",
]

FaultKind = Literal["hot_spot", "gas_flow_step", "laser_power_loss"]
FAULT_KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)

_TEMPERATURE: Final = CHANNELS.index("temperature")
_PRESSURE: Final = CHANNELS.index("pressure")
_LASER_POWER: Final = CHANNELS.index("laser_power")


@dataclass(frozen=True)
class Fault:
    """One injected fault.

    Attributes:
        kind: What goes wrong.
        build_id: Build that has it.
        first_layer: First layer that has it.
        last_layer: Last layer that has it.
        magnitude: How strong, in the unit of the fault class; None takes its default.
    """

    kind: FaultKind
    build_id: str
    first_layer: int
    last_layer: int
    magnitude: float | None = None

    @property
    def strength(self) -> float:
        """The magnitude, or the default of the class."""
        return FAULT_CLASSES[self.kind].magnitude if self.magnitude is None else self.magnitude


@dataclass(frozen=True)
class FaultClass:
    """What a kind of fault does.

    Attributes:
        channels: Channels that show it.
        magnitude: Default magnitude: clearly outside the limits of the default rule profile.
        unit: Unit of the magnitude.
        apply: Changes ``values`` (float64[channels, samples, sensors]) in place, given the
            magnitude, the number of layers since the first one and ``progress`` (float64[samples],
            place of each sample in the layer's exposure, 0 to 1); returns bool[samples], the
            samples it changed.
    """

    channels: tuple[str, ...]
    magnitude: float
    unit: str
    apply: Callable[
        [NDArray[np.float64], float, int, NDArray[np.float64]],
        NDArray[np.bool_],
    ]


def _hot_spot(
    values: NDArray[np.float64],
    rise_degc: float,
    layers_since: int,  # noqa: ARG001 - all fault classes are called alike
    progress: NDArray[np.float64],
) -> NDArray[np.bool_]:
    # One part overheats, so it is hot while that part is exposed: the same stretch of each layer.
    hot = (progress >= 0.3) & (progress < 0.7)
    if not hot.any():
        hot[:] = True
    values[_TEMPERATURE, hot] += rise_degc
    return hot


def _gas_flow_step(
    values: NDArray[np.float64],
    drop_bar: float,
    layers_since: int,
    progress: NDArray[np.float64],
) -> NDArray[np.bool_]:
    # The flow falls at once; plume that is no longer carried away heats the view layer by layer.
    values[_PRESSURE] -= drop_bar
    values[_TEMPERATURE] += np.minimum(2.0 * (layers_since + progress[:, None]), 40.0)
    return np.ones(progress.shape, dtype=np.bool_)


def _laser_power_loss(
    values: NDArray[np.float64],
    lost_share: float,
    layers_since: int,  # noqa: ARG001 - all fault classes are called alike
    progress: NDArray[np.float64],
) -> NDArray[np.bool_]:
    values[_LASER_POWER] *= 1.0 - lost_share
    # A melt pool far below boiling: roughly 400 degC from no absorbed power to full power.
    values[_TEMPERATURE] -= 400.0 * lost_share
    return np.ones(progress.shape, dtype=np.bool_)


FAULT_CLASSES: Final[dict[FaultKind, FaultClass]] = {
    "hot_spot": FaultClass(("temperature",), 170.0, "degC", _hot_spot),
    "gas_flow_step": FaultClass(("pressure", "temperature"), 0.1, "bar", _gas_flow_step),
    "laser_power_loss": FaultClass(
        ("laser_power", "temperature"), 0.35, "share of the power", _laser_power_loss
    ),
}


def apply_fault(
    fault: Fault,
    values: NDArray[np.float64],
    *,
    layer: int,
    progress: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Let a fault act on one layer.

    Args:
        fault: The fault; the layer must be one of its layers.
        values: float64[channels, samples, sensors] in the channels' units; changed in place.
        layer: Layer number.
        progress: float64[samples], place of each sample in the layer's exposure, 0 to 1.

    Returns:
        bool[samples]: the samples that the fault changed.
    """
    model = FAULT_CLASSES[fault.kind]
    return model.apply(values, fault.strength, layer - fault.first_layer, progress)


def draw_faults(
    rng: np.random.Generator, *, build_id: str, layers: int, count: int
) -> tuple[Fault, ...]:
    """Draw faults for one build, each in its own stretch of layers, the kinds in turn.

    Args:
        rng: Source of chance.
        build_id: Build that gets them.
        layers: Layers of the build; at least ``count``.
        count: Number of faults.
    """
    edges = np.linspace(0, layers, count + 1).astype(int)
    first_kind = int(rng.integers(len(FAULT_KINDS)))
    faults = []
    for index in range(count):
        room = int(edges[index + 1] - edges[index])
        length = int(rng.integers(1, max(1, min(6, room // 2)) + 1))
        first = int(edges[index]) + int(rng.integers(room - length + 1))
        kind = FAULT_KINDS[(first_kind + index) % len(FAULT_KINDS)]
        faults.append(Fault(kind, build_id, first, first + length - 1))
    return tuple(faults)


_FAULT_TEXT: Final = re.compile(
    r"(?P<kind>\w+)@(?P<build>[^:@\s]+):(?P<first>\d+)(-(?P<last>\d+))?(=(?P<size>[0-9.eE+-]+))?"
)


def parse_fault(text: str) -> Fault:
    """Read a fault from text: ``kind@build:first-last=magnitude``.

    Args:
        text: For example ``"hot_spot@M01-B001:20-25"`` or ``"gas_flow_step@M02-B001:40=0.12"``;
            without a last layer one layer, without a magnitude the default of the kind.

    Raises:
        SettingError: The text is no fault.
    """
    advice = (
        f"write kind@build:first-last or kind@build:first-last=magnitude, "
        f"kind one of {', '.join(FAULT_KINDS)}; for example hot_spot@M01-B001:20-25=170"
    )
    match = _FAULT_TEXT.fullmatch(text.strip())
    if match is None:
        raise SettingError("faults", "text", f"{text!r} does not describe a fault", advice=advice)
    by_name: dict[str, FaultKind] = {kind: kind for kind in FAULT_KINDS}
    kind = by_name.get(match["kind"])
    if kind is None:
        raise SettingError(
            "faults", "text", f"{match['kind']!r} is no kind of fault", advice=advice
        )
    try:
        magnitude = None if match["size"] is None else float(match["size"])
    except ValueError as error:
        raise SettingError(
            "faults", "text", f"{match['size']!r} is no number", advice=advice
        ) from error
    first = int(match["first"])
    last = first if match["last"] is None else int(match["last"])
    return Fault(kind, match["build"], first, last, magnitude)

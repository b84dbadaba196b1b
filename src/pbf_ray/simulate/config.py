"""Settings of the machine twin, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from pbf_ray.contracts import CHANNELS
from pbf_ray.errors import SettingError
from pbf_ray.simulate.faults import FAULT_KINDS, Fault
from pbf_ray.simulate.record import MALFORMED_KINDS, MalformedKind
from pbf_ray.simulate.signals import HEALTHY_SIGNALS, ChannelSignal

__all__ = ["TwinConfig", "build_name", "machine_name", "sensor_name"]

_SOURCE: Final = "TwinConfig"


def machine_name(machine: int) -> str:
    """Name of a machine, counted from 0: ``M01``."""
    return f"M{machine + 1:02d}"


def build_name(machine: int, build: int) -> str:
    """Id of a build of a machine, both counted from 0: ``M01-B001``."""
    return f"{machine_name(machine)}-B{build + 1:03d}"


def sensor_name(machine: int, sensor: int) -> str:
    """Id of a sensor of a machine, both counted from 0: ``M01-S1``."""
    return f"{machine_name(machine)}-S{sensor + 1}"


@dataclass(frozen=True, kw_only=True)
class TwinConfig:
    """What to simulate. The same settings give the same bytes.

    Attributes:
        machines: Machines that build at the same time.
        builds: Builds of each machine, one after the other.
        layers: Layers of each build, numbered from 0.
        sensors: Sensors of each machine; every sensor sends all channels.
        collection_interval_s: Time between two records of a sensor while the laser exposes.
        records_per_layer: Records of each sensor in each layer, evenly spread over the exposure,
            instead of the collection interval.
        seed: Source of all chance.
        start_time_s: When the first machine starts, seconds since 1970-01-01 UTC; the others
            start within the minute after.
        build_gap_s: Time between two builds of a machine.
        parts_per_build: Parts on the plate.
        warm_up_layers: Layers until the warm-up drift is gone (to 5 %).
        missing_rate: Share of the records that are never sent.
        malformed_rate: Share of the sent records that are malformed.
        malformed_kinds: Kinds of malformed records, equally likely.
        repeat_rate: Share of the whole records that are sent twice, the same bytes.
        out_of_order_rate: Share of the sent records that are held back.
        max_disorder_s: A held-back record is sent up to this much event time later.
        faults: Faults to inject.
        random_faults_per_build: Faults drawn for each build, besides ``faults``.
        signals: How the channels behave, in the order of the channels.

    Raises:
        SettingError: A value cannot be used; the error names it.
    """

    machines: int = 2
    builds: int = 1
    layers: int = 50
    sensors: int = 3
    collection_interval_s: float = 1.0
    records_per_layer: int | None = None
    seed: int = 0
    start_time_s: float = 1_750_000_000.0
    build_gap_s: float = 1800.0
    parts_per_build: int = 6
    warm_up_layers: int = 100
    missing_rate: float = 0.0
    malformed_rate: float = 0.0
    malformed_kinds: tuple[MalformedKind, ...] = MALFORMED_KINDS
    repeat_rate: float = 0.0
    out_of_order_rate: float = 0.0
    max_disorder_s: float = 5.0
    faults: tuple[Fault, ...] = ()
    random_faults_per_build: int = 0
    signals: tuple[ChannelSignal, ...] = HEALTHY_SIGNALS

    def __post_init__(self) -> None:
        for key in ("machines", "builds", "layers", "sensors", "parts_per_build"):
            _whole(key, getattr(self, key), least=1)
        for key in ("seed", "warm_up_layers", "random_faults_per_build"):
            _whole(key, getattr(self, key), least=0)
        if self.records_per_layer is not None:
            _whole("records_per_layer", self.records_per_layer, least=1)
        _finite("collection_interval_s", self.collection_interval_s, above=0.0)
        _finite("start_time_s", self.start_time_s)
        _finite("build_gap_s", self.build_gap_s, least=0.0)
        _finite("max_disorder_s", self.max_disorder_s, least=0.0, most=self.build_gap_s)
        for key in ("missing_rate", "malformed_rate", "repeat_rate", "out_of_order_rate"):
            _finite(key, getattr(self, key), least=0.0, most=1.0)
        self._check_kinds()
        self._check_faults()
        self._check_signals()

    def build_ids(self) -> frozenset[str]:
        """Ids of all builds."""
        return frozenset(
            build_name(machine, build)
            for machine in range(self.machines)
            for build in range(self.builds)
        )

    def _check_kinds(self) -> None:
        unknown = [kind for kind in self.malformed_kinds if kind not in MALFORMED_KINDS]
        if unknown or (self.malformed_rate and not self.malformed_kinds):
            problem = f"{unknown[0]!r} is no kind" if unknown else "is empty"
            raise SettingError(
                "malformed_kinds",
                _SOURCE,
                problem,
                advice=f"choose of {', '.join(MALFORMED_KINDS)}",
            )

    def _check_faults(self) -> None:
        builds = self.build_ids()
        for fault in self.faults:
            if fault.kind not in FAULT_KINDS:
                problem = f"{fault.kind!r} is no kind of fault"
                advice = f"choose of {', '.join(FAULT_KINDS)}"
            elif fault.build_id not in builds:
                problem = f"{fault.build_id!r} is not a build of this simulation"
                advice = f"builds are {min(builds)} to {max(builds)}"
            elif not 0 <= fault.first_layer <= fault.last_layer < self.layers:
                problem = (
                    f"layers {fault.first_layer} to {fault.last_layer} of {fault.build_id} "
                    f"are not within 0 to {self.layers - 1}"
                )
                advice = "layers are counted from 0, the first one first"
            elif not math.isfinite(fault.strength):
                problem, advice = f"magnitude {fault.strength} is not finite", "give a number"
            else:
                continue
            raise SettingError("faults", _SOURCE, problem, advice=advice)
        if self.random_faults_per_build > self.layers:
            raise SettingError(
                "random_faults_per_build",
                _SOURCE,
                f"{self.random_faults_per_build} faults do not fit into {self.layers} layers",
                advice="every fault needs a layer of its own",
            )

    def _check_signals(self) -> None:
        channels = tuple(signal.channel for signal in self.signals)
        if channels != CHANNELS:
            raise SettingError(
                "signals", _SOURCE, f"describes {channels}", advice=f"describe {CHANNELS}"
            )
        for signal in self.signals:
            key = f"signals.{signal.channel}"
            _finite(f"{key}.setpoint", signal.setpoint)
            _finite(f"{key}.sigma", signal.sigma, least=0.0)
            _finite(f"{key}.autocorrelation", signal.autocorrelation, least=0.0, most=0.999999)
            _finite(f"{key}.resolution", signal.resolution, above=0.0)
            _finite(f"{key}.warm_up", signal.warm_up)
            _finite(f"{key}.sensor_spread", signal.sensor_spread, least=0.0)
            _finite(f"{key}.layer_spread", signal.layer_spread, least=0.0)


def _whole(key: str, value: Any, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingError(key, _SOURCE, f"{value!r} is not a whole number of at least {least}")


def _finite(
    key: str,
    value: Any,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not least <= value <= most
        or value <= above
    ):
        wanted = [
            f"at least {least:g}" if least > -math.inf else "",
            f"above {above:g}" if above > -math.inf else "",
            f"at most {most:g}" if most < math.inf else "",
        ]
        limits = " and ".join(part for part in wanted if part)
        raise SettingError(key, _SOURCE, f"{value!r} is not a number {limits or 'that is finite'}")

"""The machine twin: machines x builds x layers of ISPM records, seeded, in the order of sending."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import cycle, repeat
from operator import itemgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pbf_ray.simulate.config import TwinConfig, machine_name, sensor_name
from pbf_ray.simulate.faults import Fault, apply_fault, draw_faults
from pbf_ray.simulate.malformed import malform
from pbf_ray.simulate.plan import BuildPlan, chance, machine_plans
from pbf_ray.simulate.record import VOID_KINDS, RecordKind, SimulatedRecord
from pbf_ray.simulate.signals import autoregressive, quantise, warm_up_share
from pbf_ray.simulate.truth import BuildTruth, FaultTruth, GroundTruth

__all__ = ["Twin"]

_RECORD: Final = (
    '{"sensor_id":"SENSOR","timestamp":%s,"temperature":%r,"pressure":%r,"laser_power":%r,'
    '"scan_speed":%r,"build_id":"BUILD","layer":LAYER,"_metadata":{"timestamp":%s,'
    '"producer_id":"twin-MACHINE","message_id":"SEED-MACHINE-%d"}}'
)


# Plain tuples, for these are made for every record; both start with the time of sending.
_Sample = tuple[float, bytes, bytes | None, float, RecordKind | None, int, tuple[FaultTruth, ...]]
"""Send time, key, value, event time, kind (None: it gets lost), layer, faults it shows."""

_Sent = tuple[float, SimulatedRecord | None, BuildTruth, int, tuple[FaultTruth, ...]]
"""Send time, record (None: it got lost), build, layer, faults it shows; in order of sending."""


class Twin:
    """A seeded simulation of PBF-LB/M machines with process sensors; a ``SensorSource``.

    ``records()`` may be called again and starts afresh; ``ground_truth`` belongs to the latest call
    and counts what that iterator has handed out so far.

    Args:
        config: What to simulate.
    """

    def __init__(self, config: TwinConfig) -> None:
        self.config = config
        self.ground_truth = GroundTruth(seed=config.seed, config=config)

    def records(self) -> Iterator[SimulatedRecord]:
        """The messages of all machines, in the order of sending."""
        self.ground_truth = GroundTruth(seed=self.config.seed, config=self.config)
        return self._count(self.ground_truth)

    def close(self) -> None:
        """There is nothing to give back."""

    def plans(self) -> Iterator[BuildPlan]:
        """Areas, times and record numbers of all builds, machine by machine."""
        for machine in range(self.config.machines):
            yield from machine_plans(self.config, machine)

    def span_s(self) -> tuple[float, float]:
        """Start of the first layer and end of the last, seconds since 1970-01-01 UTC."""
        bounds = [(float(plan.start_s[0]), plan.end_s) for plan in self.plans()]
        return min(start for start, _ in bounds), max(end for _, end in bounds)

    def measured_records(self) -> int:
        """Records that the machines measure: those sent, without repeats, and those missing."""
        return sum(int(plan.samples.sum()) for plan in self.plans()) * self.config.sensors

    def _count(self, truth: GroundTruth) -> Iterator[SimulatedRecord]:
        streams = [
            _machine_stream(self.config, machine, truth) for machine in range(self.config.machines)
        ]
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=itemgetter(0))
        for _, record, build, layer, faults in merged:
            if record is None:
                truth.missing += 1
                build.missing += 1
                continue
            truth.kinds[record.kind] += 1
            build.sent += 1
            if record.kind not in VOID_KINDS:
                build.count_readable(record, layer)
                if record.behind_s:
                    truth.out_of_order += 1
                    truth.largest_disorder_s = max(truth.largest_disorder_s, record.behind_s)
                for fault in faults:
                    fault.count(record.event_time_s)
            yield record
        truth.complete = True


def _machine_stream(config: TwinConfig, machine: int, truth: GroundTruth) -> Iterator[_Sent]:
    first_message = 0
    for number, plan in enumerate(machine_plans(config, machine)):
        source = _BuildSource(config, machine, number, plan, first_message)
        truth.builds.append(source.truth)
        truth.faults.extend(fault for _, fault in source.faults)
        yield from source.sent()
        first_message = source.next_message


class _BuildSource:
    """The records of one build of one machine."""

    def __init__(
        self, config: TwinConfig, machine: int, number: int, plan: BuildPlan, first_message: int
    ) -> None:
        self._config = config
        self._machine = machine
        self._plan = plan
        self.next_message = first_message
        self.truth = BuildTruth(machine_name(machine), plan.build_id)
        self._rng = {
            purpose: chance(config.seed, machine, number, purpose)
            for purpose in ("sampling", "noise", "missing", "malformed", "repeats", "disorder")
        }
        drawn = draw_faults(
            chance(config.seed, machine, number, "faults"),
            build_id=plan.build_id,
            layers=config.layers,
            count=config.random_faults_per_build,
        )
        chosen = [fault for fault in config.faults if fault.build_id == plan.build_id]
        self.faults: list[tuple[Fault, FaultTruth]] = [
            (fault, FaultTruth.of(fault, self.truth.machine)) for fault in (*chosen, *drawn)
        ]
        signals = config.signals
        self._setpoint = np.array([signal.setpoint for signal in signals])
        self._warm_up = np.array([signal.warm_up for signal in signals])
        self._sigma = np.array([signal.sigma for signal in signals])
        self._spread = np.array([signal.layer_spread for signal in signals])
        self._correlation = np.array([signal.autocorrelation for signal in signals])
        self._innovation = np.sqrt(1.0 - self._correlation**2)
        noise = self._rng["noise"]
        shape = (len(signals), config.sensors)
        offset_sd = np.array([signal.sensor_spread for signal in signals])
        self._offset = noise.standard_normal(shape) * offset_sd[:, None]
        self._state = noise.standard_normal(shape)
        sensors = [sensor_name(machine, sensor) for sensor in range(config.sensors)]
        self._keys = [sensor.encode("ascii") for sensor in sensors]
        self._templates = [
            _RECORD.replace("SENSOR", sensor)
            .replace("BUILD", plan.build_id)
            .replace("MACHINE", self.truth.machine)
            .replace("SEED", str(config.seed))
            for sensor in sensors
        ]

    def sent(self) -> Iterator[_Sent]:
        """The records in the order of sending."""
        held: list[_Sample] = []
        newest = -np.inf
        for layer in range(self._config.layers):
            held += self._layer(layer)
            held.sort(key=itemgetter(0))
            ready = len(held)
            if layer + 1 < self._config.layers:
                # All that is still to come is sent after it is measured: not before this.
                next_s = float(self._plan.exposure_start_s[layer + 1])
                while ready and held[ready - 1][0] >= next_s:
                    ready -= 1
            for send_s, key, value, event_s, kind, of_layer, faults in held[:ready]:
                record = None
                if kind is not None:
                    behind_s = 0.0
                    if kind not in VOID_KINDS:
                        if event_s < newest:
                            behind_s = newest - event_s
                        else:
                            newest = event_s
                    record = SimulatedRecord(key, value, event_s, kind, behind_s)
                yield send_s, record, self.truth, of_layer, faults
            del held[:ready]

    def _layer(self, layer: int) -> list[_Sample]:
        times = self._plan.sample_times_s(layer, self._config.sensors, self._rng["sampling"])
        values = self._signals(layer, len(times))
        progress = (np.arange(len(times)) + 0.5) / len(times)
        shown = [
            (fault, apply_fault(chosen, values, layer=layer, progress=progress))
            for chosen, fault in self.faults
            if chosen.first_layer <= layer <= chosen.last_layer
        ]
        event_s = times.ravel()
        send_s = self._send_times(event_s)
        columns = [
            quantise(channel, signal.resolution).ravel().tolist()
            for channel, signal in zip(values, self._config.signals, strict=True)
        ]
        templates = [text.replace("LAYER", str(layer)) for text in self._templates]
        events, sends = event_s.tolist(), send_s.tolist()
        event_texts = [repr(event) for event in events]
        send_texts = event_texts if send_s is event_s else [repr(sent) for sent in sends]
        numbers = range(self.next_message, self.next_message + len(sends))
        self.next_message += len(sends)
        fields = zip(event_texts, *columns, send_texts, numbers, strict=True)
        samples: list[_Sample] = [
            (sent, key, (template % row).encode("ascii"), event, "whole", layer, faults)
            for sent, key, template, row, event, faults in zip(
                sends,
                cycle(self._keys),
                cycle(templates),
                fields,
                events,
                self._shown_by(shown, len(sends)),
                strict=False,  # the sensors take turns without end
            )
        ]
        return self._on_their_way(samples)

    def _signals(self, layer: int, samples: int) -> NDArray[np.float64]:
        """float64[channels, samples, sensors] of a healthy layer."""
        noise = self._rng["noise"]
        spread = np.exp(self._spread * noise.standard_normal(len(self._spread)))
        series = noise.standard_normal((len(self._sigma), samples, self._config.sensors))
        series *= self._innovation[:, None, None]
        series = autoregressive(series, self._correlation, self._state)
        self._state = series[:, -1].copy()
        level = self._setpoint + self._warm_up * warm_up_share(layer, self._config.warm_up_layers)
        series *= (self._sigma * spread)[:, None, None]
        series += level[:, None, None] + self._offset[:, None, :]
        return series

    def _send_times(self, event_s: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self._config.out_of_order_rate:
            return event_s
        rng = self._rng["disorder"]
        held_back = rng.random(len(event_s)) < self._config.out_of_order_rate
        delay_s = rng.random(len(event_s)) * self._config.max_disorder_s
        return np.round(event_s + held_back * delay_s, self._plan.time_decimals)

    def _shown_by(
        self, shown: list[tuple[FaultTruth, NDArray[np.bool_]]], records: int
    ) -> Iterator[tuple[FaultTruth, ...]]:
        if not shown:
            return repeat((), records)
        sensors = self._config.sensors
        return iter(
            [
                tuple(fault for fault, mask in shown if mask[index // sensors])
                for index in range(records)
            ]
        )

    def _on_their_way(self, samples: list[_Sample]) -> list[_Sample]:
        """Lose, spoil and repeat some records; order does not matter yet."""
        config, count = self._config, len(samples)
        whole = np.ones(count, dtype=np.bool_)
        if config.malformed_rate:
            rng = self._rng["malformed"]
            spoilt = rng.random(count) < config.malformed_rate
            for index in np.flatnonzero(spoilt):
                kind = config.malformed_kinds[int(rng.integers(len(config.malformed_kinds)))]
                sent, key, value, event, _, layer, faults = samples[index]
                spoilt_value = malform(value or b"", kind, rng)
                samples[index] = (sent, key, spoilt_value, event, kind, layer, faults)
            whole &= ~spoilt
        if config.missing_rate:
            lost = self._rng["missing"].random(count) < config.missing_rate
            for index in np.flatnonzero(lost):
                sent, key, _, event, _, layer, faults = samples[index]
                samples[index] = (sent, key, None, event, None, layer, faults)
            whole &= ~lost
        if config.repeat_rate:
            twice = (self._rng["repeats"].random(count) < config.repeat_rate) & whole
            for index in np.flatnonzero(twice):
                sent, key, value, event, _, layer, faults = samples[index]
                samples.append((sent, key, value, event, "repeat", layer, faults))
        return samples

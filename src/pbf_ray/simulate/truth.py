"""Ground truth: what was really sent, counted as it was handed out."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pbf_ray.simulate.config import TwinConfig
from pbf_ray.simulate.faults import FAULT_CLASSES, Fault
from pbf_ray.simulate.record import FLAGGED_KINDS, VOID_KINDS, SimulatedRecord

__all__ = ["BuildTruth", "FaultTruth", "GroundTruth", "write_ground_truth"]


@dataclass
class FaultTruth:
    """One injected fault, as far as it was sent.

    Attributes:
        kind: Kind of fault.
        machine: Machine that has it.
        build_id: Build that has it.
        first_layer: First layer that has it.
        last_layer: Last layer that has it.
        channels: Channels that show it.
        magnitude: How strong.
        unit: Unit of the magnitude.
        records: Readable messages that show it, repeats included.
        start_time_s: Event time of the earliest of them; None if there is none.
        end_time_s: Event time of the latest of them.
    """

    kind: str
    machine: str
    build_id: str
    first_layer: int
    last_layer: int
    channels: tuple[str, ...]
    magnitude: float
    unit: str
    records: int = 0
    start_time_s: float | None = None
    end_time_s: float | None = None

    @classmethod
    def of(cls, fault: Fault, machine: str) -> FaultTruth:
        """A fault of which nothing has been sent yet."""
        model = FAULT_CLASSES[fault.kind]
        return cls(
            kind=fault.kind,
            machine=machine,
            build_id=fault.build_id,
            first_layer=fault.first_layer,
            last_layer=fault.last_layer,
            channels=model.channels,
            magnitude=fault.strength,
            unit=model.unit,
        )

    def count(self, event_time_s: float) -> None:
        """Count one readable message that shows the fault."""
        self.records += 1
        if self.start_time_s is None or event_time_s < self.start_time_s:
            self.start_time_s = event_time_s
        if self.end_time_s is None or event_time_s > self.end_time_s:
            self.end_time_s = event_time_s


@dataclass
class BuildTruth:
    """What was sent of one build.

    Attributes:
        machine: Machine that builds it.
        build_id: Id of the build.
        sent: Messages, repeats and malformed ones included.
        readable: Messages that hold a record: neither a dead letter nor missing.
        missing: Records that were never sent.
        layers: Layers with at least one readable message.
        first_event_time_s: Earliest event time of a readable message.
        last_event_time_s: Latest event time of a readable message.
    """

    machine: str
    build_id: str
    sent: int = 0
    readable: int = 0
    missing: int = 0
    layers: int = 0
    first_event_time_s: float | None = None
    last_event_time_s: float | None = None
    _layers_seen: set[int] = field(default_factory=set, repr=False)

    def count_readable(self, record: SimulatedRecord, layer: int) -> None:
        """Count a message that holds a record."""
        self.readable += 1
        if layer not in self._layers_seen:
            self._layers_seen.add(layer)
            self.layers += 1
        if record.behind_s == 0.0:
            self.last_event_time_s = record.event_time_s
        if self.first_event_time_s is None or record.event_time_s < self.first_event_time_s:
            self.first_event_time_s = record.event_time_s


@dataclass
class GroundTruth:
    """What was sent, exactly, and the faults in it.

    ``sent = readable + void_malformed``, and ``sent + missing - repeated`` records were measured.

    Attributes:
        seed: Seed of the simulation.
        complete: Whether the stream was read to its end.
        kinds: Messages by what was done to them; ``whole`` are plain records.
        missing: Records that were never sent.
        out_of_order: Readable messages behind a readable one of their build sent before.
        largest_disorder_s: How far the worst of them was behind.
        builds: Counts of each build, in the order in which they started.
        faults: Injected faults of the builds that started.
        config: Settings of the simulation.
    """

    seed: int
    config: TwinConfig
    complete: bool = False
    kinds: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    out_of_order: int = 0
    largest_disorder_s: float = 0.0
    builds: list[BuildTruth] = field(default_factory=list)
    faults: list[FaultTruth] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Messages handed out."""
        return self.kinds.total()

    @property
    def void_malformed(self) -> int:
        """Messages of which nothing can be used."""
        return sum(count for kind, count in self.kinds.items() if kind in VOID_KINDS)

    @property
    def flagged_partial(self) -> int:
        """Messages with one field that cannot be used."""
        return sum(count for kind, count in self.kinds.items() if kind in FLAGGED_KINDS)

    @property
    def readable(self) -> int:
        """Messages that hold a record."""
        return self.sent - self.void_malformed

    @property
    def repeated(self) -> int:
        """Messages that are second copies."""
        return self.kinds["repeat"]

    @property
    def layers(self) -> int:
        """Layers, over all builds, with at least one readable message."""
        return sum(build.layers for build in self.builds)

    def to_dict(self) -> dict[str, Any]:
        """All counts, builds and faults as plain values."""
        builds = [
            {key: value for key, value in asdict(build).items() if not key.startswith("_")}
            for build in self.builds
        ]
        return {
            "seed": self.seed,
            "complete": self.complete,
            "sent": self.sent,
            "readable": self.readable,
            "void_malformed": self.void_malformed,
            "flagged_partial": self.flagged_partial,
            "repeated": self.repeated,
            "missing": self.missing,
            "out_of_order": self.out_of_order,
            "largest_disorder_s": self.largest_disorder_s,
            "layers": self.layers,
            "kinds": dict(sorted(self.kinds.items())),
            "builds": builds,
            "faults": [asdict(fault) for fault in self.faults],
            "config": asdict(self.config),
        }

    def to_json(self) -> str:
        """``to_dict`` as JSON text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"


def write_ground_truth(truth: GroundTruth, path: Path) -> None:
    """Write the ground truth as JSON; readers see the old file or the whole new one.

    Raises:
        OSError: The file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(truth.to_json(), encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)

"""The machine twin and the replay of real logs: sources of records that need no machine."""

from pbf_ray.simulate.config import TwinConfig
from pbf_ray.simulate.faults import FAULT_KINDS, Fault, FaultKind, parse_fault
from pbf_ray.simulate.mapping import ReplayMapping, load_mapping, parse_mapping
from pbf_ray.simulate.pace import pace
from pbf_ray.simulate.record import (
    FLAGGED_KINDS,
    MALFORMED_KINDS,
    VOID_KINDS,
    MalformedKind,
    RecordKind,
    SimulatedRecord,
)
from pbf_ray.simulate.replay import BadLine, ReplayedLog, replay_records
from pbf_ray.simulate.truth import BuildTruth, FaultTruth, GroundTruth, write_ground_truth
from pbf_ray.simulate.twin import Twin

__all__ = [
    "FAULT_KINDS",
    "FLAGGED_KINDS",
    "MALFORMED_KINDS",
    "VOID_KINDS",
    "BadLine",
    "BuildTruth",
    "Fault",
    "FaultKind",
    "FaultTruth",
    "GroundTruth",
    "MalformedKind",
    "RecordKind",
    "ReplayMapping",
    "ReplayedLog",
    "SimulatedRecord",
    "Twin",
    "TwinConfig",
    "load_mapping",
    "pace",
    "parse_fault",
    "parse_mapping",
    "replay_records",
    "write_ground_truth",
]

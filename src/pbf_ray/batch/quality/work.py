"""What a batch run decides by, in one picklable piece that goes to every worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import pyarrow as pa

from pbf_ray.batch.places import Place
from pbf_ray.contracts import CHANNELS
from pbf_ray.streaming.plan import EpochPlan
from pbf_ray.streaming.rows import RowStamp
from pbf_ray.streaming.semantics import StreamSemantics

__all__ = ["EPOCH", "SPLIT_BYTES", "QualityOptions", "QualityWork"]

EPOCH: Final = 1
"""A batch is one epoch, whose number its rows carry."""

SPLIT_BYTES: Final = 32 << 20
"""Bytes of input that one task reads, about."""

_RECORD_BYTES: Final = 280
"""A record of a topic takes about so much, at a guess: offsets are all that is known before."""


@dataclass(frozen=True)
class QualityOptions:
    """How records are read and judged.

    Attributes:
        job_id: Name of the job, which all rows carry.
        malformed: ``"dead_letter"``, ``"drop"`` or ``"fail"`` for records void as a whole.
        quality_metrics: Whether a quality row per record is written.
        profile_toml: The rule profile, as text; empty for the default one.
        split_bytes: Bytes of input that one task reads, about.
        table_format: ``"parquet"``: folders of files; ``"delta"``: Delta Lake tables over the same
            files.
    """

    job_id: str = "pbf-batch"
    malformed: Literal["dead_letter", "drop", "fail"] = "dead_letter"
    quality_metrics: bool = True
    profile_toml: str = ""
    split_bytes: int = SPLIT_BYTES
    table_format: Literal["parquet", "delta"] = "parquet"

    @property
    def semantics(self) -> StreamSemantics:
        """What the stream would decide by over the same bounded input."""
        semantics = StreamSemantics(
            mode="strict",
            bounded=True,
            malformed=self.malformed,
            quality_metrics=self.quality_metrics,
            profile_toml=self.profile_toml,
        )
        semantics.profile.compile(CHANNELS)
        return semantics

    @property
    def split_records(self) -> int:
        """Records of a topic that one task reads, about."""
        return max(1, self.split_bytes // _RECORD_BYTES)


@dataclass(frozen=True)
class QualityWork:
    """A run, as its workers need to know it.

    Attributes:
        staging: The folder to write to.
        job_id: Name of the job.
        clock_us: When the run began: the processing time of all rows, microseconds since 1970.
        semantics: What it decides by.
        sources: Source id per topic; a topic that is not in it is its own source.
        buckets: Into how many parts records are split by layer.
    """

    staging: Place
    job_id: str
    clock_us: int
    semantics: StreamSemantics
    sources: Mapping[str, str] = field(default_factory=dict)
    buckets: int = 1

    def stamp(self, topics: pa.Array | pa.ChunkedArray | list[str]) -> RowStamp:
        """What rows of these topics carry."""
        names = topics if isinstance(topics, list) else topics.unique().to_pylist()
        sources = {name: self.sources.get(name, name) for name in names}
        return RowStamp(self.job_id, sources, EPOCH, self.clock_us)

    @property
    def plan(self) -> EpochPlan:
        """The one epoch of the run."""
        return EpochPlan(EPOCH, self.clock_us, {}, {}, self.semantics, final=True)

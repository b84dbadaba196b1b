"""The batch form of the main job: bounded records in, the tables of the stream out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbf_ray.config import Settings
from pbf_ray.errors import SettingError
from pbf_ray.jobs.batch_engines import quality_engine
from pbf_ray.jobs.shared_folders import batch_folders
from pbf_ray.jobs.stream import load_profile
from pbf_ray.monitoring.rules import RuleProfile

if TYPE_CHECKING:
    from pbf_ray.batch.quality import QualityProgress

__all__ = ["QualityJob", "QualityResult"]


@dataclass(frozen=True)
class QualityResult:
    """What came of a run.

    Attributes:
        job_id: Name of the job, which all rows carry.
        output: Where the tables are.
        engine: Who did the work.
        books: consumed, accepted, dead_letters, dropped, flagged; late, duplicates and pending are
            0 in a batch.
        anomalies_by_type: Count per anomaly type.
        dead_letters_by_reason: Count per reason code.
        layers: Layers in the output.
        rows: Rows by table.
        seconds: Wall time, the start of the engine included.
    """

    job_id: str
    output: str
    engine: str
    books: dict[str, int]
    anomalies_by_type: dict[str, int]
    dead_letters_by_reason: dict[str, int]
    layers: int
    rows: dict[str, int]
    seconds: float

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


class QualityJob:
    """Reads bounded records, judges them, and writes the quality of their layers.

        job = QualityJob(Settings(batch={"engine": "local"}))
        result = job.run(["records.jsonl"], "quality")

    Args:
        settings: All settings; those of ``batch``, ``job.name``, ``rules``, ``kafka``, ``ray``,
            ``spark``, and of ``stream`` ``malformed`` and ``quality_metrics`` count.
        profile: Rule profile in place of the one that the settings name.

    Raises:
        SettingError: A setting cannot be used in a batch.
    """

    def __init__(self, settings: Settings, *, profile: RuleProfile | None = None) -> None:
        if settings.stream.dedup_key is not None:
            raise SettingError(
                "stream.dedup_key",
                "the settings",
                "a batch does not drop repeats: which of them came first, only a stream knows",
                advice="leave it out, or run pbf-ray stream --until-end in mode strict",
            )
        self._settings = settings
        self._profile = profile if profile is not None else load_profile(settings.rules.profile)

    def run(
        self,
        inputs: Sequence[str | Path],
        output: str | Path,
        on_progress: Callable[[QualityProgress], None] | None = None,
    ) -> QualityResult:
        """Read, judge, roll up, write, tell.

        Args:
            inputs: Files, folders, patterns, URLs of them; or ``kafka://TOPIC?start=...&end=...``.
            output: A folder or URL; what an earlier run left there is replaced.
            on_progress: Told where the run is.

        Raises:
            PbfRayError: The input, the output or the engine cannot be used.
        """
        from pbf_ray.batch.quality import BrokerAccess, QualityOptions, run_quality

        began_s = time.monotonic()
        settings = self._settings
        folders = list(batch_folders(inputs, output))
        with quality_engine(settings, settings.batch.engine, folders=folders) as engine:
            made = run_quality(
                inputs,
                output,
                engine=engine,
                options=QualityOptions(
                    job_id=settings.job.name,
                    malformed=settings.stream.malformed,
                    quality_metrics=settings.stream.quality_metrics,
                    profile_toml=self._profile.to_toml(),
                    split_bytes=settings.batch.split_bytes,
                    table_format=settings.batch.format,
                ),
                access=BrokerAccess(
                    settings.kafka.bootstrap_servers,
                    settings.kafka.client_config(),
                    settings.kafka.topics,
                    settings.kafka.connect_timeout_s,
                ),
                on_progress=on_progress,
            )
        books = made.books.to_plain()
        return QualityResult(
            job_id=settings.job.name,
            output=made.output,
            engine=settings.batch.engine,
            books={name: count for name, count in books.items() if isinstance(count, int)},
            anomalies_by_type=made.books.anomalies_by_type,
            dead_letters_by_reason=made.books.dead_letters_by_reason,
            layers=made.books.layers,
            rows=made.rows,
            seconds=time.monotonic() - began_s,
        )

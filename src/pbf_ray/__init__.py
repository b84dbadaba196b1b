"""In-situ process monitoring of PBF-LB/M: sensor records in, layer quality out, exactly once.

    from pbf_ray import Settings, StreamJob

    job = StreamJob(Settings.load())
    result = job.run()
    layers = job.results.polars("layer_quality")

The names below are the public surface, together with ``pbf_ray.errors``, ``pbf_ray.contracts``,
``pbf_ray.config`` and ``pbf_ray.simulate``. They load when they are first used: importing
``pbf_ray`` itself imports neither Ray nor Arrow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pbf_ray.config import LoadedSettings, Settings, load_settings
    from pbf_ray.errors import PbfRayError
    from pbf_ray.jobs.dead_letters import DeadLetters, LetterFilter
    from pbf_ray.jobs.produce import ProduceJob, ProduceResult
    from pbf_ray.jobs.record_targets import FileTarget, TopicTarget
    from pbf_ray.jobs.reset import StreamReset
    from pbf_ray.jobs.results import Results
    from pbf_ray.jobs.status import JobStatus, job_status
    from pbf_ray.jobs.stores import storage_router
    from pbf_ray.jobs.stream import JobResult, StreamJob
    from pbf_ray.kafka.consumed_record import ConsumedRecord
    from pbf_ray.kafka.consumer import RecordConsumer
    from pbf_ray.kafka.consumer_metrics import ConsumerMetrics
    from pbf_ray.kafka.deliveries import BatchDelivery, Delivery, ProducerMetrics
    from pbf_ray.kafka.producer import RecordProducer
    from pbf_ray.kafka.sensor_source import SensorRecord, SensorSource
    from pbf_ray.monitoring.rules import DEFAULT_PROFILE, Rule, RuleProfile
    from pbf_ray.storage.base import EpochCommit, Sink, StagedRows, TableStore
    from pbf_ray.storage.routing.router import StorageRouter, Stored
    from pbf_ray.storage.selection import RowSelection
    from pbf_ray.streaming.progress import Progress

    __version__: str

__all__ = [
    "BatchDelivery",
    "ConsumedRecord",
    "ConsumerMetrics",
    "DEFAULT_PROFILE",
    "DeadLetters",
    "Delivery",
    "EpochCommit",
    "FileTarget",
    "JobResult",
    "JobStatus",
    "LetterFilter",
    "LoadedSettings",
    "PbfRayError",
    "ProduceJob",
    "ProduceResult",
    "ProducerMetrics",
    "Progress",
    "RecordConsumer",
    "RecordProducer",
    "Results",
    "RowSelection",
    "Rule",
    "RuleProfile",
    "SensorRecord",
    "SensorSource",
    "Settings",
    "Sink",
    "StagedRows",
    "StorageRouter",
    "Stored",
    "StreamJob",
    "StreamReset",
    "TableStore",
    "TopicTarget",
    "__version__",
    "job_status",
    "load_settings",
    "storage_router",
]

_HOMES: Final[dict[str, str]] = {
    "BatchDelivery": "pbf_ray.kafka.deliveries",
    "ConsumedRecord": "pbf_ray.kafka.consumed_record",
    "ConsumerMetrics": "pbf_ray.kafka.consumer_metrics",
    "DEFAULT_PROFILE": "pbf_ray.monitoring.rules",
    "DeadLetters": "pbf_ray.jobs.dead_letters",
    "Delivery": "pbf_ray.kafka.deliveries",
    "EpochCommit": "pbf_ray.storage.base",
    "FileTarget": "pbf_ray.jobs.record_targets",
    "JobResult": "pbf_ray.jobs.stream",
    "JobStatus": "pbf_ray.jobs.status",
    "LetterFilter": "pbf_ray.jobs.dead_letters",
    "LoadedSettings": "pbf_ray.config",
    "PbfRayError": "pbf_ray.errors",
    "ProduceJob": "pbf_ray.jobs.produce",
    "ProduceResult": "pbf_ray.jobs.produce",
    "ProducerMetrics": "pbf_ray.kafka.deliveries",
    "Progress": "pbf_ray.streaming.progress",
    "RecordConsumer": "pbf_ray.kafka.consumer",
    "RecordProducer": "pbf_ray.kafka.producer",
    "Results": "pbf_ray.jobs.results",
    "RowSelection": "pbf_ray.storage.selection",
    "Rule": "pbf_ray.monitoring.rules",
    "RuleProfile": "pbf_ray.monitoring.rules",
    "SensorRecord": "pbf_ray.kafka.sensor_source",
    "SensorSource": "pbf_ray.kafka.sensor_source",
    "Settings": "pbf_ray.config",
    "Sink": "pbf_ray.storage.base",
    "StagedRows": "pbf_ray.storage.base",
    "StorageRouter": "pbf_ray.storage.routing.router",
    "Stored": "pbf_ray.storage.routing.router",
    "StreamJob": "pbf_ray.jobs.stream",
    "StreamReset": "pbf_ray.jobs.reset",
    "TableStore": "pbf_ray.storage.base",
    "TopicTarget": "pbf_ray.jobs.record_targets",
    "job_status": "pbf_ray.jobs.status",
    "load_settings": "pbf_ray.config",
    "storage_router": "pbf_ray.jobs.stores",
}
"""Where each name lives; it is imported from there on first use (PEP 562)."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("pbf_ray")
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'pbf_ray' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

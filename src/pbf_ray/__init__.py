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
    from pbf_ray.jobs.results import Results
    from pbf_ray.jobs.stream import JobResult, StreamJob
    from pbf_ray.monitoring.rules import DEFAULT_PROFILE, Rule, RuleProfile
    from pbf_ray.storage.base import EpochCommit, Sink, StagedRows, TableStore
    from pbf_ray.streaming.progress import Progress

    __version__: str

__all__ = [
    "DEFAULT_PROFILE",
    "EpochCommit",
    "JobResult",
    "LoadedSettings",
    "PbfRayError",
    "Progress",
    "Results",
    "Rule",
    "RuleProfile",
    "Settings",
    "Sink",
    "StagedRows",
    "StreamJob",
    "TableStore",
    "__version__",
    "load_settings",
]

_HOMES: Final[dict[str, str]] = {
    "DEFAULT_PROFILE": "pbf_ray.monitoring.rules",
    "EpochCommit": "pbf_ray.storage.base",
    "JobResult": "pbf_ray.jobs.stream",
    "LoadedSettings": "pbf_ray.config",
    "PbfRayError": "pbf_ray.errors",
    "Progress": "pbf_ray.streaming.progress",
    "Results": "pbf_ray.jobs.results",
    "Rule": "pbf_ray.monitoring.rules",
    "RuleProfile": "pbf_ray.monitoring.rules",
    "Settings": "pbf_ray.config",
    "Sink": "pbf_ray.storage.base",
    "StagedRows": "pbf_ray.storage.base",
    "StreamJob": "pbf_ray.jobs.stream",
    "TableStore": "pbf_ray.storage.base",
    "load_settings": "pbf_ray.config",
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

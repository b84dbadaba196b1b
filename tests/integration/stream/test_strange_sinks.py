"""Sinks that Ray's workers cannot use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pbf_ray.errors import StreamError
from pbf_ray.jobs.stream import StreamJob
from support.stream_runs import settings_for

_MODULE = "sink_of_the_driver_only"
_SOURCE = """
class Nowhere:
    name = "nowhere"
    tables = ("layer_quality",)

    def prepare(self, contracts): ...
    def claim(self, job_id, incarnation): ...
    def commit(self, write): return True
"""


def test_a_sink_that_the_workers_cannot_import_is_one_error(
    kafka_broker: str,
    make_topic: Callable[..., str],
    ray_cluster: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The coordinator was started again and again, and its log said nothing of the sink."""
    (tmp_path / f"{_MODULE}.py").write_text(_SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    sink = importlib.import_module(_MODULE).Nowhere()
    monkeypatch.setitem(sys.modules, _MODULE, sys.modules[_MODULE])
    settings = settings_for(kafka_broker, make_topic(), tmp_path / "data", until_end=True)
    with StreamJob(settings, sinks=[sink]) as job, pytest.raises(StreamError) as caught:
        job.wait(120)
    assert caught.value.facts["module"] == _MODULE
    assert f"cannot import {_MODULE}" in str(caught.value)
    assert "PYTHONPATH" in caught.value.advice

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pbf_ray.cli.main import cli
from pbf_ray.config import environment_names

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _clean_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [*environment_names(), "COLUMNS"]:
        monkeypatch.delenv(name, raising=False)
    for name in os.environ:
        if name.startswith("PBF_RAY_"):
            monkeypatch.delenv(name)
    # Commands configure the logs of their process, which here is that of the tests.
    monkeypatch.setattr("pbf_ray.logs.configure_logs", lambda *_args, **_context: None)


@pytest.fixture
def run() -> Run:
    """Run the command line: ``run("config", "show")``; the result has stdout, stderr, exit_code."""

    def call(*args: object, **options: object) -> Result:
        return CliRunner().invoke(cli, [str(arg) for arg in args], **options)  # type: ignore[arg-type]

    return call

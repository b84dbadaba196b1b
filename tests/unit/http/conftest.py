"""A small job, and a client that talks to its server in the process: no socket is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from pbf_ray.http.app import create_app
from pbf_ray.http.queries import Queries
from support.http_results import WrittenJob, small_job

Connect = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def _an_event_loop_may_wake_itself(socket_enabled: None) -> None:
    """An event loop has a pair of connected sockets; nothing else here opens one."""


@pytest.fixture
def job(tmp_path: Path) -> WrittenJob:
    return small_job(tmp_path)


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Connects to the server of a job, with settings of its own."""
    with ExitStack() as stack:

        def to(job: WrittenJob, **http: Any) -> TestClient:
            settings = job.settings.replace({f"http.{key}": value for key, value in http.items()})
            queries = Queries(settings)
            stack.callback(queries.close)
            app = create_app(queries, page=tmp_path / "page")
            client = TestClient(
                app, base_url="http://localhost:8080", raise_server_exceptions=False
            )
            return stack.enter_context(client)

        yield to


@pytest.fixture
def client(job: WrittenJob, connect: Connect) -> TestClient:
    return connect(job)

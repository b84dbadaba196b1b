"""Unit tests start no Ray and open no socket: what tries to, fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
import pytest_socket
import ray


@pytest.fixture(autouse=True)
def _no_ray_and_no_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        pytest.fail("a unit test tried to start Ray: it belongs to tests/integration")

    # An actor or a task that is called without a Ray starts one by itself: through init.
    monkeypatch.setattr(ray, "init", refuse)
    pytest_socket.disable_socket()
    yield
    pytest_socket.enable_socket()

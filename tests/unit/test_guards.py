"""The guards of tests/unit/conftest.py hold."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray
from pytest_socket import SocketBlockedError

from pbf_ray.engine.cluster import connect


def _start(_: Path) -> None:
    ray.init()


def _call_a_task(_: Path) -> None:
    ray.remote(lambda: 1).remote()


def _make_an_actor(_: Path) -> None:
    ray.remote(dict).remote()


def _connect(folder: Path) -> None:
    connect(
        address=None,
        token_path=folder / "token",
        cpus_needed=1,
        object_store_mb=100,
        forward_logs=False,
    )


@pytest.mark.parametrize("start", [_start, _call_a_task, _make_an_actor, _connect])
def test_ray_cannot_start(
    start: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        monkeypatch.setenv(name, "")  # what connect sets is set back
    with pytest.raises(pytest.fail.Exception, match="tests/integration"):
        start(tmp_path)
    assert not ray.is_initialized()


@pytest.mark.filterwarnings("ignore:A test tried to use:UserWarning")
@pytest.mark.parametrize(
    "open_one",
    [
        lambda: socket.socket(socket.AF_INET),
        lambda: socket.socket(socket.AF_UNIX),
        lambda: socket.create_connection(("127.0.0.1", 9092)),
        lambda: socket.create_server(("127.0.0.1", 0)),
        lambda: urllib.request.urlopen("http://127.0.0.1:1/"),
        lambda: socket.getaddrinfo("localhost", 80),
    ],
    ids=["internet", "unix", "client", "server", "http", "lookup"],
)
def test_no_socket_opens(open_one: Callable[[], Any]) -> None:
    with pytest.raises(SocketBlockedError):
        open_one()

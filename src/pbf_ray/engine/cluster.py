"""Connecting to Ray: a cluster at an address, or one of our own on this machine."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
from pathlib import Path

import ray

from pbf_ray.logs import adopt_library_loggers

__all__ = ["connect", "disconnect"]

NAMESPACE = "pbf_ray"


def connect(
    *,
    address: str | None,
    token_path: Path,
    cpus_needed: float,
    object_store_mb: int | None,
    forward_logs: bool,
) -> bool:
    """Connect this process to Ray unless it is connected.

    Ray's token authentication is switched on in every case, with a token file of our own:
    without that, Ray would make one in the home folder, and clients would have to know.

    Args:
        address: ``"auto"`` or ``host:port`` of a running cluster; None starts a local one that
            ends with this process.
        token_path: File of the token; made for a local cluster if it is missing.
        cpus_needed: CPU shares that the actors will ask for.
        object_store_mb: Size of the object store of a local cluster.
        forward_logs: Show the workers' logs here.

    Returns:
        Whether this call connected (and ``disconnect`` is to be called).
    """
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if os.environ["RAY_AUTH_MODE"] == "token" and "RAY_AUTH_TOKEN" not in os.environ:
        os.environ.setdefault("RAY_AUTH_TOKEN_PATH", str(token_path.absolute()))
        if address is None:
            _make_token(Path(os.environ["RAY_AUTH_TOKEN_PATH"]))
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    common = {
        "namespace": NAMESPACE,
        "log_to_driver": forward_logs,
        "logging_level": logging.WARNING,
    }
    if address is None:
        ray.init(
            address="local",
            num_cpus=max(os.cpu_count() or 1, math.ceil(cpus_needed)),
            object_store_memory=object_store_mb * 1024 * 1024 if object_store_mb else None,
            include_dashboard=False,
            **common,
        )
    else:
        ray.init(address=address, **common)
    adopt_library_loggers()
    return True


def disconnect() -> None:
    """Leave Ray; a local cluster ends."""
    ray.shutdown()


def _make_token(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    with contextlib.suppress(FileExistsError):  # a token that is there already serves
        os.link(draft, path)
    draft.unlink()

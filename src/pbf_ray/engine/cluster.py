"""Connecting to Ray: a cluster at an address, or one of our own on this machine."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from pbf_ray.engine.placement import Node
from pbf_ray.errors import PbfRayError
from pbf_ray.logs import adopt_library_loggers

__all__ = ["connect", "disconnect", "living_nodes"]

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

    Ray's token authentication is switched on, with a token file of our own: left alone, Ray
    makes one in the home folder. Ray reads these settings when it is imported, so a program
    that has imported Ray before is left to what it has set itself.

    Args:
        address: ``"auto"`` or ``host:port`` of a running cluster; None starts a local one that
            ends with this process.
        token_path: File of the token; made for a local cluster if it is missing. For a running
            cluster one that is missing is left to Ray, which looks in the home folder.
        cpus_needed: CPU shares that the actors will ask for.
        object_store_mb: Size of the object store of a local cluster.
        forward_logs: Show the workers' logs here.

    Returns:
        Whether this call connected (and ``disconnect`` is to be called).

    Raises:
        PbfRayError: No cluster answers at the address, or it refuses the token.
    """
    if "ray" not in sys.modules:
        _authenticate(token_path, local=address is None)
    import ray

    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    common: dict[str, Any] = {
        "namespace": NAMESPACE,
        "log_to_driver": forward_logs,
        "logging_level": logging.ERROR,  # its advice is not for our users
    }
    if address is None:
        ray.init(
            address="local",
            num_cpus=max(os.cpu_count() or 1, math.ceil(cpus_needed)),
            object_store_memory=object_store_mb * 1024 * 1024 if object_store_mb else None,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            **common,
        )
    else:
        _join(address, common)
    adopt_library_loggers()
    return True


def disconnect() -> None:
    """Leave Ray; a local cluster ends."""
    import ray

    ray.shutdown()


def living_nodes() -> list[Node]:
    """The nodes of the cluster that this process is connected to."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [
        Node(
            node["NodeID"],
            node["Resources"].get("CPU", 0.0),
            frozenset(map(str, node["Resources"])),
        )
        for node in nodes
        if node["Alive"]
    ]


def _join(address: str, options: dict[str, Any]) -> None:
    import ray

    try:
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise PbfRayError(
            f"no Ray cluster can be joined at {address}: {lines[0] if lines else error!r}",
            advice="run this on a node of the cluster (or through ray job submit), with "
            "RAY_AUTH_MODE=token and the token of the cluster in ray.token_path",
            address=address,
        ) from error


def _authenticate(token_path: Path, *, local: bool) -> None:
    if os.environ.setdefault("RAY_AUTH_MODE", "token") != "token":
        return
    if "RAY_AUTH_TOKEN" in os.environ:
        return
    if not local and not token_path.exists():
        return
    path = os.environ.setdefault("RAY_AUTH_TOKEN_PATH", str(token_path.absolute()))
    if local:
        _make_token(Path(path))


def _make_token(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    with contextlib.suppress(FileExistsError):  # a token that is there already serves
        os.link(draft, path)
    draft.unlink()

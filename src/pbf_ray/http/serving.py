"""Serving from this machine: a Ray if there is none, a port, the server, its end."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from pbf_ray.config import Settings
from pbf_ray.engine.cluster import connect, disconnect
from pbf_ray.errors import PbfRayError
from pbf_ray.jobs.shared_folders import require_shared_by_nodes, serve_folders

__all__ = ["Serving", "serve_results", "usable_port"]

_REPLICA_CPUS = 0.5


@dataclass
class Serving:
    """A server that runs.

    Attributes:
        address: Where it answers, for browsers.
        owns_ray: Whether Ray was started for it.
    """

    address: str
    owns_ray: bool

    def close(self) -> None:
        """End it: requests that run are answered first."""
        from pbf_ray.http import deployment

        deployment.end(whole=not self.owns_ray)
        if self.owns_ray:
            disconnect()


def serve_results(settings: Settings, *, or_any_port: bool = False) -> Serving:
    """Serve the results of a job on ``http.host`` and ``http.port``; returns when it answers.

    Args:
        settings: The settings of the job, and of how it is served.
        or_any_port: Take a free port if that one is taken.

    Raises:
        PbfRayError: The address is taken or cannot be used, or the cluster cannot be joined.
        SettingError: Replicas on several machines would need files of one.
    """
    http = settings.http
    port = usable_port(http.host, http.port, or_any=or_any_port)
    owns_ray = connect(
        address=settings.ray.address,
        token_path=settings.ray.token_path or settings.stores_root / "ray-token",
        cpus_needed=http.replicas * _REPLICA_CPUS + 1,
        object_store_mb=settings.ray.object_store_mb,
        forward_logs=False,
    )
    try:
        require_shared_by_nodes(serve_folders(settings), settings)
    except BaseException:
        if owns_ray:
            disconnect()
        raise
    # Ray reads how to authenticate when it is imported: not before connect has said so.
    from pbf_ray.http import deployment

    try:
        deployment.run(settings, port)
    except BaseException:
        deployment.end(whole=not owns_ray)
        if owns_ray:
            disconnect()
        raise
    shown = f"[{http.host}]" if ":" in http.host else http.host
    return Serving(f"http://{shown}:{port}/", owns_ray)


def usable_port(host: str, port: int, *, or_any: bool) -> int:
    """The port to listen on: the named one, or a free one for 0.

    Args:
        host: The address to listen on.
        port: The port.
        or_any: Take a free one if that one is taken.

    Raises:
        PbfRayError: The address or the port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            free: int = probe.getsockname()[1]
            return free
    except OSError as error:
        if or_any and port and error.errno == errno.EADDRINUSE:
            return usable_port(host, 0, or_any=False)
        raise PbfRayError(
            f"nothing can listen on {host} port {port}: {error.strerror or error}",
            advice="choose another with --port, or --port 0 for a free one",
            host=host,
            port=port,
        ) from error

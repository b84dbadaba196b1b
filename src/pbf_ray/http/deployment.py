"""The application on Ray Serve; the one module of this package that imports Ray.

``run`` serves from this process's Ray, on one address. ``build`` is for ``serve deploy``: it
takes the settings from the file and the environment of the cluster, and always asks for tokens,
for Serve listens where its own configuration says.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from ray import serve
from ray.serve import Application

from pbf_ray.config import Settings
from pbf_ray.http.app import create_app
from pbf_ray.http.queries import Queries
from pbf_ray.kernels.loading import load_kernels

__all__ = ["ResultsServer", "application", "build", "end", "run"]

NAME: Final = "pbf_ray"
_DRAIN_S: Final = 10.0
_QUIET: Final = {"log_level": "WARNING", "enable_access_log": False}
_KERNELS: Final = ("anomaly", "downsampling")


@serve.deployment(
    name="results",
    health_check_period_s=5,
    health_check_timeout_s=30,
    graceful_shutdown_wait_loop_s=1,
    graceful_shutdown_timeout_s=_DRAIN_S,
    ray_actor_options={"num_cpus": 0.5},
)
@serve.ingress()
class ResultsServer:
    """A replica: the application over queries of its own.

    Args:
        settings: The settings of the job, and of how it is served.
    """

    def __init__(self, settings: Settings) -> None:
        load_kernels(_KERNELS)
        self._queries = Queries(settings)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return create_app(self._queries, on_close=self._queries.close)

    def check_health(self) -> None:
        """Called by Serve; a replica whose stores fail is not replaced, it says so in /readyz."""


def application(settings: Settings) -> Application:
    """The application of some settings, for ``serve.run``."""
    http = settings.http
    at_once = http.max_running + http.max_waiting + http.max_event_streams
    deployment: Any = ResultsServer  # which the decorator has made of it
    bound: Application = deployment.options(
        num_replicas=http.replicas,
        # Admission of the app answers what is too much; the proxy only bounds what it holds.
        max_ongoing_requests=at_once,
        max_queued_requests=at_once,
        logging_config=_QUIET,
    ).bind(settings)
    return bound


def build(arguments: dict[str, Any]) -> Application:
    """The application for ``serve deploy``.

    Args:
        arguments: ``config``: file of settings; everything else a setting by its dotted key.

    Raises:
        SettingError: A setting is unknown or does not fit.
    """
    given = dict(arguments)
    file = given.pop("config", None)
    settings = Settings.load(None if file is None else Path(file), overrides=given)
    return application(settings.replace({"http.tokens_required": True, "http.host": "0.0.0.0"}))  # noqa: S104 - Serve decides where it listens


def run(settings: Settings, port: int) -> None:
    """Serve from the Ray that this process is connected to, on ``http.host`` and a port."""
    # What it tells of itself is not for our users.
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(
        proxy_location="HeadOnly",
        http_options={"host": settings.http.host, "port": port, "keep_alive_timeout_s": 75},
        logging_config=_QUIET,
    )
    serve.run(application(settings), name=NAME, route_prefix="/", blocking=False)


def end(*, whole: bool) -> None:
    """Answer the requests that run, then end the application.

    Args:
        whole: End Serve as well; not needed where Ray ends next.
    """
    serve.delete(NAME)
    if whole:
        serve.shutdown()  # type: ignore[no-untyped-call]

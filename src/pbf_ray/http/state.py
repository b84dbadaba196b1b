"""What the routes share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fastapi import Request

from pbf_ray.config.http import HttpSettings
from pbf_ray.http.answers import AnswerCache
from pbf_ray.http.queries import Queries
from pbf_ray.http.scoring import MicroBatches

__all__ = ["ServerState", "state_of"]


@dataclass
class ServerState:
    """One server.

    Attributes:
        queries: What can be asked.
        settings: How it is served.
        cache: Answers that are kept.
        scoring: Gathers records to judge.
        uploads: Build files that are read at once.
        listeners: Event streams that are open.
        closing: Set when the server is about to end.
    """

    queries: Queries
    settings: HttpSettings
    cache: AnswerCache
    scoring: MicroBatches
    uploads: asyncio.Semaphore
    closing: asyncio.Event
    listeners: int = 0


def state_of(request: Request) -> ServerState:
    """The state of the server that a request came to."""
    state: ServerState = request.app.state.server
    return state

"""Limits of what clients may ask for: rate, size of bodies, requests at once, time."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pbf_ray.http.problem_responses import send_problem
from pbf_ray.http.problems import ProblemError

__all__ = ["UPLOAD_PATH", "Admission", "BodyLimit", "RateLimit", "too_large"]

UPLOAD_PATH: Final = "/api/v1/builds/parse"
EVENTS_PATH: Final = "/api/v1/events"
_MOST_CALLERS: Final = 10_000
_UPLOAD_PATIENCE: Final = 10
_PROBES: Final = frozenset({"/healthz", "/readyz"})


@dataclass
class _Bucket:
    filled: float
    at_s: float


class RateLimit:
    """Refuses callers that ask too often: a bucket of two seconds' worth each.

    A caller is a token, or an address where there is none.

    Args:
        app: What answers.
        per_s: Requests per second of one caller.
        clock: Monotonic seconds.
    """

    def __init__(
        self, app: ASGIApp, *, per_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._per_s = per_s
        self._most = max(1.0, 2 * per_s)
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 429."""
        if scope["type"] != "http" or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        wait_s = self._take(_caller_key(scope))
        if wait_s > 0.0:
            problem = ProblemError(
                429,
                "too-many-requests",
                f"more than {self._per_s:g} requests per second",
                advice="ask less often; GET /api/v1/events tells when there is something new",
                headers={"Retry-After": str(math.ceil(wait_s))},
            )
            await send_problem(scope, receive, send, problem)
            return
        await self._app(scope, receive, send)

    def _take(self, key: str) -> float:
        now_s = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._most, now_s)
            if len(self._buckets) > _MOST_CALLERS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        bucket.filled = min(self._most, bucket.filled + (now_s - bucket.at_s) * self._per_s)
        bucket.at_s = now_s
        if bucket.filled < 1.0:
            return (1.0 - bucket.filled) / self._per_s
        bucket.filled -= 1.0
        return 0.0


class BodyLimit:
    """Refuses bodies that are too large, by what they say and by what comes.

    Args:
        app: What answers.
        most: Bytes of a body.
        most_upload: Bytes of an uploaded build file.
    """

    def __init__(self, app: ASGIApp, *, most: int, most_upload: int) -> None:
        self._app = app
        self._most = most
        self._most_upload = most_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most_upload if scope["path"] == UPLOAD_PATH else self._most
        said = Headers(scope=scope).get("content-length", "0")
        if said.isdigit() and int(said) > most:
            await send_problem(scope, receive, send, too_large(most))
            return
        received = 0
        over = started = False

        async def counted() -> Message:
            nonlocal received, over
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > most:
                    over = True
                    raise too_large(most)
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            # Frameworks make an answer of their own of what was raised above.
            if over and not started:
                return
            started = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except ProblemError:
            if not over:
                raise
        if over and not started:
            await send_problem(scope, receive, send, too_large(most))


class Admission:
    """Lets so many requests run and so many wait, and gives up on those that take too long.

    What cannot be stopped (a thread that computes) keeps its place until it is done.

    Args:
        app: What answers.
        running: Requests that run at once.
        waiting: Requests that wait.
        timeout_s: Time for the answer to begin.
    """

    def __init__(self, app: ASGIApp, *, running: int, waiting: int, timeout_s: float) -> None:
        self._app = app
        self._running = running
        self._most = running + waiting
        self._timeout_s = timeout_s
        self._inside = 0
        self._places: asyncio.Semaphore | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when there is room, or answer 503."""
        passing = scope["type"] != "http" or scope["path"] in _PROBES | {EVENTS_PATH}
        if passing:
            await self._app(scope, receive, send)
            return
        if self._inside >= self._most:
            await send_problem(scope, receive, send, _busy("too many requests are waiting"))
            return
        if self._places is None:
            self._places = asyncio.Semaphore(self._running)
        patience = _UPLOAD_PATIENCE if scope["path"] == UPLOAD_PATH else 1
        await self._run(self._places, scope, receive, send, self._timeout_s * patience)

    async def _run(
        self,
        places: asyncio.Semaphore,
        scope: Scope,
        receive: Receive,
        send: Send,
        timeout_s: float,
    ) -> None:
        started = asyncio.Event()
        given_up = False

        async def watched(message: Message) -> None:
            if not given_up:
                started.set()
                await send(message)

        async def run() -> None:
            async with places:
                await self._app(scope, receive, watched)

        self._inside += 1
        task = asyncio.ensure_future(run())
        # Not in the task itself: one that is cancelled before it begins runs nothing of it.
        task.add_done_callback(self._leave)
        begun = asyncio.ensure_future(started.wait())
        try:
            await asyncio.wait(
                {task, begun}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not task.done() and not started.is_set():
                given_up = True
                problem = _busy(f"no answer within {timeout_s:g} s")
                await send_problem(scope, receive, send, problem)
                task.cancel()
                return
            await task
        except asyncio.CancelledError:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            raise
        finally:
            begun.cancel()

    def _leave(self, _: asyncio.Future[None]) -> None:
        self._inside -= 1


def too_large(most: int) -> ProblemError:
    """The problem of a body over its limit."""
    return ProblemError(
        413,
        "too-large",
        f"the body is over {most:,} bytes",
        advice="send less at once; http.max_body_bytes and http.max_upload_bytes are the limits",
    )


def _busy(what: str) -> ProblemError:
    return ProblemError(
        503, "busy", what, advice="ask again in a moment", headers={"Retry-After": "1"}
    )


def _caller_key(scope: Scope) -> str:
    caller = scope.get("state", {}).get("caller")
    if caller is not None and caller.token:
        return f"token:{caller.name}"
    client = scope.get("client")
    return f"address:{client[0] if client else ''}"

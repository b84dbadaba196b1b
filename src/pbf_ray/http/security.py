"""Who may ask, by what name, and what browsers are told: headers on every answer."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from typing import Final

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from pbf_ray.http.problem_responses import send_problem
from pbf_ray.http.problems import ProblemError
from pbf_ray.http.tokens import LOCAL, Caller, Scope, Tokens

__all__ = ["Authentication", "SecurityHeaders", "caller_of", "needs", "on_this_machine"]

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_OPEN: Final = frozenset({"/healthz", "/readyz"})
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def on_this_machine(host: str) -> bool:
    """Whether an address to listen on is only reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class SecurityHeaders:
    """Puts headers on every answer, and refuses names that are not the server's.

    A page elsewhere can let a name of its own point to this machine (DNS rebinding); the name that
    the browser then asks by gives it away.

    Args:
        app: What answers.
        hosts: Names that the server may be asked by; empty: by any.
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts) | _LOCAL_NAMES if hosts else None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        name = _host_name(Headers(scope=scope).get("host", ""))
        # Probes come by address, from whatever runs the server.
        if self._hosts is not None and name not in self._hosts and scope["path"] not in _OPEN:
            problem = ProblemError(
                421,
                "wrong-host",
                "this server is not known by that name",
                advice="use its address, or add the name to http.allowed_hosts",
            )
            await send_problem(scope, receive, with_headers, problem)
            return
        await self._app(scope, receive, with_headers)


class Authentication:
    """Finds out who asks, by the token in ``Authorization: Bearer``.

    Args:
        app: What answers.
        tokens: The tokens.
        required: Whether a token is needed; without, who brings none is ``local``.
    """

    def __init__(self, app: ASGIApp, *, tokens: Tokens, required: bool) -> None:
        self._app = app
        self._tokens = tokens
        self._required = required

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass the request on with its caller, or answer 401."""
        if scope["type"] != "http" or not _protected(scope["path"]):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("authorization")
        caller: Caller | None = None
        if given is None:
            caller = None if self._required else LOCAL
        else:
            kind, _, token = given.partition(" ")
            if kind.lower() == "bearer" and token.strip():
                await asyncio.to_thread(self._tokens.refresh)
                caller = self._tokens.caller(token.strip())
        if caller is None:
            problem = ProblemError(
                401,
                "no-token",
                "a token is needed" if given is None else "the token is not valid",
                advice="send Authorization: Bearer TOKEN; pbf-ray serve token add makes one",
                headers={"WWW-Authenticate": 'Bearer realm="pbf_ray"'},
            )
            await send_problem(scope, receive, send, problem)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


def caller_of(request: Request) -> Caller:
    """Who asks."""
    caller: Caller = request.state.caller
    return caller


class needs:  # noqa: N801 - reads as a word in routes
    """A dependency of routes: the caller has to have a scope.

    Args:
        scope: The scope.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope: Scope = scope

    async def __call__(self, request: Request) -> Caller:
        """The caller, or answer 403."""
        caller = caller_of(request)
        if not caller.may(self._scope):
            raise ProblemError(
                403,
                "scope-too-small",
                f"this needs the scope {self._scope!r}, and the token has {caller.scope!r}",
                advice="ask for a token with that scope",
            )
        return caller


def _protected(path: str) -> bool:
    return path == "/metrics" or path == "/api" or path.startswith("/api/")


def _host_name(host: str) -> str:
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host

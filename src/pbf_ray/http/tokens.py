"""API tokens: made once and shown once, kept as hashes, revoked by an entry of the ledger."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass
from typing import Final, Literal

from pbf_ray.errors import PbfRayError
from pbf_ray.storage.auditledger import AuditLedger

__all__ = ["LOCAL", "SCOPES", "Caller", "Scope", "Tokens"]

Scope = Literal["read", "decide", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("read", "decide", "admin")
"""Each includes those before it."""

_ADD: Final = "token.add"
_REVOKE: Final = "token.revoke"
_PREFIX: Final = "pbf_"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: Name of the token, or ``local``.
        scope: The widest scope.
        token: Whether it came with a token.
    """

    name: str
    scope: Scope
    token: bool = True

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Every scope that it has."""
        return SCOPES[: SCOPES.index(self.scope) + 1]

    def may(self, scope: Scope) -> bool:
        """Whether it has a scope."""
        return scope in self.scopes


LOCAL: Final = Caller("local", "admin", token=False)
"""Who asks from this machine where no token is needed."""


class Tokens:
    """The tokens that the ledger knows.

    A token is 256 random bits, so that its SHA-256 needs no salt and no slow hash: there is
    nothing to guess.

    Args:
        ledger: Where they are kept.
    """

    def __init__(self, ledger: AuditLedger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._seq = 0
        self._valid: dict[str, tuple[bytes, Scope, str]] = {}

    def add(self, name: str, scope: Scope, *, by: str) -> str:
        """Make a token.

        Args:
            name: Who gets it; shows in the audit.
            scope: What it may do.
            by: Who makes it.

        Returns:
            The token, which is kept nowhere.

        Raises:
            PbfRayError: The name cannot be used, or has a token already.
        """
        if not _NAME.fullmatch(name) or name == LOCAL.name:
            raise PbfRayError(
                f"a token cannot be called {name!r}",
                advice="letters, digits and . _ @ -, at most 64, and not 'local'",
            )
        if name in self.names():
            raise PbfRayError(
                f"there is a token {name!r} already",
                advice="revoke it first, or choose another name",
            )
        token = _PREFIX + secrets.token_urlsafe(32)
        self._ledger.append(by, _ADD, name, {"scope": scope, "sha256": _hash(token)})
        return token

    def revoke(self, name: str, *, by: str) -> None:
        """Let a token be valid no more; servers that run notice within a second.

        Raises:
            PbfRayError: There is none of that name.
        """
        if name not in self.names():
            raise PbfRayError(
                f"there is no token {name!r}", advice=f"there are: {', '.join(self.names()) or '-'}"
            )
        self._ledger.append(by, _REVOKE, name, {})

    def names(self) -> dict[str, tuple[Scope, str]]:
        """Scope and time of making of every valid token, by name."""
        self.refresh()
        return {name: (scope, at) for name, (_, scope, at) in sorted(self._valid.items())}

    def caller(self, token: str) -> Caller | None:
        """Who a token belongs to; None if it is not valid."""
        digest = bytes.fromhex(_hash(token))
        found: Caller | None = None
        # All of them, so that the time tells nothing.
        for name, (known, scope, _) in self._valid.items():
            if hmac.compare_digest(digest, known):
                found = Caller(name, scope)
        return found

    def refresh(self) -> None:
        """Look what was added and revoked since.

        Raises:
            StoreError: The ledger cannot be read.
        """
        with self._lock:
            if self._ledger.last() == self._seq:
                return
            valid = dict(self._valid)
            seq = self._seq
            for entry in self._ledger.entries(after=self._seq):
                seq = entry.seq
                if entry.action == _ADD:
                    detail = entry.detail
                    valid[entry.subject] = (
                        bytes.fromhex(detail["sha256"]),
                        detail["scope"],
                        entry.at,
                    )
                elif entry.action == _REVOKE:
                    valid.pop(entry.subject, None)
            self._valid, self._seq = valid, seq


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

"""Whether each store of the routes can be used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pbf_ray.config import Settings
from pbf_ray.errors import PbfRayError
from pbf_ray.jobs.stores import route_makers

__all__ = ["StoreCheck", "check_stores"]


@dataclass(frozen=True)
class StoreCheck:
    """One store.

    Attributes:
        store: Its name; of one that cannot be made from the settings, the kind that they name.
        routes: Settings that lead to it, for example ``operational_structured``.
        ok: Whether it could be reached and written.
        problem: What is wrong; empty if nothing.
        advice: What to do; empty if nothing.
        took_ms: How long it took to answer, in milliseconds.
    """

    store: str
    routes: tuple[str, ...]
    ok: bool
    problem: str = ""
    advice: str = ""
    took_ms: float = 0.0

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {**asdict(self), "routes": list(self.routes)}


def check_stores(settings: Settings) -> Iterator[StoreCheck]:
    """Reach and write every store that the settings lead to, one after the other, each once.

    Args:
        settings: All settings.
    """
    stores: dict[str, Any] = {}
    routes: dict[str, list[str]] = {}
    for route, make in route_makers(settings):
        try:
            made = make()
        except PbfRayError as error:
            yield StoreCheck(f"({route})", (route,), False, error.what, error.advice)
            continue
        for store in made:
            stores[store.name] = store
            routes.setdefault(store.name, []).append(route)
    for name, store in stores.items():
        began = time.perf_counter()
        mine = tuple(dict.fromkeys(routes[name]))
        try:
            with store:
                store.check()
        except PbfRayError as error:
            problem = str(error.facts.get("problem") or error.what)
            yield StoreCheck(name, mine, False, problem, error.advice)
        else:
            took_ms = 1000 * (time.perf_counter() - began)
            yield StoreCheck(name, mine, True, took_ms=took_ms)

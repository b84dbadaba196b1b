"""Which store takes what: one store for each purpose and kind."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final, Literal, TypeAlias, get_args

from pbf_ray.errors import SettingError
from pbf_ray.storage.base import TableStore
from pbf_ray.storage.blobs import BlobStore
from pbf_ray.storage.caches import CacheStore
from pbf_ray.storage.documents import DocumentStore

__all__ = ["KINDS", "PURPOSES", "AnyStore", "Kind", "Purpose", "Routes"]

Purpose = Literal["operational", "analytics", "ml_training", "research"]
Kind = Literal["structured", "document", "cache", "blob"]
AnyStore: TypeAlias = TableStore | DocumentStore | CacheStore | BlobStore

PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_FITTING: Final[dict[Kind, type[TableStore | DocumentStore | CacheStore | BlobStore]]] = {
    "structured": TableStore,
    "document": DocumentStore,
    "cache": CacheStore,
    "blob": BlobStore,
}


class Routes:
    """The stores by purpose and kind. A store of blobs may stand for any kind: it takes files.

    Args:
        stores: For each (purpose, kind) that is served; one store may serve several.

    Raises:
        SettingError: A purpose or kind is unknown, or a store does not fit its kind.
    """

    def __init__(self, stores: Mapping[tuple[str, str], AnyStore]) -> None:
        for (purpose, kind), store in stores.items():
            where = f"{purpose}.{kind}"
            if purpose not in PURPOSES or kind not in KINDS:
                raise SettingError(
                    "stores",
                    "the routes",
                    f"there is no route {where}",
                    advice=f"purposes are {', '.join(PURPOSES)}; kinds are {', '.join(KINDS)}",
                )
            if not isinstance(store, (_FITTING[kind], BlobStore)):
                raise SettingError(
                    f"stores.{purpose}_{kind}", "the routes", f"{store.name} cannot hold it"
                )
        self._stores = dict(stores)

    def find(self, purpose: str, kind: str) -> AnyStore:
        """The store of a purpose and kind.

        Raises:
            SettingError: There is none.
        """
        store = self._stores.get((purpose, kind))
        if store is None:
            served = ", ".join(f"{one}.{other}" for one, other in self._stores)
            raise SettingError(
                "stores",
                "the routes",
                f"nothing takes {kind} data for {purpose}",
                advice=f"the routes are {served}",
            )
        return store

    def table(self) -> dict[tuple[str, str], AnyStore]:
        """All routes."""
        return dict(self._stores)

    def stores(self) -> dict[str, AnyStore]:
        """Each store once, by its name."""
        return {store.name: store for store in self._stores.values()}

    def close(self) -> None:
        """Close every store, also if closing one fails."""
        with ExitStack() as stack:
            for store in self.stores().values():
                stack.callback(store.close)

"""What every cache does: values by key for a time, and the latest state of a job, fenced."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self

from pbf_ray.errors import StoreContentError, StoreError

__all__ = ["CacheStore", "check_cache_keys", "check_ttl"]

_LONGEST_TTL_S = 100 * 365 * 86_400.0


class CacheStore(abc.ABC):
    """Values that may be forgotten after their time.

    Rules for subclasses: construct from plain values and open connections on first use; leave them
    out of the pickled state. Errors are those of :class:`~pbf_ray.storage.base.TableStore`.

    Attributes:
        name: Kind and place, for example ``redis://cache.hall-2:6379/0``; never a password.
    """

    name: str

    @abc.abstractmethod
    def check(self) -> None:
        """See that the cache can be reached and written.

        Raises:
            StoreUnavailableError: It cannot now, but may later.
            StoreError: It never will without a change.
        """

    @abc.abstractmethod
    def put(self, values: Mapping[str, bytes], *, ttl_s: float | None = None) -> None:
        """Set values, all of them in one round trip or few.

        Args:
            values: By key, any text without U+0000.
            ttl_s: How long they stay, in seconds; None: the store's default.
        """

    @abc.abstractmethod
    def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values that are there and have not expired."""

    @abc.abstractmethod
    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with a prefix, each once, in no set order."""

    @abc.abstractmethod
    def delete(self, keys: Sequence[str]) -> int:
        """Forget values; how many there were."""

    @abc.abstractmethod
    def claim(self, job_id: str, incarnation: int) -> None:
        """Register a run of a job; from now on older runs of it cannot apply. Repeatable.

        Raises:
            FencedError: A newer run is registered.
        """

    @abc.abstractmethod
    def apply(
        self,
        job_id: str,
        incarnation: int,
        epoch: int,
        values: Mapping[str, bytes],
        *,
        ttl_s: float | None = None,
    ) -> bool:
        """Set the values of an epoch, in one atomic step with its number and the fence.

        Returns:
            False if the epoch, or a later one, had been applied before; then nothing changes.

        Raises:
            FencedError: A newer run of the job has claimed the cache.
            StoreError: This run has not claimed it.
        """

    @abc.abstractmethod
    def applied_epoch(self, job_id: str) -> int | None:
        """The last epoch of the job that was applied; None before the first."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of connections; the store opens them again on use."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_cache_keys(keys: Iterable[str], *, store: str) -> None:
    """See that every cache can hold these keys.

    Raises:
        StoreContentError: One has U+0000, or a surrogate, which is no text.
    """
    listed = list(keys)
    together = "".join(listed)
    if together.isascii() and "\0" not in together:
        return
    for key in listed:
        if "\0" in key or any("\ud800" <= character <= "\udfff" for character in key):
            raise StoreContentError(
                store,
                f"{key!r} cannot be the key of a cached value",
                advice="use any text without U+0000",
                key=key,
            )


def check_ttl(ttl_s: float, *, store: str) -> float:
    """The time to live, in seconds.

    Raises:
        StoreError: It is not above 0, or above 100 years.
    """
    if not 0 < ttl_s <= _LONGEST_TTL_S:
        raise StoreError(
            store,
            f"{ttl_s!r} seconds is no time to live",
            advice="give a number of seconds above 0, at most 100 years",
            ttl_s=ttl_s,
        )
    return ttl_s

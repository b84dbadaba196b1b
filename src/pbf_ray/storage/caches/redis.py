"""A cache in Redis: values with a time to live, and epochs behind a fence.

An epoch is one Lua script, which Redis runs as a whole: it looks at the fence and at the last
epoch, sets the values and notes the epoch. All keys begin with a prefix, so that others may use
the same database. Redis is a cache: it may have forgotten anything when it comes back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import redis
from redis import exceptions as rx
from redis.backoff import NoBackoff
from redis.retry import Retry

from pbf_ray.errors import FencedError, StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.base import EpochCommit, may_apply
from pbf_ray.storage.caches.base import CacheStore, check_cache_keys, check_ttl

__all__ = ["RedisAddress", "RedisCache"]

_AT_ONCE: Final = 5_000
"""Commands of one round trip."""
_MOST_OF_AN_EPOCH: Final = 500_000
"""Redis takes 2**20 words in a command; each value has two."""

# Redis refuses a script at its first write or not at all: for its memory, its disk, its role. All
# of that may change. How it words it inside of scripts differs from version to version.
_SCRIPT: Final = """
local function refused(answer)
    return type(answer) == 'table' and answer.err
end
local known = redis.pcall('HMGET', KEYS[1], 'incarnation', 'epoch')
if refused(known) then return known end
"""
_CLAIM: Final = f"""{_SCRIPT}
if known[1] and tonumber(known[1]) >= tonumber(ARGV[1]) then return {{0, known[1]}} end
local done = redis.pcall('HSET', KEYS[1], 'incarnation', ARGV[1])
if refused(done) then return {{-1, done.err}} end
return {{1, ARGV[1]}}
"""
_APPLY: Final = f"""{_SCRIPT}
if known[1] ~= ARGV[1] or (known[2] and tonumber(known[2]) >= tonumber(ARGV[2])) then
    return {{0, known[1], known[2]}}
end
local done = redis.pcall('HSET', KEYS[1], 'epoch', ARGV[2])
if refused(done) then return {{-1, done.err}} end
for number = 2, #KEYS do
    redis.call('SET', KEYS[number], ARGV[number + 2], 'PX', ARGV[3])
end
return {{1, known[1], known[2]}}
"""


@dataclass(frozen=True)
class RedisAddress:
    """Where a Redis is, and how its connections are kept.

    Attributes:
        host: Name or address.
        port: Port.
        password: Its password; None where it asks for none.
        database: Number of the database.
        pool_max: Most connections of one process.
        timeout_s: Longest wait for a connection and for an answer.
        prefix: All keys begin with it.
    """

    host: str = "localhost"
    port: int = 6379
    password: str | None = field(default=None, repr=False)
    database: int = 0
    pool_max: int = 50
    timeout_s: float = 5.0
    prefix: str = "pbf_ray:"


class RedisCache(CacheStore):
    """Values in a Redis; one server, or one with replicas, not a cluster.

    Args:
        address: The server.
        ttl_s: How long values stay where nothing else is said, in seconds.
    """

    def __init__(self, address: RedisAddress, *, ttl_s: float = 3600.0) -> None:
        self.address = address
        self.name = f"redis://{address.host}:{address.port}/{address.database}"
        self.ttl_s = check_ttl(ttl_s, store=self.name)
        self._lock = threading.Lock()
        self._client: redis.Redis | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.address, self.ttl_s)

    def check(self) -> None:
        """Write a value that goes away, and run a script."""
        with self._translating() as client:
            client.set(f"{self.address.prefix}check", b"", px=1_000)
            client.eval("return 1", 0)

    def put(self, values: Mapping[str, bytes], *, ttl_s: float | None = None) -> None:
        """Set values by pipelined SET; those of a call are not one transaction."""
        check_cache_keys(values, store=self.name)
        life_ms = self._life_ms(ttl_s)
        beginning, keys = self._key(""), list(values)
        with self._translating() as client:
            for start in range(0, len(keys), _AT_ONCE):
                pipe: Any
                with client.pipeline(transaction=False) as pipe:
                    for key in keys[start : start + _AT_ONCE]:
                        pipe.execute_command("SET", beginning + key, values[key], "PX", life_ms)
                    # The library would put command and value before the error's code.
                    for answer in pipe.execute(raise_on_error=False):
                        if isinstance(answer, Exception):
                            raise answer

    def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values that are there, by MGET."""
        check_cache_keys(keys, store=self.name)
        found: dict[str, bytes] = {}
        beginning = self._key("")
        with self._translating() as client:
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                values: list[Any] = client.mget([beginning + key for key in some])
                found.update(
                    (key, value)
                    for key, value in zip(some, values, strict=True)
                    if value is not None
                )
        return found

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with a prefix, by SCAN; what comes or goes meanwhile may be there."""
        check_cache_keys([prefix], store=self.name)
        beginning = self._key("")
        seen: set[str] = set()
        cursor: Any = 0
        while True:
            pattern = f"{_literal(beginning + prefix)}*"
            with self._translating() as client:
                answer: Any = client.scan(cursor, match=pattern, count=_AT_ONCE)
            cursor, page = answer
            new = {key.decode(errors="replace").removeprefix(beginning) for key in page} - seen
            seen |= new
            yield from new
            if not cursor:
                return

    def delete(self, keys: Sequence[str]) -> int:
        """Forget values, by UNLINK."""
        check_cache_keys(keys, store=self.name)
        forgotten = 0
        with self._translating() as client:
            for start in range(0, len(keys), _AT_ONCE):
                forgotten += client.unlink(*map(self._key, keys[start : start + _AT_ONCE]))
        return forgotten

    def claim(self, job_id: str, incarnation: int) -> None:
        """Register a run of a job, in one script."""
        _, found = self._run(_CLAIM, [self._job(job_id)], [incarnation])
        if int(found) > incarnation:
            raise FencedError(job_id, mine=incarnation, newer=int(found), where=self.name)

    def apply(
        self,
        job_id: str,
        incarnation: int,
        epoch: int,
        values: Mapping[str, bytes],
        *,
        ttl_s: float | None = None,
    ) -> bool:
        """Fence, epoch and values in one script."""
        check_cache_keys(values, store=self.name)
        if len(values) > _MOST_OF_AN_EPOCH:
            raise StoreContentError(
                self.name,
                f"epoch {epoch} of job {job_id} has {len(values)} values, Redis takes "
                f"{_MOST_OF_AN_EPOCH} at once",
                advice="make epochs shorter: stream.epoch_max_rows",
            )
        done, registered, last = self._run(
            _APPLY,
            [self._job(job_id), *map(self._key, values)],
            [incarnation, epoch, self._life_ms(ttl_s), *values.values()],
        )
        if done:
            return True
        return may_apply(
            EpochCommit(job_id, incarnation, epoch),
            store=self.name,
            incarnation=None if registered is None else int(registered),
            committed=None if last is None else int(last),
        )

    def applied_epoch(self, job_id: str) -> int | None:
        """The last epoch of the job; None before the first, and when Redis has forgotten it."""
        with self._translating() as client:
            epoch: Any = client.hget(self._job(job_id), "epoch")
        return None if epoch is None else int(epoch)

    def close(self) -> None:
        """Close the connections of this process."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
            client.connection_pool.disconnect()

    def _key(self, key: str) -> str:
        return f"{self.address.prefix}value:{key}"

    def _job(self, job_id: str) -> str:
        return f"{self.address.prefix}job:{job_id}"

    def _life_ms(self, ttl_s: float | None) -> int:
        life_s = self.ttl_s if ttl_s is None else check_ttl(ttl_s, store=self.name)
        return max(round(life_s * 1000), 1)

    def _opened(self) -> redis.Redis:
        # Its connections know the process that they belong to.
        with self._lock:
            if self._client is None:
                address = self.address
                self._client = redis.Redis(
                    connection_pool=redis.BlockingConnectionPool(  # type: ignore[no-untyped-call]
                        host=address.host,
                        port=address.port,
                        password=address.password,
                        db=address.database,
                        max_connections=address.pool_max,
                        timeout=address.timeout_s,
                        socket_timeout=address.timeout_s,
                        socket_connect_timeout=address.timeout_s,
                        socket_keepalive=True,
                        client_name="pbf_ray",
                        protocol=2,
                        # Once more at once: a connection of the pool may be of a server of before.
                        retry=Retry(NoBackoff(), 1),
                    )
                )
            return self._client

    def _run(self, script: str, keys: list[str], arguments: list[Any]) -> list[Any]:
        with self._translating() as client:
            answer: list[Any] = client.eval(script, len(keys), *keys, *arguments)
        if answer[0] < 0:
            raise StoreUnavailableError(
                self.name,
                f"it takes no writes now: {self._plain(answer[1].decode(errors='replace'))}",
                advice="see its memory (maxmemory, maxmemory-policy) and its disk",
            )
        return answer

    @contextmanager
    def _translating(self) -> Iterator[redis.Redis]:
        try:
            yield self._opened()
        except (rx.RedisError, OSError) as error:
            raise self._translated(error) from None

    def _translated(self, error: Exception) -> StoreError:
        # The first word of Redis's own errors is their code; the library has taken some off.
        word = str(error).partition(" ")[0]
        code = word if word.isupper() else type(error).__name__
        problem = self._plain(str(error))
        facts = {"code": code}
        if isinstance(error, _REFUSED) or code in _REFUSALS:
            advice = "check redis.password, and what this user may do"
            return StoreError(self.name, problem, advice=advice, **facts)
        if isinstance(error, rx.DataError) or code == "WRONGTYPE":
            advice = "another program uses keys of this prefix"
            return StoreContentError(self.name, problem, advice=advice, **facts)
        if isinstance(error, rx.OutOfMemoryError):
            advice = "see its memory: maxmemory, maxmemory-policy"
            return StoreUnavailableError(self.name, problem, advice=advice, **facts)
        if isinstance(error, _AWAY) or code in _NOT_NOW:
            advice = f"see that Redis runs at {self.address.host}:{self.address.port}"
            return StoreUnavailableError(self.name, problem, advice=advice, **facts)
        return StoreError(self.name, problem, **facts)

    def _plain(self, text: str) -> str:
        """A text of somebody else's, in which the password may not stand."""
        password = self.address.password
        return text.replace(password, "***") if password else text


def _literal(text: str) -> str:
    """A text in which nothing is a wildcard of Redis."""
    return "".join(f"\\{letter}" if letter in "*?[]^\\" else letter for letter in text)


def _reopen(address: RedisAddress, ttl_s: float) -> RedisCache:
    return RedisCache(address, ttl_s=ttl_s)


_REFUSED: Final = (rx.AuthenticationError, rx.AuthorizationError, rx.NoPermissionError)
_REFUSALS: Final = {"NOAUTH", "WRONGPASS", "NOPERM"}
_AWAY: Final = (
    rx.ConnectionError,
    rx.TimeoutError,
    rx.ReadOnlyError,
    rx.TryAgainError,
    rx.ClusterDownError,
    rx.InvalidResponse,
    OSError,
)
_NOT_NOW: Final = {
    "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY",
    "TRYAGAIN",
}  # fmt: skip

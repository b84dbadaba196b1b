"""The cache in Redis beside what all caches pass: what others see, refusals, outages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.contracts import LAYER_QUALITY, layer_key
from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.base import EpochCommit, StagedRows
from pbf_ray.storage.caches.latest import LatestState
from pbf_ray.storage.caches.redis import RedisAddress, RedisCache
from pbf_ray.storage.retry import RetryPolicy, retry_transient
from services.redis import RedisServer
from support.databases import redis_address, redis_cache
from support.store_suite import fill, numbered


@pytest.fixture
def cache(redis_server: RedisServer, tmp_path: Path) -> Iterator[RedisCache]:
    with redis_cache(redis_server, tmp_path) as cache:
        yield cache


def test_others_may_share_the_database(redis_server: RedisServer) -> None:
    with (
        redis_server.connect(db=3) as other,
        RedisCache(redis_address(redis_server, database=3)) as cache,
    ):
        other.set("theirs", b"1")
        cache.claim("job", 1)
        cache.put({"a": b"1"}, ttl_s=100)
        cache.apply("job", 1, 7, {"b": b"2"})
        names = sorted(other.keys())
        assert names == [b"pbf_ray:job:job", b"pbf_ray:value:a", b"pbf_ray:value:b", b"theirs"]
        assert 90_000 < other.pttl("pbf_ray:value:a") <= 100_000
        assert 3_590_000 < other.pttl("pbf_ray:value:b") <= 3_600_000
        assert other.ttl("pbf_ray:job:job") == -1
        assert other.hgetall("pbf_ray:job:job") == {b"incarnation": b"1", b"epoch": b"7"}
        assert sorted(cache.keys()) == ["a", "b"]
        assert cache.delete(["a", "theirs"]) == 1
        assert other.get("theirs") == b"1"


def test_refusals_say_what_to_do_and_show_no_secret(redis_server: RedisServer) -> None:
    def problem(**more: Any) -> StoreError:
        address = redis_address(redis_server, timeout_s=2.0, **more)
        with RedisCache(address) as cache:
            for call in (cache.check, lambda: cache.get(["a"]), lambda: cache.claim("j", 1)):
                with pytest.raises(StoreError) as caught:
                    call()
            for text in (str(caught.value), repr(caught.value.facts), repr(cache), repr(address)):
                assert redis_server.password not in text
                assert "wrong-password" not in text
        return caught.value

    wrong = problem(password="wrong-password")  # noqa: S106
    assert "check redis.password" in str(wrong)
    none = problem(password=None)
    assert "check redis.password" in str(none)
    number = problem(database=99)
    assert "out of range" in str(number)
    away = problem(port=9)
    assert isinstance(away, StoreUnavailableError)
    assert "see that Redis runs at 127.0.0.1:9" in str(away)
    assert [error.transient for error in (wrong, none, number)] == [False] * 3


def test_what_redis_refuses_by_its_state(own_redis_server: RedisServer) -> None:
    with own_redis_server.connect() as other, RedisCache(redis_address(own_redis_server)) as cache:
        cache.claim("job", 1)
        other.lpush("pbf_ray:job:odd", b"a list")
        with pytest.raises(StoreContentError, match="WRONGTYPE"):
            cache.claim("odd", 1)
        other.config_set("maxmemory", "2mb")
        with pytest.raises(StoreUnavailableError, match="maxmemory-policy"):
            cache.put({f"a{number}": b"x" * 100_000 for number in range(100)})
        other.config_set("maxmemory", "1")
        for refused in (
            lambda: cache.claim("new", 1),
            lambda: cache.apply("job", 1, 0, {"a": b"x"}),
        ):
            with pytest.raises(StoreUnavailableError, match="it takes no writes now"):
                refused()
        assert cache.applied_epoch("job") is None
        other.config_set("maxmemory", "0")
        # NOREPLICAS: an error that only its code tells apart.
        other.config_set("min-replicas-to-write", "1")
        with pytest.raises(StoreUnavailableError, match="NOREPLICAS") as caught:
            cache.put({"a": b"1"})
        assert caught.value.code == "NOREPLICAS"
        other.config_set("min-replicas-to-write", "0")
        assert cache.apply("job", 1, 0, {"a": b"x"})


def test_a_server_that_is_killed_and_comes_back(own_redis_server: RedisServer) -> None:
    """Epochs go on where they were; nothing that was acknowledged is lost or comes twice."""
    cache = RedisCache(redis_address(own_redis_server, timeout_s=5.0))
    cache.claim("job", 1)
    stop = threading.Event()
    policy = RetryPolicy(limit_s=120.0, longest_pause_s=0.2)
    applied: list[int] = []
    failures: list[str] = []

    def write(epoch: int) -> None:
        values = {"last": b"%d" % epoch, f"epoch/{epoch}": b""}
        retry_transient(
            lambda: cache.apply("job", 1, epoch, values),
            policy,
            on_retry=lambda error, _: failures.append(str(error)),
        )
        applied.append(epoch)

    def write_all() -> None:
        while not stop.is_set():
            write(len(applied))

    writer = threading.Thread(target=write_all)
    writer.start()
    try:
        for halt in (own_redis_server.kill, own_redis_server.stop):
            _until_longer(applied, 50)
            halt()
            _until_longer(failures, 1)
            own_redis_server.start()
        _until_longer(applied, 50)
    finally:
        stop.set()
        writer.join()
    assert own_redis_server.password not in "".join(failures)
    with cache:
        assert cache.applied_epoch("job") == applied[-1]
        assert cache.get(["last"]) == {"last": b"%d" % applied[-1]}
        assert len(list(cache.keys("epoch/"))) == len(applied)


def _until_longer(growing: Sequence[object], by: int, deadline_s: float = 180.0) -> None:
    goal, end = len(growing) + by, time.monotonic() + deadline_s
    while len(growing) < goal:
        assert time.monotonic() < end, f"not in {deadline_s} s"
        time.sleep(0.02)


def test_latest_state_in_redis(cache: RedisCache, redis_server: RedisServer) -> None:
    latest = LatestState(cache, ttl_s=500)
    latest.prepare([LAYER_QUALITY])
    latest.claim("job", 1)

    def write(epoch: int, layer: int, score: float) -> bool:
        row = fill(
            LAYER_QUALITY,
            numbered(LAYER_QUALITY, 1, epoch=epoch),
            layer_key=layer_key("job", "b*[1]", layer),
            build_id="b*[1]",
            layer=layer,
            quality_score=score,
            temperature_avg=float("nan"),
        )
        return latest.commit(
            EpochCommit("job", 1, epoch, (StagedRows("layer_quality", 1, row, latest.name),))
        )

    assert write(0, 2, 0.5)
    assert write(1, 1, 0.25)
    assert not write(1, 1, 0.75)
    scores = [row["quality_score"] for row in latest.layers("job", "b*[1]")]
    assert scores == [0.25, 0.5]
    with redis_server.connect() as other:
        for key in other.scan_iter(match="place*"):
            if key.startswith(cache.address.prefix.encode()):
                assert b":value:" not in key or 0 < other.ttl(key) <= 500
                other.delete(key)
    assert latest.layers("job", "b*[1]") == []
    assert write(2, 3, 1.0), "a Redis that was emptied is claimed anew"
    assert [row["layer"] for row in latest.layers("job", "b*[1]")] == [3]


def test_the_address_is_shown_without_its_password() -> None:
    cache = RedisCache(RedisAddress("cache.hall-2", 6380, "secret", 4))
    assert cache.name == "redis://cache.hall-2:6380/4"
    assert "secret" not in repr(cache.address)

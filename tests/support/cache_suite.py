"""What every cache has to pass: subclass :class:`CacheSuite` and say how to open it."""

from __future__ import annotations

import abc
import itertools
import multiprocessing
import os
import pickle
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pbf_ray.errors import FencedError, StoreContentError, StoreError
from pbf_ray.storage.caches import CacheStore

__all__ = ["CacheSuite", "kill_writers"]

_TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
_HOUR_S = 3600.0


def _values(epoch: int) -> dict[str, bytes]:
    """Values of an epoch: all say its number, some are new."""
    names = [f"state/{number}" for number in range(40)] + [f"epoch/{epoch}"]
    return dict.fromkeys(names, b"%d" % epoch)


def _apply_until_killed(cache: CacheStore, first: int, reached: Any) -> None:
    for epoch in itertools.count(first):
        assert cache.apply("job", 1, epoch, _values(epoch), ttl_s=_HOUR_S)
        reached.value = epoch


def _apply_epochs(cache: CacheStore, epochs: int, results: Any) -> None:
    results.put([cache.apply("job", 1, epoch, _values(epoch)) for epoch in range(epochs)])


def kill_writers(
    cache: CacheStore, rounds: int, seed: int, await_calm: Callable[[], None] = lambda: None
) -> int:
    """Kill writers at seeded instants: what is there is of whole epochs, none is lost.

    Args:
        cache: Nobody has claimed it for "job" yet.
        rounds: How many writers are killed.
        seed: Chooses the instants.
        await_calm: Returns when nothing that a killed writer had sent can take effect any more.

    Returns:
        The last epoch.
    """
    draw = random.Random(seed)
    context = multiprocessing.get_context("spawn")
    cache.claim("job", 1)
    first = 0
    for round_ in range(rounds):
        where = f"seed {seed}, round {round_}"
        reached = context.Value("q", first - 1)
        writer = context.Process(target=_apply_until_killed, args=(cache, first, reached))
        writer.start()
        goal = first + draw.randrange(20)
        while reached.value < goal:
            assert writer.is_alive(), where
            time.sleep(0.0005)
        time.sleep(draw.uniform(0, 0.02))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        await_calm()
        applied = cache.applied_epoch("job")
        assert applied in {reached.value, reached.value + 1}, where
        states = cache.get([f"state/{number}" for number in range(40)])
        assert len(states) == 40, where
        assert set(states.values()) == {b"%d" % applied}, where
        assert sorted(cache.keys("epoch/")) == sorted(f"epoch/{n}" for n in range(applied + 1)), (
            where
        )
        assert not cache.apply("job", 1, applied, _values(-1)), where
        first = applied + 1
    return first - 1


class CacheSuite(abc.ABC):
    """Inherit in a class named ``Test...`` and implement the abstract method."""

    @abc.abstractmethod
    def open_cache(self, place: Path) -> CacheStore:
        """The cache that lives at a place; opened again, it holds what it held."""

    def await_calm(self, place: Path) -> None:
        """Return when nothing that a killed writer had sent can take effect any more."""
        del place

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path / "place with ' and é"

    @pytest.fixture
    def cache(self, place: Path) -> Iterator[CacheStore]:
        with self.open_cache(place) as cache:
            cache.check()
            yield cache

    # -- values -------------------------------------------------------------------------------

    def test_an_empty_cache(self, place: Path) -> None:
        with self.open_cache(place) as cache:
            assert cache.get(["a"]) == {}
            assert cache.get([]) == {}
            assert list(cache.keys()) == []
            assert cache.applied_epoch("job") is None
            assert cache.delete(["a"]) == 0
            assert cache.delete([]) == 0
            cache.put({})
            assert list(cache.keys()) == []

    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )
    @example(values={"": b"", "*": b"1", "[a-c]": b"2", "\\": b"3", "a?": b"4", "job:x": b"5"})
    @example(
        values={"é": b"\0\xff", "e\u0301": b"2", "😀": b"3", "\U0010ffff": b"4", "\uffff": b"5"}
    )
    @given(values=st.dictionaries(_TEXTS, st.binary(max_size=50), max_size=8))
    def test_values_by_any_key(self, cache: CacheStore, values: dict[str, bytes]) -> None:
        cache.put(values)
        assert cache.get([*values, "not there", *values]) == values
        assert sorted(cache.keys()) == sorted(values)
        for key in values:
            prefix = key[: len(key) // 2 + 1]
            assert sorted(cache.keys(prefix)) == sorted(k for k in values if k.startswith(prefix))
        replaced = {key: value + b"!" for key, value in values.items()}
        cache.put(replaced)
        assert cache.get(list(values)) == replaced
        assert cache.delete([*values, "not there"]) == len(values)
        assert list(cache.keys()) == []

    @pytest.mark.parametrize("key", ["a\0b", "\ud800"], ids=ascii)
    def test_what_is_no_key_is_refused(self, cache: CacheStore, key: str) -> None:
        cache.claim("job", 1)
        for call in (
            lambda: cache.put({"fine": b"", key: b""}),
            lambda: cache.get([key]),
            lambda: list(cache.keys(key)),
            lambda: cache.delete([key]),
            lambda: cache.apply("job", 1, 0, {key: b""}),
        ):
            with pytest.raises(StoreContentError, match="cannot be the key of a cached value"):
                call()
        assert list(cache.keys()) == []

    def test_values_go_when_their_time_is_over(self, cache: CacheStore) -> None:
        cache.claim("job", 1)
        cache.put({"stays": b"1", "renewed": b"1"}, ttl_s=_HOUR_S)
        cache.put({"goes": b"1", "renewed": b"2"}, ttl_s=0.3)
        assert cache.apply("job", 1, 0, {"goes too": b"1"}, ttl_s=0.3)
        cache.put({"renewed": b"3"})
        deadline = time.monotonic() + 60
        while set(cache.keys()) != {"stays", "renewed"}:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert cache.get(["stays", "goes", "goes too", "renewed"]) == {
            "stays": b"1",
            "renewed": b"3",
        }
        assert cache.delete(["goes"]) == 0
        assert cache.applied_epoch("job") == 0, "the fence and the epoch have no time to live"
        for ttl_s in (0.0, -1.0, float("nan"), float("inf")):
            with pytest.raises(StoreError, match="no time to live"):
                cache.put({"a": b""}, ttl_s=ttl_s)

    def test_many_values(self, cache: CacheStore) -> None:
        values = {f"k/{number}": b"%d" % number * 20 for number in range(12_000)}
        cache.put(values)
        assert cache.get(list(values)) == values
        assert set(cache.keys("k/1")) == {key for key in values if key.startswith("k/1")}
        cache.claim("job", 1)
        newer = dict.fromkeys(values, b"new")
        assert cache.apply("job", 1, 0, newer)
        assert cache.get(list(values)) == newer
        assert cache.delete(list(values)) == len(values)

    # -- epochs -------------------------------------------------------------------------------

    def test_an_epoch_is_applied_once(self, cache: CacheStore) -> None:
        with pytest.raises(StoreError, match="run 1 of job job has not claimed it"):
            cache.apply("job", 1, 0, {"a": b"0"})
        cache.claim("job", 1)
        cache.claim("job", 1)
        assert cache.applied_epoch("job") is None
        assert cache.apply("job", 1, 0, {"a": b"0"})
        assert not cache.apply("job", 1, 0, {"a": b"again"})
        assert cache.apply("job", 1, 3, {"a": b"3", "b": b"3"})
        assert not cache.apply("job", 1, 2, {"a": b"2"})
        assert cache.apply("job", 1, 4, {})
        assert cache.get(["a", "b"]) == {"a": b"3", "b": b"3"}
        assert cache.applied_epoch("job") == 4
        assert cache.applied_epoch("job:x") is None

    def test_an_older_run_is_fenced(self, cache: CacheStore, place: Path) -> None:
        cache.claim("job", 9)
        cache.claim("other", 1)
        assert cache.apply("job", 9, 0, {"a": b"9"})
        with self.open_cache(place) as newer:
            newer.claim("job", 10)
            with pytest.raises(FencedError) as caught:
                cache.apply("job", 9, 1, {"a": b"zombie"})
            assert (caught.value.mine, caught.value.newer) == (9, 10)
            with pytest.raises(FencedError):
                cache.claim("job", 9)
            with pytest.raises(StoreError, match="run 11 of job job has not claimed"):
                cache.apply("job", 11, 1, {"a": b"early"})
            assert cache.get(["a"]) == {"a": b"9"}
            assert newer.applied_epoch("job") == 0
            assert newer.apply("job", 10, 1, {"a": b"10"})
        assert cache.apply("other", 1, 0, {"b": b"1"})
        assert cache.get(["a", "b"]) == {"a": b"10", "b": b"1"}

    def test_of_two_writers_one_wins_each_epoch(self, cache: CacheStore) -> None:
        epochs = 30
        cache.claim("job", 1)
        context = multiprocessing.get_context("spawn")
        results = context.SimpleQueue()
        writers = [
            context.Process(target=_apply_epochs, args=(cache, epochs, results)) for _ in range(2)
        ]
        for writer in writers:
            writer.start()
        applied = [results.get(), results.get()]
        for writer in writers:
            writer.join()
            assert writer.exitcode == 0
        assert [sum(pair) for pair in zip(*applied, strict=True)] == [1] * epochs
        assert cache.applied_epoch("job") == epochs - 1
        assert cache.get(["state/7"]) == {"state/7": b"%d" % (epochs - 1)}

    def test_killed_at_any_instant(self, cache: CacheStore, place: Path) -> None:
        kill_writers(cache, 3, random.randrange(2**32), lambda: self.await_calm(place))

    # -- life ---------------------------------------------------------------------------------

    def test_pickles_after_use_and_opens_again(self, cache: CacheStore, place: Path) -> None:
        cache.claim("job", 1)
        cache.apply("job", 1, 0, {"a": b"1"})
        sent: CacheStore = pickle.loads(pickle.dumps(cache))  # noqa: S301 - our own bytes
        assert sent.name == cache.name
        with sent:
            assert sent.apply("job", 1, 1, {"b": b"2"})
        cache.close()
        assert cache.get(["a", "b"]) == {"a": b"1", "b": b"2"}
        cache.close()
        cache.close()
        with self.open_cache(place) as again:
            assert again.applied_epoch("job") == 1
            assert not again.apply("job", 1, 1, {"b": b"3"})

    def test_threads_of_one_process(self, cache: CacheStore) -> None:
        def run(job: str) -> None:
            cache.claim(job, 1)
            for epoch in range(10):
                assert cache.apply(job, 1, epoch, {job: b"%d" % epoch})
                assert cache.get([job]) == {job: b"%d" % epoch}

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(run, [f"thread-{number}" for number in range(4)]))

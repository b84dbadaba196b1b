"""What every store of blobs has to pass: subclass :class:`BlobSuite` and say how to open it."""

from __future__ import annotations

import abc
import hashlib
import itertools
import multiprocessing
import os
import pickle
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pbf_ray.errors import StoreContentError
from pbf_ray.storage.blobs import BlobStore

__all__ = ["BlobSuite", "content", "kill_writers"]

_BIG = 160 << 20
_MOST_MEMORY = 100 << 20
_TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\\x7f"),
    min_size=1,
    max_size=12,
).filter(lambda part: part not in {".", ".."})
_KEYS = st.lists(_TEXT, min_size=1, max_size=4).map("/".join)
_ODD_KEYS = (
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "a/../b",
    "a/./b",
    "a\\b",
    "a\nb",
    "a\0",
    "k" * 901,
    "\ud800",
)


def content(number: int, size: int) -> bytes:
    """Bytes that no other number has."""
    return np.random.default_rng(number).bytes(size)


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def _sizes(number: int) -> int:
    """Of the blobs that killed writers write: most are small, some take several parts."""
    return 20 << 20 if number % 5 == 4 else 3_000 + number


def _write_until_killed(store: BlobStore, first: int, reached: Any) -> None:
    for number in itertools.count(first):
        data = content(number, _sizes(number))
        store.put("same/one.bin", data, content_type=f"application/x-{number}")
        halves = (data[: len(data) // 2], data[len(data) // 2 :])
        store.put(f"many/{number}", iter(halves), content_type=f"application/x-{number}")
        reached.value = number


def kill_writers(store: BlobStore, rounds: int, seed: int) -> int:
    """Kill writers at seeded instants; every blob is whole, none that was acknowledged is lost.

    Returns:
        How many blobs there are at the end.
    """
    draw = random.Random(seed)
    context = multiprocessing.get_context("spawn")
    first = 0
    for round_ in range(rounds):
        where = f"seed {seed}, round {round_}"
        reached = context.Value("q", first - 1)
        writer = context.Process(target=_write_until_killed, args=(store, first, reached))
        writer.start()
        goal = first + draw.randrange(3)
        while reached.value < goal:
            assert writer.is_alive(), where
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.3))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        acknowledged = reached.value
        numbers = sorted(int(key.removeprefix("many/")) for key in store.keys("many/"))
        assert numbers in (list(range(acknowledged + 1)), list(range(acknowledged + 2))), where
        for number in numbers[first:]:
            assert store.get(f"many/{number}") == content(number, _sizes(number)), where
        found = store.get("same/one.bin")
        assert found in [content(n, _sizes(n)) for n in (acknowledged, acknowledged + 1)], where
        first = acknowledged + 1
    # What was under way is written again, and nothing else is there.
    _write_once(store, first)
    assert sorted(store.keys()) == sorted(
        ["same/one.bin", *(f"many/{n}" for n in range(first + 1))]
    )
    return first + 2


def _write_once(store: BlobStore, number: int) -> None:
    data = content(number, _sizes(number))
    for key in ("same/one.bin", f"many/{number}"):
        store.put(key, data, content_type=f"application/x-{number}")
        assert store.get(key) == data


class BlobSuite(abc.ABC):
    """Inherit in a class named ``Test...`` and implement the abstract methods."""

    @abc.abstractmethod
    def open_store(self, place: Path) -> BlobStore:
        """The store that lives at a place; opened again, it holds what it held."""

    @abc.abstractmethod
    def damage(self, store: BlobStore, key: str) -> None:
        """Change the content of a blob behind the back of the store, keeping its size."""

    @abc.abstractmethod
    def leftovers(self, store: BlobStore) -> list[str]:
        """What there is beside whole blobs: unfinished uploads, files that nobody names."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path / "place with ' and é"

    @pytest.fixture
    def store(self, place: Path) -> Iterator[BlobStore]:
        with self.open_store(place) as store:
            store.check()
            yield store

    # -- content ------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [0, 1, 100_000])
    def test_what_was_put_is_there(self, store: BlobStore, size: int) -> None:
        data = content(size, size)
        before = datetime.now(UTC) - timedelta(seconds=2)
        put = store.put("scans/layer 7.png", data, content_type="image/png")
        assert (put.key, put.size, put.content_type) == ("scans/layer 7.png", size, "image/png")
        assert put.sha256 == hashlib.sha256(data).hexdigest()
        info = store.info("scans/layer 7.png")
        assert info is not None
        assert before < info.stored_at < before + timedelta(minutes=10)
        assert abs(info.stored_at - put.stored_at) < timedelta(seconds=5)
        assert (info.key, info.size, info.sha256) == (put.key, put.size, put.sha256)
        assert info.content_type == "image/png"
        assert store.get("scans/layer 7.png") == data
        pieces = list(store.chunks("scans/layer 7.png", size=30_000))
        assert b"".join(pieces) == data
        assert [len(piece) for piece in pieces[:-1]] == [30_000] * (max(size - 1, 0) // 30_000)

    def test_what_is_not_there(self, store: BlobStore) -> None:
        assert store.info("nothing") is None
        assert not store.delete("nothing")
        assert list(store.keys()) == []
        for read in (store.get, lambda key: list(store.chunks(key))):
            with pytest.raises(StoreContentError, match="there is no blob 'nothing'"):
                read("nothing")

    def test_replacing_and_deleting(self, store: BlobStore) -> None:
        first = store.put("a/b", b"first")
        assert first.content_type == "application/octet-stream"
        store.put("a/b", [b"sec", b"", b"ond"], content_type="text/plain")
        assert store.get("a/b") == b"second"
        store.put("a/b", b"")
        assert store.get("a/b") == b""
        assert list(store.keys()) == ["a/b"]
        assert store.delete("a/b")
        assert not store.delete("a/b")
        assert store.info("a/b") is None
        store.put("a/b", iter([]))
        assert store.get("a/b") == b""
        assert self.leftovers(store) == []

    def test_the_same_content_is_not_written_again(self, store: BlobStore) -> None:
        first = store.put("a", b"same")
        again = store.put("a", iter([b"sa", b"me"]))
        assert (again.stored_at, again.sha256) == (first.stored_at, first.sha256)
        typed = store.put("a", b"same", content_type="text/plain")
        assert store.info("a") == typed
        assert typed.content_type == "text/plain"

    def test_a_key_may_be_the_beginning_of_another(self, store: BlobStore) -> None:
        for key in ("a", "a/b", "a/b/c"):
            store.put(key, key.encode())
        assert [store.get(key) for key in ("a", "a/b", "a/b/c")] == [b"a", b"a/b", b"a/b/c"]
        assert store.delete("a/b")
        assert list(store.keys()) == ["a", "a/b/c"]

    def test_big_content_in_bounded_memory(self, store: BlobStore) -> None:
        pieces = [content(number, 1 << 20) for number in range(4)]
        count = _BIG >> 20

        def there_and_back() -> None:
            digest = hashlib.sha256()
            given = (pieces[number % 4] for number in range(count))
            put = store.put("big.bin", given)
            assert put.size == _BIG
            for piece in store.chunks("big.bin"):
                digest.update(piece)
            assert digest.hexdigest() == put.sha256

        store.put("small", b"x")
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        there_and_back()
        assert _status("VmHWM") - before < _MOST_MEMORY
        assert store.get("big.bin")[-5:] == pieces[(count - 1) % 4][-5:]
        assert self.leftovers(store) == []

    def test_content_that_ends_with_an_error_is_not_there(self, store: BlobStore) -> None:
        def broken() -> Iterator[bytes]:
            yield b"x" * (12 << 20)
            raise OSError("the camera is gone")

        store.put("old", b"old")
        for key in ("old", "new"):
            with pytest.raises(OSError, match="the camera is gone"):
                store.put(key, broken())
        assert store.get("old") == b"old"
        assert list(store.keys()) == ["old"]
        assert self.leftovers(store) == []

    def test_damage_is_found_and_mended(self, store: BlobStore) -> None:
        data = content(1, 50_000)
        store.put("scan.bin", data)
        self.damage(store, "scan.bin")
        for read in (store.get, lambda key: list(store.chunks(key))):
            with pytest.raises(StoreContentError, match=r"'scan\.bin'.*not what was written"):
                read("scan.bin")
        store.delete("scan.bin")
        store.put("scan.bin", data)
        assert store.get("scan.bin") == data

    # -- keys ---------------------------------------------------------------------------------

    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )
    @example(keys=["~", "a~.json", "%7E", "%", "a%2Fb", "~parts/x", "~lock", ".json", ".x", "a."])
    @example(
        keys=["A", "a", "é", "e\u0301", "😀.png", "\ufffd", "\uffff", "a b", " ", "a+b", "&<'\">"]
    )
    @example(keys=["k" * 251 + ".png", "k" * 251 + ".PNG", "k" * 255, "k" * 255 + "/" + "é" * 127])
    @given(keys=st.lists(_KEYS, min_size=1, max_size=6, unique=True))
    def test_any_key_names_its_own_blob(self, store: BlobStore, keys: list[str]) -> None:
        for key in keys:
            store.put(key, key.encode())
        assert list(store.keys()) == sorted(keys, key=str.encode)
        for key in keys:
            assert store.get(key) == key.encode()
            assert key in store.keys(key[: len(key) // 2])
        for key in keys:
            assert store.delete(key)
        assert list(store.keys()) == []

    @pytest.mark.parametrize("key", _ODD_KEYS, ids=ascii)
    def test_what_is_no_key_is_refused(self, store: BlobStore, key: str) -> None:
        for call in (
            lambda: store.put(key, b""),
            lambda: store.get(key),
            lambda: list(store.chunks(key)),
            lambda: store.info(key),
            lambda: store.delete(key),
        ):
            with pytest.raises(StoreContentError, match="cannot be the key of a blob"):
                call()

    @pytest.mark.parametrize(
        "kind", ["", "png", "image/", "a/b\r\nx: y", "text/é", "a/" + "b" * 200]
    )
    def test_what_is_no_content_type_is_refused(self, store: BlobStore, kind: str) -> None:
        with pytest.raises(StoreContentError, match="is no content type"):
            store.put("a", b"", content_type=kind)
        assert store.info("a") is None

    def test_prefixes_and_more_keys_than_a_page(self, store: BlobStore) -> None:
        wanted = [f"b/{number:04d}" for number in range(1_050)]
        others = ["a", "b", "b-1", "b.c", "b0", "bé", "c/0001"]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda key: store.put(key, b"x"), [*wanted, *others]))
        assert list(store.keys("b/")) == wanted
        assert list(store.keys("b/00")) == wanted[:100]
        assert list(store.keys("b/0007")) == ["b/0007"]
        assert list(store.keys("nothing")) == []
        assert list(store.keys()) == sorted([*wanted, *others], key=str.encode)

    # -- writers ------------------------------------------------------------------------------

    def test_many_writers_of_one_key(self, store: BlobStore, place: Path) -> None:
        versions = [content(number, 200_000) for number in range(4)]

        def write(number: int) -> None:
            with self.open_store(place) as own:
                for _ in range(5):
                    own.put("one", versions[number])
                    assert own.get("one") in versions

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        assert store.get("one") in versions
        assert list(store.keys()) == ["one"]
        assert self.leftovers(store) == []

    def test_killed_at_any_instant(self, store: BlobStore) -> None:
        kill_writers(store, 2, random.randrange(2**32))

    # -- life ---------------------------------------------------------------------------------

    def test_pickles_after_use_and_opens_again(self, store: BlobStore, place: Path) -> None:
        store.put("a", b"1")
        sent: BlobStore = pickle.loads(pickle.dumps(store))  # noqa: S301
        assert sent.name == store.name
        with sent:
            sent.put("b", b"2")
        assert store.get("b") == b"2"
        store.close()
        assert store.get("a") == b"1"
        store.close()
        store.close()
        with self.open_store(place) as again:
            assert list(again.keys()) == ["a", "b"]

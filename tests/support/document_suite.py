"""What every store of documents has to pass: subclass it and say how to open the store."""

from __future__ import annotations

import abc
import itertools
import math
import multiprocessing
import os
import pickle
import random
import signal
import struct
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbf_ray.errors import StoreContentError
from pbf_ray.storage.documents.base import Document, DocumentStore, StoredDocument
from pbf_ray.storage.documents.content import MOST_LEVELS

__all__ = ["DocumentSuite", "same_value", "write_until_killed"]

_ODD_NAMES = (
    "", "$set", "$", "a.b", ".", "a\0b", "%", "%25", "%2E", "_id", "_metadata", "_pbf_ray", "é",
    "😀", "body", "__proto__",
)  # fmt: skip
_TEXTS = st.sampled_from(("", "a\0b", "😀", "NULL", "'; --")) | st.text(max_size=12)
_NUMBERS = (
    st.sampled_from((math.nan, math.inf, -math.inf, -0.0, 0.0, 1.0, 5e-324))
    | st.floats()
    | st.sampled_from((-(2**63), 2**63 - 1, 2**53 + 1, 2**31, 1, 0))
    | st.integers(-(2**63), 2**63 - 1)
)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_ODD_NAMES) | _TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)
_BODIES = st.dictionaries(st.sampled_from(_ODD_NAMES) | _TEXTS, _VALUES, max_size=5)


def same_value(one: Any, other: Any) -> bool:
    """Equal, of the same type, in all parts; a NaN is a NaN, and -0.0 is not 0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        if math.isnan(one):
            return math.isnan(other)
        return struct.pack("<d", one) == struct.pack("<d", other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same_value(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    return bool(one == other)


def write_until_killed(store: DocumentStore, first: int, reached: Any) -> None:
    """In a process of its own: batches whose documents all have the number of the batch."""
    for number in itertools.count(first):
        store.put("killed", [Document(f"{n:03}", {"batch": number}) for n in range(40)], source="w")
        reached.value = number


def _bodies(found: list[StoredDocument]) -> dict[str, Any]:
    return {document.id: document.body for document in found}


class DocumentSuite(abc.ABC):
    """Inherit in a class named ``Test...`` and implement the abstract method."""

    whole_batches = True
    """A batch is there as a whole or not at all."""

    @abc.abstractmethod
    def open_store(self, place: Path) -> DocumentStore:
        """The store that lives at a place; opened again, it holds what it held."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path / "place with ' \" and é"

    @pytest.fixture
    def store(self, place: Path) -> Iterator[DocumentStore]:
        with self.open_store(place) as store:
            yield store

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )
    @given(bodies=st.lists(_BODIES, max_size=4))
    def test_every_value_survives(self, store: DocumentStore, bodies: list[dict[str, Any]]) -> None:
        ids = [f"{uuid.uuid4()}/{number}" for number in range(len(bodies))]
        given_ = list(map(Document, ids, bodies))
        store.put("values", given_, source="tests", version="7")
        found = store.get("values", ids)
        assert [document.id for document in found] == ids
        for document, body in zip(found, bodies, strict=True):
            assert same_value(document.body, body), (document.body, body)
            assert (document.source, document.version) == ("tests", "7")

    def test_the_same_again_keeps_when_it_was_stored(self, store: DocumentStore) -> None:
        began = datetime.now(UTC) - timedelta(milliseconds=1)
        one = Document("one", {"a": 1, "b": {"nan": math.nan}})
        store.put("kept", [one, Document("two", {})], source="s")
        first = store.get("kept", ["one", "two"])
        assert began <= first[0].stored_at <= datetime.now(UTC)
        assert first[0].stored_at.utcoffset() == timedelta(0)
        while datetime.now(UTC) - first[0].stored_at < timedelta(milliseconds=3):
            time.sleep(0.001)
        # Order of names does not make another document; 1 and 1.0 do, and source and version.
        store.put("kept", [Document("one", {"b": {"nan": math.nan}, "a": 1})], source="s")
        assert store.get("kept", ["one"])[0].stored_at == first[0].stored_at
        moments = {first[0].stored_at}
        for body, source, version in (
            ({"a": 1.0, "b": {"nan": math.nan}}, "s", "1"),
            ({"a": 1.0, "b": {"nan": math.nan}}, "t", "1"),
            ({"a": 1.0, "b": {"nan": math.nan}}, "t", "2"),
        ):
            store.put("kept", [Document("one", body)], source=source, version=version)
            found = store.get("kept", ["one"])[0]
            assert (found.source, found.version) == (source, version)
            assert same_value(found.body, body)
            assert found.stored_at >= max(moments)
            moments.add(found.stored_at)
        assert len(moments) > 1
        assert store.get("kept", ["two"]) == first[1:], "the other one was not touched"
        assert store.count("kept") == 2

    def test_of_two_with_one_id_the_last_counts(self, store: DocumentStore) -> None:
        store.put(
            "twice", [Document("a", {"n": 1}), Document("b", {}), Document("a", {"n": 2})],
            source="s",
        )  # fmt: skip
        store.put("twice", [Document("b", {"n": 3})], source="s")
        assert _bodies(list(store.scan("twice"))) == {"a": {"n": 2}, "b": {"n": 3}}

    def test_many_documents_in_order_and_in_pages(self, store: DocumentStore) -> None:
        ids = [f"layer/{number:05}" for number in range(1_200)]
        shuffled = random.Random(1).sample(ids, len(ids))
        for some in (shuffled[:100], shuffled[100:]):
            store.put("many", [Document(id_, {"id": id_}) for id_ in some], source="s")
        assert store.count("many") == 1_200
        assert [document.id for document in store.scan("many")] == ids
        pages, after = [], None
        while page := list(store.scan("many", after_id=after, limit=500)):
            pages.append(len(page))
            after = page[-1].id
        assert pages == [500, 500, 200]
        chosen = [document.id for document in store.scan("many", prefix="layer/0001")]
        assert chosen == ids[10:20]
        some = store.scan("many", prefix="layer/0001", after_id=chosen[3], limit=2)
        assert [document.id for document in some] == chosen[4:6]
        assert list(store.scan("many", limit=0)) == []
        asked = [ids[7], "nobody", *ids[:1_100], ids[7]]
        assert [document.id for document in store.get("many", asked)] == [
            ids[7], *ids[:1_100], ids[7],
        ]  # fmt: skip
        assert store.delete("many", ["nobody", *ids[:50], ids[0]]) == 50
        assert store.count("many") == 1_150
        assert store.delete("many", ids[:5]) == 0

    def test_odd_ids_stand_in_order(self, store: DocumentStore) -> None:
        ids = ["", " ", "A", "a", "a\0", "a\0b", "aa", "b", "é", "ﬀ", "$x", "a.b", "%", "'", "\x7f"]
        store.put("odd ids", [Document(id_, {"id": id_}) for id_ in ids], source="s")
        found = list(store.scan("odd ids"))
        assert [document.id for document in found] == sorted(ids)
        assert all(document.body == {"id": document.id} for document in found)
        assert {document.id for document in store.scan("odd ids", prefix="a\0")} == {"a\0", "a\0b"}
        store.put("astral", [Document("😀", {}), Document("\U0010ffff", {})], source="s")
        assert [one.id for one in store.scan("astral", prefix="\U0010ffff")] == ["\U0010ffff"]

    def test_chosen_by_when_they_were_stored(self, store: DocumentStore) -> None:
        store.put("when", [Document("a", {})], source="s")
        first = store.get("when", ["a"])[0].stored_at
        while datetime.now(UTC) - first < timedelta(milliseconds=3):
            time.sleep(0.001)
        store.put("when", [Document("b", {})], source="s")
        second = store.get("when", ["b"])[0].stored_at
        assert first < second

        def ids(**chosen: datetime) -> list[str]:
            return [document.id for document in store.scan("when", **chosen)]

        assert ids(since=first) == ["a", "b"]
        assert ids(since=first + timedelta(microseconds=1)) == ["b"]
        assert ids(since=second) == ["b"]
        assert ids(until=second) == ["a"]
        assert ids(until=first) == []
        assert ids(since=first, until=second + timedelta(microseconds=1)) == ["a", "b"]
        with pytest.raises(ValueError, match="no time zone"):
            ids(since=first.replace(tzinfo=None))

    def test_collections_are_apart_and_named(self, store: DocumentStore) -> None:
        assert store.collections() == []
        assert list(store.scan("nowhere")) == []
        assert store.get("nowhere", ["a"]) == []
        assert store.count("nowhere") == 0
        assert store.delete("nowhere", ["a"]) == 0
        for name in ("quality_metrics", "ct scans", "Ünits-2.b"):
            store.put(name, [Document("a", {"in": name})], source="s")
        assert store.collections() == ["ct scans", "quality_metrics", "Ünits-2.b"]
        assert store.get("ct scans", ["a"])[0].body == {"in": "ct scans"}
        for name in ("", "a$b", "a\0b", "system.users", "pbf_ray_jobs", "x" * 121, ".a", "\ud800"):
            with pytest.raises(StoreContentError, match="no name for a collection"):
                store.put(name, [Document("a", {})], source="s")

    def test_what_cannot_be_stored_is_refused_before_anything_is_written(
        self, store: DocumentStore
    ) -> None:
        deep: Any = {}
        for _ in range(MOST_LEVELS - 1):
            deep = {"d": deep}
        good = Document("good", {"a": 1})
        store.put("refused", [Document("deep", deep)], source="s")
        assert store.get("refused", ["deep"])[0].body == deep
        for body, words in (
            ({"a": [1, {"b": 2**63}]}, "at /a/1/b: 9223372036854775808 does not fit"),
            ({"a": {1, 2}}, "a set cannot be stored"),
            ({"a": b"x"}, "a bytes cannot be stored"),
            ({"a": datetime.now(UTC)}, "a datetime cannot be stored"),
            ({1: "a"}, "the name 1 is no text"),
            ({"a": "\ud800"}, "half a surrogate pair"),
            ({"\udfff": 1}, "half a surrogate pair"),
            ({"d": deep}, "nested deeper than"),
            ([1], "a list is no object"),
        ):
            with pytest.raises(StoreContentError, match=words) as caught:
                store.put("refused", [good, Document("bad", body)], source="s")  # type: ignore[arg-type]
            assert caught.value.document == "bad"
            assert not caught.value.transient
        with pytest.raises(StoreContentError, match="half a surrogate pair"):
            store.put("refused", [good, Document("\ud800", {})], source="s")
        assert _bodies(list(store.scan("refused"))) == {"deep": deep}

    def test_large_documents(self, store: DocumentStore) -> None:
        body = {"text": "ä" * 5_000_000}
        store.put("large", [Document("a", body)], source="s")
        assert store.get("large", ["a"])[0].body == body

    def test_many_writers(self, store: DocumentStore) -> None:
        same = [Document(f"{number:03}", {"n": number}) for number in range(60)]

        def write(who: int) -> None:
            for round_ in range(3):
                store.put("both", same, source="s")
                store.put("both", [Document("who", {"who": who, "round": round_})], source="s")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        assert _bodies(list(store.scan("both", limit=60))) == _bodies_of(same)
        assert store.count("both") == 61
        assert len({document.stored_at for document in store.scan("both", limit=60)}) == 1, (
            "all but the first found it there"
        )
        assert store.get("both", ["who"])[0].body["round"] == 2

    def test_killed_at_any_instant(self, store: DocumentStore) -> None:
        context = multiprocessing.get_context("spawn")
        next_batch = 0
        for _ in range(2):
            reached = context.Value("q", -1)
            writer = context.Process(target=write_until_killed, args=(store, next_batch, reached))
            writer.start()
            while reached.value < next_batch + 1:
                assert writer.is_alive()
                time.sleep(0.002)
            time.sleep(random.uniform(0, 0.03))
            os.kill(writer.pid or 0, signal.SIGKILL)
            writer.join()
            self.assert_between(store, reached.value)
            next_batch = reached.value + 3
        store.put("killed", [Document(f"{n:03}", {"batch": -1}) for n in range(40)], source="w")
        assert {document.body["batch"] for document in store.scan("killed")} == {-1}

    def assert_between(self, store: DocumentStore, done: int) -> None:
        """What a killed writer leaves: whole documents, of the batch done or the one under way."""
        found = list(store.scan("killed"))
        assert [document.id for document in found] == [f"{n:03}" for n in range(40)]
        batches = {document.body["batch"] for document in found}
        assert batches <= {done, done + 1, done + 2}
        assert len(batches) == 1 or not self.whole_batches

    def test_opened_again_and_elsewhere(self, store: DocumentStore, place: Path) -> None:
        store.check()
        store.put("again", [Document("a", {"n": 1})], source="s")
        first = store.get("again", ["a"])
        store.close()
        assert store.get("again", ["a"]) == first
        with pickle.loads(pickle.dumps(store)) as sent:  # noqa: S301 - our own bytes
            assert sent.name == store.name
            assert sent.get("again", ["a"]) == first
            sent.put("again", [Document("b", {})], source="s")
        with self.open_store(place) as other:
            assert [document.id for document in other.scan("again")] == ["a", "b"]


def _bodies_of(documents: list[Document]) -> dict[str, Any]:
    return {document.id: dict(document.body) for document in documents}

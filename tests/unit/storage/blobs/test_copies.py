from __future__ import annotations

import pytest

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.blobs.copies import CopiedBlobs
from support.memory_stores import MemoryBlobs


@pytest.fixture
def both() -> tuple[MemoryBlobs, MemoryBlobs]:
    return MemoryBlobs("first"), MemoryBlobs("second")


def test_all_copies_or_nothing_and_a_retry_completes(
    both: tuple[MemoryBlobs, MemoryBlobs],
) -> None:
    first, second = both
    copies = CopiedBlobs(both)
    second.down = 1
    with pytest.raises(StoreUnavailableError, match="second: its copy of set/a is missing"):
        copies.put("set/a", b"new", content_type="text/plain")
    assert "set/a" in first.held
    assert copies.info("set/a") is None
    assert list(copies.keys()) == []
    with pytest.raises(StoreContentError, match="not all of its copies"):
        copies.get("set/a")
    info = copies.put("set/a", iter([b"n", b"ew"]), content_type="text/plain")
    assert (info.size, info.content_type) == (3, "text/plain")
    assert first.get("set/a") == second.get("set/a") == copies.get("set/a") == b"new"
    assert list(copies.keys("set/")) == ["set/a"]
    found = copies.info("set/a")
    assert found is not None
    assert found.sha256 == info.sha256


def test_what_was_whole_before_stays_readable_while_a_copy_is_missing(
    both: tuple[MemoryBlobs, MemoryBlobs],
) -> None:
    first, second = both
    copies = CopiedBlobs(both)
    copies.put("k", b"old")
    second.down, second.terminal = 1, True
    with pytest.raises(StoreError) as caught:
        copies.put("k", b"new")
    assert not caught.value.transient
    assert first.get("k") == b"new"
    assert copies.get("k") == b"".join(copies.chunks("k")) == b"old"
    copies.put("k", b"new")
    assert copies.get("k") == b"new"


@pytest.mark.parametrize("dead", range(4))
def test_a_writer_that_dies_at_any_write_leaves_old_or_new(dead: int) -> None:
    """Four writes: two copies, two marks."""

    class DyingError(BaseException):
        pass

    class Dying(MemoryBlobs):
        left = 99

        def put(self, *arguments: object, **named: object) -> object:  # type: ignore[override]
            if not type(self).left:
                raise DyingError
            type(self).left -= 1
            return super().put(*arguments, **named)  # type: ignore[arg-type]

    both = (Dying("first"), Dying("second"))
    copies = CopiedBlobs(both)
    copies.put("k", b"old")
    Dying.left = dead
    with pytest.raises(DyingError):
        copies.put("k", b"new")
    Dying.left = 99
    assert copies.get("k") == (b"old" if dead < 2 else b"new")
    copies.put("k", b"new")
    assert copies.get("k") == b"new"
    assert copies.delete("k")
    assert not copies.delete("k")
    assert not any(store.held for store in both)


def test_one_store_that_is_away_does_not_keep_readers_out(
    both: tuple[MemoryBlobs, MemoryBlobs],
) -> None:
    first, second = both
    copies = CopiedBlobs(both)
    copies.put("k", b"x")
    first.down = 99
    assert copies.get("k") == b"x"
    assert list(copies.keys()) == ["k"]
    second.down = 99
    with pytest.raises(StoreUnavailableError):
        copies.get("k")


def test_copies_are_two_at_least() -> None:
    with pytest.raises(ValueError, match="all different"):
        CopiedBlobs([MemoryBlobs("same"), MemoryBlobs("same")])

"""Blobs in a folder beside what all stores of blobs pass: what people see, leftovers, refusals."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from pbf_ray.errors import StoreContentError, StoreError, StoreUnavailableError
from pbf_ray.storage.blobs.folder import FolderBlobs


@pytest.fixture
def store(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


def _files(store: FolderBlobs) -> set[str]:
    return {str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file()}


def test_people_find_plain_files_and_what_they_are(store: FolderBlobs) -> None:
    put = store.put("scans/layer-7.png", b"pixels", content_type="image/png")
    content = f"scans/layer-7~{put.sha256[:32]}.png"
    assert _files(store) == {"~lock", content, "scans/layer-7.png~.json"}
    assert (store.root / content).read_bytes() == b"pixels"
    facts = json.loads((store.root / "scans/layer-7.png~.json").read_text())
    assert facts["content_type"] == "image/png"
    assert (facts["key"], facts["size"], facts["sha256"]) == (put.key, put.size, put.sha256)


def test_a_writer_killed_between_content_and_sidecar(
    store: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a.bin", b"old")
    replace, calls = Path.replace, []

    def killed(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            os._exit(9)
        return replace(self, target)

    child = os.fork()
    if not child:
        monkeypatch.setattr(Path, "replace", killed)
        try:
            store.put("a.bin", b"new")
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert store.get("a.bin") == b"old"
    assert list(store.keys()) == ["a.bin"]
    left = _files(store)
    assert len(left) == 5  # lock, sidecar, old content; new content, its sidecar's draft
    assert store.sweep() == 0, "the writer of young files may be alive"
    assert _files(store) == left
    assert store.sweep(older_than_s=-60) == 2
    assert store.get("a.bin") == b"old"
    store.put("a.bin", b"new")
    assert store.get("a.bin") == b"new"
    assert len(_files(store)) == 3


def test_sweep_leaves_blobs_and_what_is_not_ours(store: FolderBlobs) -> None:
    assert store.sweep(older_than_s=-60) == 0
    for key in ("a", "a/b.png", "c~d/e~f.txt", "k" * 255):
        store.put(key, key.encode())
    (store.root / "a" / "notes.txt").write_text("mine")
    (store.root / "a" / "old~1.txt").write_text("mine")
    before = _files(store)
    assert store.sweep(older_than_s=-60) == 0
    assert _files(store) == before


def test_old_unfinished_files_go_with_the_first_write(store: FolderBlobs) -> None:
    store.put("a", b"1")
    parts = store.root / "~parts"
    for name in ("old", "young"):
        (parts / name).write_bytes(b"x")
    os.utime(parts / "old", (0, 0))
    FolderBlobs(store.root).put("b", b"2")
    assert [path.name for path in parts.iterdir()] == ["young"]


def test_missing_content_and_a_broken_sidecar_are_damage(store: FolderBlobs) -> None:
    put = store.put("a.bin", b"1")
    (store.root / f"a~{put.sha256[:32]}.bin").unlink()
    with pytest.raises(StoreContentError, match="content is missing"):
        store.get("a.bin")
    store.put("a.bin", b"1")
    assert store.get("a.bin") == b"1", "the same content mends it"
    (store.root / "a.bin~.json").write_text("{")
    for call in (lambda: store.get("a.bin"), lambda: list(store.keys())):
        with pytest.raises(StoreContentError, match="its sidecar cannot be read"):
            call()


def test_a_reader_goes_on_with_the_blob_that_it_began(store: FolderBlobs) -> None:
    store.put("a", b"old" * 1000)
    reading = store.chunks("a", size=300)
    pieces = [next(reading)]
    store.put("a", b"new")
    assert b"".join([*pieces, *reading]) == b"old" * 1000
    assert store.get("a") == b"new"


def test_what_the_file_system_refuses(store: FolderBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    store.root.write_text("a file in its place")
    with pytest.raises(StoreError, match="see that this user may write") as caught:
        store.check()
    assert not caught.value.transient
    store.root.unlink()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnavailableError, match="No space left") as full_disk:
        store.put("a", b"1")
    assert full_disk.value.code == "ENOSPC"
    monkeypatch.undo()
    assert list(store.keys()) == []

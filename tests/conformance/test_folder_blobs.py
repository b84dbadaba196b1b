from __future__ import annotations

from pathlib import Path

from pbf_ray.storage.blobs import BlobStore
from pbf_ray.storage.blobs.folder import FolderBlobs
from support.blob_suite import BlobSuite


class TestFolderBlobs(BlobSuite):
    def open_store(self, place: Path) -> FolderBlobs:
        return FolderBlobs(place / "blobs")

    def damage(self, store: BlobStore, key: str) -> None:
        assert isinstance(store, FolderBlobs)
        stem, _, suffix = key.rpartition(".")
        (file,) = store.root.glob(f"{stem}~*.{suffix}")
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)

    def leftovers(self, store: BlobStore) -> list[str]:
        assert isinstance(store, FolderBlobs)
        files = {path.name for path in store.root.rglob("*") if path.is_file()} - {"~lock"}
        sidecars = {name for name in files if name.endswith("~.json")}
        contents = files - sidecars
        return [] if len(contents) == len(sidecars) else sorted(files)

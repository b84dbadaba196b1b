"""Writers of blobs and caches killed at seeded instants, 50 for each store.

``make chaos`` runs it; ``PBF_RAY_CHAOS_SEED`` chooses the seed, which is shown when it fails, and
``PBF_RAY_CHAOS_ROUNDS`` fewer rounds.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pbf_ray.storage.blobs.folder import FolderBlobs
from pbf_ray.storage.caches.sqlite import SqliteCache
from services.redis import RedisServer
from services.seaweedfs import S3Server
from support import blob_suite, cache_suite
from support.databases import await_redis_calm, redis_cache, s3_blobs

ROUNDS = int(os.environ.get("PBF_RAY_CHAOS_ROUNDS", "50"))
SEED = int(os.environ.get("PBF_RAY_CHAOS_SEED", "1"))

pytestmark = pytest.mark.timeout(3600)


def test_blobs_in_a_folder(tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path / "blobs")
    blobs = blob_suite.kill_writers(store, ROUNDS, SEED)
    swept = store.sweep(older_than_s=-60)
    assert len(list(store.keys())) == blobs
    print(f"\nfolder, seed {SEED}: {ROUNDS} kills, {blobs} whole blobs, {swept} files swept")


def test_blobs_in_s3(s3_server: S3Server, tmp_path: Path) -> None:
    with s3_blobs(s3_server, tmp_path) as store:
        blobs = blob_suite.kill_writers(store, ROUNDS, SEED)
        swept = store.sweep(older_than_s=-60)
        assert len(list(store.keys())) == blobs
    print(f"\nS3, seed {SEED}: {ROUNDS} kills, {blobs} whole blobs, {swept} uploads swept")


def test_a_cache_in_sqlite(tmp_path: Path) -> None:
    with SqliteCache(tmp_path / "cache.sqlite") as cache:
        last = cache_suite.kill_writers(cache, ROUNDS, SEED)
    print(f"\nSQLite, seed {SEED}: {ROUNDS} kills, {last + 1} whole epochs")


def test_a_cache_in_redis(redis_server: RedisServer, tmp_path: Path) -> None:
    with redis_cache(redis_server, tmp_path) as cache:
        last = cache_suite.kill_writers(cache, ROUNDS, SEED, lambda: await_redis_calm(redis_server))
    print(f"\nRedis, seed {SEED}: {ROUNDS} kills, {last + 1} whole epochs")

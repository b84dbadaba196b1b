"""Rows and documents into the stores, beside their drivers' own bulk calls with the same data.

Run with ``python -m pytest benchmarks/test_store_throughput.py -s``. What was written is read back
and compared first; then ours and the driver's way take turns, each into an empty collection. The
driver gets documents that are made already: it only has to write them. Servers are the tests' own,
so figures compare ways to write and not databases.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson
import numpy as np
import pyarrow as pa
import pytest
from benchmarks.comparison import compare, recorded
from pymongo import InsertOne, ReplaceOne

from pbf_ray.contracts import ISPM_ANOMALIES
from pbf_ray.storage.base import EpochCommit
from pbf_ray.storage.documents.base import Document
from pbf_ray.storage.documents.mongodb import MongoDocuments
from pbf_ray.storage.mongodb.columns import to_documents
from pbf_ray.storage.mongodb.tables import MongoTables
from services.mongodb import MongoServer
from support.databases import database_for, mongo_address
from support.store_suite import assert_same_rows, fill, numbered

ROWS = int(os.environ.get("PBF_RAY_BENCH_MONGODB_ROWS", "3000"))
ROUNDS = 5


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    with recorded("store_throughput", ("pymongo", "pyarrow"), mongodb_rows=ROWS) as found:
        yield found


def anomalies(epoch: int) -> pa.Table:
    rng = np.random.default_rng(epoch)
    table = numbered(ISPM_ANOMALIES, ROWS, epoch=epoch)
    channels = ("temperature", "pressure", "laser_power", "scan_speed", "timestamp")
    return fill(
        ISPM_ANOMALIES, table, **{name: rng.normal(1.0, 0.1, ROWS).tolist() for name in channels}
    )


def test_mongodb_rows(mongodb: MongoServer, results: dict[str, Any], tmp_path: Path) -> None:
    epochs = itertools.count()
    rows = anomalies(0)
    plain = to_documents(ISPM_ANOMALIES, rows, {"job_id": "job", "generation": 0, "epoch": 0})
    with (
        mongodb.connect() as client,
        MongoTables(mongo_address(mongodb, tmp_path)) as store,
    ):
        database = client[database_for(tmp_path)]
        store.prepare([ISPM_ANOMALIES])
        store.claim("job", 1)

        def ours() -> float:
            database["ispm_anomalies"].delete_many({})
            epoch = next(epochs)
            began = time.perf_counter()
            staged = store.stage(ISPM_ANOMALIES, rows, job_id="job", epoch=epoch, part="0")
            assert store.commit(EpochCommit("job", 1, epoch, (staged,)))
            return time.perf_counter() - began

        def pymongo() -> float:
            database["ispm_anomalies"].delete_many({})
            began = time.perf_counter()
            done = database["ispm_anomalies"].bulk_write(
                [InsertOne(document) for document in plain], ordered=False
            )
            assert done.inserted_count == ROWS
            return time.perf_counter() - began

        ours()
        assert_same_rows(store.read(ISPM_ANOMALIES), rows, "record_key")
        compare(
            results, "mongodb: rows of an epoch", ROWS / 1e3, ours, {"pymongo bulk_write": pymongo},
            unit="k_rows_per_s", rounds=ROUNDS,
        )  # fmt: skip


def test_mongodb_documents(mongodb: MongoServer, results: dict[str, Any], tmp_path: Path) -> None:
    bodies = [
        {key: value for key, value in row.items() if key != "processing_timestamp"}
        for row in anomalies(0).to_pylist()
    ]
    documents = [Document(body["record_key"], body) for body in bodies]
    assert len(bson.encode(bodies[0])) > 300
    with (
        mongodb.connect() as client,
        MongoDocuments(mongo_address(mongodb, tmp_path)) as store,
    ):
        collection = client[database_for(tmp_path)]["bench"]
        now = datetime.now(UTC)

        def ours() -> float:
            collection.delete_many({})
            began = time.perf_counter()
            store.put("bench", documents, source="bench")
            return time.perf_counter() - began

        def pymongo() -> float:
            collection.delete_many({})
            began = time.perf_counter()
            metadata = {"stored_at": now, "source": "bench", "version": "1", "digest": "x" * 32}
            done = collection.bulk_write(
                [
                    ReplaceOne({"_id": body["record_key"]}, {**body, "_metadata": metadata},
                               upsert=True)
                    for body in bodies
                ],
                ordered=False,
            )  # fmt: skip
            assert done.upserted_count == ROWS
            return time.perf_counter() - began

        ours()
        found = {document.id: document.body for document in store.scan("bench")}
        assert found == {body["record_key"]: body for body in bodies}
        compare(
            results, "mongodb: documents", ROWS / 1e3, ours, {"pymongo bulk_write": pymongo},
            unit="k_rows_per_s", rounds=ROUNDS,
        )  # fmt: skip

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pbf_ray.storage.documents.mongodb import MongoDocuments
from pbf_ray.storage.mongodb.tables import MongoTables
from services.mongodb import MongoServer
from support.databases import database_for, mongo_address
from support.document_suite import DocumentSuite
from support.store_suite import StoreSuite

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class TestMongoTables(StoreSuite):
    @pytest.fixture(autouse=True)
    def _server(self, mongodb: MongoServer) -> None:
        self.server = mongodb

    def open_store(self, place: Path) -> MongoTables:
        return MongoTables(mongo_address(self.server, place))

    def await_calm(self, place: Path) -> None:
        # What a killed client had sent, the server still carries out when it comes to it.
        with self.server.connect() as other:
            jobs, same, before = other[database_for(place)]["pbf_ray_jobs"], 0, None
            while same < 10:
                now = list(jobs.find())
                same = same + 1 if now == before else 0
                before = now
                time.sleep(0.01)

    @contextmanager
    def failing_at_second(self, place: Path) -> Iterator[None]:
        with self.server.connect() as other:
            second = other[database_for(place)]["second"]
            second.create_index("epoch", unique=True, name="one_row_an_epoch")
            yield
            second.drop_index("one_row_an_epoch")


class TestMongoDocuments(DocumentSuite):
    whole_batches = False

    @pytest.fixture(autouse=True)
    def _server(self, mongodb: MongoServer) -> None:
        self.server = mongodb

    def open_store(self, place: Path) -> MongoDocuments:
        return MongoDocuments(mongo_address(self.server, place))

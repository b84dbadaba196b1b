"""Writers to MongoDB that are killed at seeded commands: nothing is lost, nothing is there twice.

``make chaos`` runs it; ``PBF_RAY_CHAOS_SEED`` chooses the seed, which is shown when it fails, and
``PBF_RAY_CHAOS_KILLS`` how many writers of each kind die. A writer dies by ``kill -9`` before its
n-th command is sent, or when the server has carried it out and the writer has not yet seen that.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pbf_ray.contracts import TableContract
from pbf_ray.storage.base import TableStore
from pbf_ray.storage.documents.base import Document, DocumentStore
from pbf_ray.storage.documents.mongodb import MongoDocuments
from pbf_ray.storage.mongodb.tables import MongoTables
from services.mongodb import MongoServer
from support.databases import mongo_address
from support.store_suite import EVERY_TYPE, assert_same_rows, fill, numbered, write

KILLS = int(os.environ.get("PBF_RAY_CHAOS_KILLS", "50"))
SEED = int(os.environ.get("PBF_RAY_CHAOS_SEED", "1"))
LATEST = TableContract("latest", EVERY_TYPE.schema, "key", "result", "upsert")
ROWS = 30
BATCHES = 4
DOCUMENTS = 1_001
"""One more than the server of the tests takes with one command: a put is two of them."""


def die_at(number: int, *, carried_out: bool) -> None:
    """Let this process end with its n-th command from now on."""
    from pymongo import monitoring

    class Listener(monitoring.CommandListener):
        left = number

        def _count(self) -> None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)  # no further step until the signal is there

        def started(self, event: Any) -> None:
            if not carried_out:
                self._count()

        def succeeded(self, event: Any) -> None:
            if carried_out:
                self._count()

        def failed(self, event: Any) -> None:
            self.succeeded(event)

    monitoring.register(Listener())


def rows_of(epoch: int) -> list[tuple[TableContract, pa.Table]]:
    latest = numbered(LATEST, ROWS, epoch=epoch)
    return [
        (EVERY_TYPE, numbered(EVERY_TYPE, ROWS, epoch=epoch)),
        (LATEST, fill(LATEST, latest, key=[f"k{row}" for row in range(ROWS)])),
    ]


def commit_on(store: TableStore, incarnation: int, dies: tuple[int, bool], reached: Any) -> None:
    die_at(dies[0], carried_out=dies[1])
    store.prepare([EVERY_TYPE, LATEST])
    store.claim("job", incarnation)
    committed = store.committed_epoch("job")
    for epoch in itertools.count(0 if committed is None else committed + 1):
        write(store, rows_of(epoch), epoch=epoch, incarnation=incarnation)
        reached.value = epoch


def put_on(store: DocumentStore, first: int, dies: tuple[int, bool], reached: Any) -> None:
    die_at(dies[0], carried_out=dies[1])
    for number in itertools.count(first):
        store.put("scans", documents_of(number), source="chaos")
        reached.value = number


def documents_of(number: int) -> list[Document]:
    """One of a few batches, in turn: contents come again."""
    of = number % BATCHES
    return [
        Document(f"{row:04}", {"batch": of, "row": row, "x.y": [of]}) for row in range(DOCUMENTS)
    ]


@pytest.fixture
def processes() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def run_until_killed(processes: Any, target: Any, *given: Any) -> int:
    reached = processes.Value("q", -1)
    writer = processes.Process(target=target, args=(*given, reached))
    writer.start()
    writer.join(120)
    assert writer.exitcode == -signal.SIGKILL, f"seed {SEED}: {writer.exitcode}"
    return int(reached.value)


@pytest.mark.timeout(3600)
def test_killed_while_epochs_are_committed(
    mongodb: MongoServer, tmp_path: Path, processes: Any
) -> None:
    draw = random.Random(SEED)
    decided = 0
    with MongoTables(mongo_address(mongodb, tmp_path)) as store:
        store.prepare([EVERY_TYPE, LATEST])
        for incarnation in range(1, KILLS + 1):
            dies = (draw.randint(1, 40), draw.random() < 0.5)
            told = f"seed {SEED}, run {incarnation}, {dies}"
            reached = run_until_killed(processes, commit_on, store, incarnation, dies)
            committed = store.committed_epoch("job")
            whole = -1 if committed is None else committed
            assert whole >= reached, told
            assert store.count(EVERY_TYPE) == (whole + 1) * ROWS, told
            epochs = set(store.read(LATEST, columns=["epoch"])["epoch"].to_pylist())
            assert epochs <= {whole, whole + 1}, told
            assert whole < 0 or store.count(LATEST) == ROWS, told
            decided += len(epochs) > 1 or whole + 1 in epochs
        store.claim("job", KILLS + 1)
        end = whole + 3
        for epoch in range(whole + 1, end + 1):
            assert write(store, rows_of(epoch), epoch=epoch, incarnation=KILLS + 1)
        wanted = [rows_of(epoch)[0][1] for epoch in range(end + 1)]
        assert_same_rows(store.read(EVERY_TYPE), pa.concat_tables(wanted), "key")
        assert_same_rows(store.read(LATEST), rows_of(end)[1][1], "key")
        with mongodb.connect() as client:
            left = client[store_database(store)]["pbf_ray_staged"].count_documents({})
        assert left == 0, f"seed {SEED}: {left} staged pieces stay for ever"
    print(f"\nseed {SEED}: {KILLS} writers killed, {end + 1} epochs, {decided} of them decided "
          "and not finished by who died")  # fmt: skip


@pytest.mark.timeout(3600)
def test_killed_while_documents_are_put(
    mongodb: MongoServer, tmp_path: Path, processes: Any
) -> None:
    draw = random.Random(SEED + 1)
    mixed = 0
    with MongoDocuments(mongo_address(mongodb, tmp_path)) as store:
        number = 0
        for kill in range(KILLS):
            dies = (draw.randint(1, 8), draw.random() < 0.5)
            told = f"seed {SEED}, kill {kill}, {dies}"
            reached = run_until_killed(processes, put_on, store, number, dies)
            number = max(number, reached + 1)
            found = {document.id: document.body for document in store.scan("scans")}
            near = {
                near: {document.id: dict(document.body) for document in documents_of(near)}
                for near in (number - 1, number)
            }
            sizes = {0, DOCUMENTS - 1, DOCUMENTS} if number == 0 else {DOCUMENTS}
            assert len(found) in sizes, told
            for id_, body in found.items():
                assert body in [whole[id_] for whole in near.values()], told
            mixed += len({body["batch"] for body in found.values()}) > 1
        before = {document.id: document for document in store.scan("scans")}
        store.put("scans", documents_of(number), source="chaos")
        after = {document.id: document for document in store.scan("scans")}
        assert {id_: document.body for id_, document in after.items()} == {
            document.id: document.body for document in documents_of(number)
        }
        for id_, document in after.items():
            if before[id_].body == document.body:
                assert document.stored_at == before[id_].stored_at
    print(f"\nseed {SEED}: {KILLS} writers killed, {number} batches, {mixed} left half-way")


def store_database(store: MongoTables) -> str:
    return store.name.rpartition("/")[2]

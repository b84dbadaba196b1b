"""Stores beside their drivers' own bulk paths, on the servers of the tests, over loopback.

The peers do without what a store adds: checksums, content types, fences, exact values. Answers are
compared before anything is timed. Results go to ``benchmarks/results/store_bulk_paths.json``.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import s3fs
from benchmarks.comparison import compare, recorded
from psycopg import sql

from pbf_ray.contracts import ISPM_ANOMALIES
from pbf_ray.storage.base import EpochCommit
from services.postgres import PostgresServer
from services.redis import RedisServer
from services.seaweedfs import S3Server
from support.blob_suite import content
from support.databases import postgres_store, redis_cache, s3_blobs
from support.store_suite import fill, numbered

ROUNDS = int(os.environ.get("PBF_RAY_BENCH_ROUNDS", "7"))
ROWS = int(os.environ.get("PBF_RAY_BENCH_ROWS", "50000"))

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    packages = ("s3fs", "redis", "psycopg", "pyarrow")
    with recorded("store_bulk_paths", packages, rounds=ROUNDS) as found:
        yield found


class TestS3:
    """Objects of one size, each put another content than the one before."""

    @pytest.mark.parametrize(("title", "size"), [("30 MB", 30 << 20), ("100 kB", 100_000)])
    def test_put_and_get(
        self, results: dict[str, Any], s3_server: S3Server, tmp_path: Path, title: str, size: int
    ) -> None:
        count = max(1, (4 << 20) // size)
        turns = itertools.count()
        datas = [content(number, size) for number in range(2)]
        with ExitStack() as stack:
            store = stack.enter_context(s3_blobs(s3_server, tmp_path))
            client = stack.enter_context(closing(s3_server.client()))
            files = s3fs.S3FileSystem(
                key=s3_server.access_key,
                secret=s3_server.secret_key,
                endpoint_url=s3_server.endpoint,
                skip_instance_cache=True,
                use_listings_cache=False,
            )
            place = f"{s3_server.bucket}/peers/{title}"

            def each(put: Callable[[str, bytes], object]) -> Callable[[], None]:
                def run() -> None:
                    turn = next(turns)
                    for number in range(count):
                        put(f"{turn}/{number}", datas[turn % 2])

                return run

            def ours(key: str, data: bytes) -> None:
                store.put(key, data)

            amount = count * size / 1e6
            compare(
                results,
                f"S3, put, {title}",
                amount,
                each(ours),
                {
                    "s3fs": each(lambda key, data: files.pipe_file(f"{place}/{key}", data)),
                    "botocore": each(
                        lambda key, data: client.put_object(
                            Bucket=s3_server.bucket, Key=f"boto/{key}", Body=data
                        )
                    ),
                },
                unit="mb_per_s",
                rounds=ROUNDS,
            )
            for number in range(count):
                store.put(f"get/{number}", datas[0])
                files.pipe_file(f"{place}/get/{number}", datas[0])

            def read(get: Callable[[str], bytes]) -> Callable[[], None]:
                def run() -> None:
                    for number in range(count):
                        assert len(get(f"get/{number}")) == size

                return run

            def plain(key: str) -> bytes:
                answer = client.get_object(Bucket=s3_server.bucket, Key=f"peers/{title}/{key}")
                body: bytes = answer["Body"].read()
                return body

            def by_s3fs(key: str) -> bytes:
                body: bytes = files.cat_file(f"{place}/{key}")
                return body

            assert store.get("get/0") == plain("get/0") == by_s3fs("get/0") == datas[0]
            compare(
                results,
                f"S3, get, {title}",
                amount,
                read(store.get),
                {"s3fs": read(by_s3fs), "botocore": read(plain)},
                unit="mb_per_s",
                rounds=ROUNDS,
            )


class TestRedis:
    """Values of 200 bytes, as the latest states of layers are."""

    def test_values(
        self, results: dict[str, Any], redis_server: RedisServer, tmp_path: Path
    ) -> None:
        values = {f"latest/layer/{number}": content(number, 200) for number in range(10_000)}
        names = list(values)
        epochs = itertools.count()
        with redis_cache(redis_server, tmp_path) as cache, redis_server.connect() as client:
            cache.claim("job", 1)

            def pipelined(*, transaction: bool) -> None:
                with client.pipeline(transaction=transaction) as pipe:
                    for name, value in values.items():
                        pipe.set(name, value, px=3_600_000)
                    pipe.execute()

            pipelined(transaction=False)
            cache.put(values)
            assert cache.get(names) == dict(zip(names, client.mget(names), strict=True)) == values
            amount = len(values) / 1e3
            for name, ours, peer in (
                ("put", lambda: cache.put(values), lambda: pipelined(transaction=False)),
                (
                    "epoch",
                    lambda: _nothing(cache.apply("job", 1, next(epochs), values)),
                    lambda: pipelined(transaction=True),
                ),
                ("get", lambda: _nothing(cache.get(names)), lambda: _nothing(client.mget(names))),
            ):
                compare(
                    results,
                    f"Redis, {name}, 200 B",
                    amount,
                    ours,
                    {"redis-py": peer},
                    unit="k_values_per_s",
                    rounds=ROUNDS,
                )


class TestPostgres:
    """Anomalies into an empty table, by an epoch, by key, and by psycopg alone."""

    def test_rows(self, results: dict[str, Any], postgres: PostgresServer, tmp_path: Path) -> None:
        rows = fill(ISPM_ANOMALIES, numbered(ISPM_ANOMALIES, ROWS), layer=7)
        epochs = itertools.count()
        with postgres_store(postgres, tmp_path) as store, postgres.connect() as other:
            store.prepare([ISPM_ANOMALIES])
            store.claim("job", 1)
            table = sql.Identifier(store.schema, "ispm_anomalies")
            empty = sql.SQL("TRUNCATE {}").format(table)

            def timed(call: Callable[[], object]) -> Callable[[], float]:
                def run() -> float:
                    other.execute(empty)
                    start = time.perf_counter()
                    call()
                    return time.perf_counter() - start

                return run

            def commit() -> None:
                epoch = next(epochs)
                staged = store.stage(ISPM_ANOMALIES, rows, job_id="job", epoch=epoch, part="0")
                assert store.commit(EpochCommit("job", 1, epoch, (staged,)))

            def by_psycopg() -> None:
                _copy_and_upsert(other, table, rows)

            timed(by_psycopg)()
            assert store.count(ISPM_ANOMALIES) == ROWS
            timed(commit)()
            assert (
                store.read(ISPM_ANOMALIES).sort_by("record_key").equals(rows.sort_by("record_key"))
            )
            for name, ours in (
                ("epoch", commit),
                ("put", lambda: store.put(ISPM_ANOMALIES, rows)),
            ):
                compare(
                    results,
                    f"PostgreSQL, {name}",
                    ROWS / 1e3,
                    timed(ours),
                    {"psycopg": timed(by_psycopg)},
                    unit="k_rows_per_s",
                    rounds=ROUNDS,
                )


def _copy_and_upsert(connection: Any, table: sql.Identifier, rows: pa.Table) -> None:
    """What psycopg's own documentation has: COPY row by row, here into a staging table."""
    flat = rows.drop_columns(["_metadata"])
    names = sql.SQL(", ").join(map(sql.Identifier, flat.column_names))
    with connection.transaction():
        connection.execute(
            sql.SQL("CREATE TEMP TABLE staging (LIKE {}) ON COMMIT DROP").format(table)
        )
        copy_in = sql.SQL("COPY staging ({}) FROM STDIN").format(names)
        with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
            for row in zip(*(column.to_pylist() for column in flat.columns), strict=True):
                copy.write_row(row)
        connection.execute(
            sql.SQL("INSERT INTO {0} ({1}) SELECT {1} FROM staging ON CONFLICT DO NOTHING").format(
                table, names
            )
        )


def _nothing(_: object) -> None:
    """So that a call is timed, and its answer not taken for its time."""

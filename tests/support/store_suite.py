"""What every store has to pass: subclass :class:`StoreSuite` and say how to open the store."""

from __future__ import annotations

import abc
import itertools
import multiprocessing
import os
import pickle
import random
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pbf_ray.contracts import (
    DEAD_LETTERS,
    ISPM_ANOMALIES,
    ISPM_MONITORING,
    LATE_RECORDS,
    LAYER_QUALITY,
    QUALITY_METRICS,
    TableContract,
    layer_key,
)
from pbf_ray.errors import FencedError, StoreContentError, StoreError
from pbf_ray.storage.base import EpochCommit, StagedRows, TableStore
from pbf_ray.storage.selection import RowSelection

__all__ = [
    "EVERY_TYPE",
    "SECOND",
    "StoreSuite",
    "assert_same_rows",
    "fill",
    "numbered",
    "searching",
    "stage",
    "tables",
    "write",
]

EVERY_TYPE = TableContract(
    "every_type",
    pa.schema(
        [
            pa.field("key", pa.string(), nullable=False),
            pa.field("job_id", pa.string(), nullable=False),
            pa.field("epoch", pa.int64(), nullable=False),
            pa.field("required_double", pa.float64(), nullable=False, metadata={"unit": "um"}),
            pa.field("double", pa.float64()),
            pa.field("single", pa.float32()),
            pa.field("int8", pa.int8()),
            pa.field("int16", pa.int16()),
            pa.field("int32", pa.int32()),
            pa.field("int64", pa.int64()),
            pa.field("flag", pa.bool_()),
            pa.field('odd "name"; --', pa.string()),
            pa.field("bytes", pa.binary()),
            pa.field("day", pa.date32()),
            pa.field("micros", pa.timestamp("us", tz="UTC")),
            pa.field("millis", pa.timestamp("ms", tz="UTC")),
            pa.field(
                "_metadata",
                pa.struct(
                    [
                        pa.field("text", pa.string()),
                        pa.field("inner", pa.struct([pa.field("value", pa.float64())])),
                    ]
                ),
            ),
        ]
    ),
    key="key",
    volume="record",
    changes="append",
)

SECOND = TableContract(
    "second",
    pa.schema(
        [
            pa.field("key", pa.string(), nullable=False),
            pa.field("job_id", pa.string(), nullable=False),
            pa.field("epoch", pa.int64(), nullable=False),
        ]
    ),
    key="key",
    volume="record",
    changes="append",
)

_APPENDED = (ISPM_MONITORING, ISPM_ANOMALIES, QUALITY_METRICS, DEAD_LETTERS, LATE_RECORDS)

_ODD_BITS = (
    0x7FF8000000000000,  # NaN
    0xFFF8000000000000,  # NaN with a sign
    0x7FF8DEADBEEF0001,  # NaN with a payload
    0x7FF0000000000001,  # signalling NaN
    0x7FF0000000000000,  # infinity
    0xFFF0000000000000,  # -infinity
    0x8000000000000000,  # -0.0
    0x0000000000000000,
    0x0000000000000001,  # least denormal
    0x7FEFFFFFFFFFFFFF,  # greatest number
)
_ODD_TEXTS = (
    "",
    " ",
    "NULL",
    "é",
    "e\u0301",
    "😀🏭",
    "\u0000x",
    "'; DROP TABLE x; --",
    "\n\t\\",
    "\ufffd",
)
_T = TypeVar("_T")

_YEAR_1_S, _YEAR_10000_S = -62_135_596_800, 253_402_300_800


def _bits64(bits: list[int | None]) -> pa.Array:
    mask = np.array([value is None for value in bits], dtype=bool)
    raw = np.array([value or 0 for value in bits], dtype=np.uint64)
    return pa.array(raw, mask=mask).view(pa.float64())


def _column(field: pa.Field, rows: int) -> st.SearchStrategy[pa.Array]:
    kind = field.type

    def listed(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
        maybe = st.one_of(st.none(), values) if field.nullable else values
        return st.lists(maybe, min_size=rows, max_size=rows)

    if pa.types.is_float64(kind):
        return listed(st.sampled_from(_ODD_BITS) | st.integers(0, 2**64 - 1)).map(_bits64)
    if pa.types.is_float32(kind):
        return listed(st.floats(width=32)).map(lambda values: pa.array(values, kind))
    if pa.types.is_struct(kind):
        children = st.tuples(*[_column(child, rows) for child in kind])
        nulls = st.lists(st.booleans(), min_size=rows, max_size=rows)
        return st.tuples(children, nulls).map(
            lambda drawn: pa.StructArray.from_arrays(
                list(drawn[0]), fields=list(kind), mask=pa.array(drawn[1], pa.bool_())
            )
        )
    if pa.types.is_timestamp(kind):
        scale = {"ms": 1_000, "us": 1_000_000}[kind.unit]
        whole = st.integers(_YEAR_1_S * scale, _YEAR_10000_S * scale - 1)
        return listed(whole).map(lambda values: pa.array(values, pa.int64()).view(kind))
    if pa.types.is_date32(kind):
        days = st.integers(_YEAR_1_S // 86_400, _YEAR_10000_S // 86_400 - 1)
        return listed(days).map(lambda values: pa.array(values, pa.int32()).view(kind))
    if pa.types.is_integer(kind):
        most = 2 ** (kind.bit_width - 1)
        plain = st.sampled_from((-most, most - 1, 0)) | st.integers(-most, most - 1)
    elif pa.types.is_boolean(kind):
        plain = st.booleans()
    elif pa.types.is_string(kind):
        plain = st.sampled_from(_ODD_TEXTS) | st.text(max_size=20)
    else:
        plain = st.sampled_from((b"", b"\x00\xff", b"\xf0\x9f")) | st.binary(max_size=20)
    return listed(plain).map(lambda values: pa.array(values, kind))


@st.composite
def tables(draw: st.DrawFn, contract: TableContract, *, most_rows: int = 6) -> pa.Table:
    """Rows of a contract with every value that stores get wrong; keys are made unique."""
    rows = draw(st.integers(0, most_rows))
    table = pa.Table.from_arrays(
        [draw(_column(field, rows)) for field in contract.schema], schema=contract.schema
    )
    keys = [f"{key}/{row}" for row, key in enumerate(table.column(contract.key).to_pylist())]
    return fill(contract, table, **{contract.key: keys})


def fill(contract: TableContract, table: pa.Table, **columns: Any) -> pa.Table:
    """The table with other values in some columns: a list, or one value for all rows."""
    for name, values in columns.items():
        field = contract.schema.field(name)
        listed = values if isinstance(values, list) else [values] * table.num_rows
        place = contract.schema.get_field_index(name)
        table = table.set_column(place, field, pa.array(listed, field.type))
    return table


def numbered(
    contract: TableContract, rows: int, *, job_id: str = "job", epoch: int = 0, mark: str = ""
) -> pa.Table:
    """Plain rows whose keys tell job, epoch, mark and number."""
    columns = []
    for field in contract.schema:
        kind = field.type
        if field.name == contract.key:
            column = pa.array([f"{job_id}/{epoch}/{mark}/{row}" for row in range(rows)], kind)
        elif field.name == "job_id":
            column = pa.array([job_id] * rows, kind)
        elif field.name == "epoch":
            column = pa.array([epoch] * rows, kind)
        elif pa.types.is_struct(kind):
            column = pa.nulls(rows, kind)
        elif pa.types.is_string(kind) or pa.types.is_binary(kind):
            column = pa.array([f"{field.name}-{row}" for row in range(rows)]).cast(kind)
        elif pa.types.is_boolean(kind):
            column = pa.array([row % 2 == 0 for row in range(rows)], kind)
        elif pa.types.is_date32(kind):
            column = pa.array(range(rows), pa.int32()).view(kind)
        elif pa.types.is_timestamp(kind):
            column = pa.array(range(rows), pa.int64()).view(kind)
        else:
            column = pa.array([row % 100 for row in range(rows)], kind)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=contract.schema)


def _exact(array: pa.Array) -> list[Any]:
    """Values that compare equal only if they are the same bits, null or not."""
    kind = array.type
    if pa.types.is_floating(kind):
        return array.view(pa.uint64() if kind.bit_width == 64 else pa.uint32()).to_pylist()
    if pa.types.is_temporal(kind):
        return array.view(pa.int64() if kind.bit_width == 64 else pa.int32()).to_pylist()
    if pa.types.is_struct(kind):
        parts = [_exact(child) for child in array.flatten()]
        valid = array.is_valid().to_pylist()
        rows = zip(*parts, strict=True) if parts else [()] * len(array)
        return [row if ok else None for row, ok in zip(rows, valid, strict=True)]
    return array.to_pylist()


def assert_same_rows(got: pa.Table, wanted: pa.Table, key: str) -> None:
    """The same rows in any order, bit by bit, in the same schema with its metadata."""
    assert got.schema.equals(wanted.schema, check_metadata=True)
    both = []
    for table in (got, wanted):
        columns = [_exact(column.combine_chunks()) for column in table.columns]
        place = table.schema.get_field_index(key)
        both.append(sorted(zip(*columns, strict=True), key=lambda row: row[place]))
    assert both[0] == both[1]


def stage(
    store: TableStore, rows: Sequence[tuple[TableContract, pa.Table]], *, job_id: str, epoch: int
) -> tuple[StagedRows, ...]:
    return tuple(
        store.stage(contract, table, job_id=job_id, epoch=epoch, part=f"part/{number}")
        for number, (contract, table) in enumerate(rows)
    )


def write(
    store: TableStore,
    rows: Sequence[tuple[TableContract, pa.Table]],
    *,
    epoch: int,
    job_id: str = "job",
    incarnation: int = 1,
) -> bool:
    staged = stage(store, rows, job_id=job_id, epoch=epoch)
    return store.commit(EpochCommit(job_id, incarnation, epoch, staged))


def _sent(value: _T) -> _T:
    """As it arrives in another process."""
    arrived: _T = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
    return arrived


def _write_epochs(store: TableStore, epochs: int, results: Any) -> None:
    """In a process of its own: both tables, each epoch, and who was first."""
    applied = [
        write(
            store,
            [
                (EVERY_TYPE, numbered(EVERY_TYPE, 3, epoch=n)),
                (SECOND, numbered(SECOND, 2, epoch=n)),
            ],
            epoch=n,
        )
        for n in range(epochs)
    ]
    results.put(applied)


def _write_until_killed(store: TableStore, first: int, started: Any) -> None:
    for epoch in itertools.count(first):
        write(store, _fifty(epoch), epoch=epoch)
        started.value = epoch


def kill_writers(
    store: TableStore, rounds: int, seed: float, await_calm: Callable[[], object] = lambda: None
) -> int:
    """Kill writers of epochs one after another; each epoch has to be there whole, or not at all.

    Args:
        store: Prepared for both tables, and claimed by ``job``.
        rounds: How many writers die, each after a few epochs, at any instant of the next.
        seed: Of the instants.
        await_calm: Returns when nothing that a killed writer had begun can take effect any more.

    Returns:
        The last epoch.
    """
    draw = random.Random(seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    committed: int | None = None
    for round_ in range(rounds):
        reached = context.Value("q", -1)
        first = 0 if committed is None else committed + 1
        writer = context.Process(target=_write_until_killed, args=(store, first, reached))
        writer.start()
        while reached.value < first + 2 + round_ % 3:
            assert writer.is_alive()
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.05))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        await_calm()
        committed = store.committed_epoch("job")
        assert committed is not None
        assert committed >= reached.value
        counts = {store.count(EVERY_TYPE), store.count(SECOND)}
        whole = (committed + 1) * 50
        assert counts <= ({whole} if store.capabilities.transactions else {whole, whole + 50})
    assert committed is not None
    end = committed + 1
    for epoch in (committed, end):
        applied = write(store, _fifty(epoch), epoch=epoch)
        assert applied == (epoch == end)
    for contract in (EVERY_TYPE, SECOND):
        wanted = pa.concat_tables([numbered(contract, 50, epoch=n) for n in range(end + 1)])
        assert_same_rows(store.read(contract), wanted, "key")
    return end


def _fifty(epoch: int) -> list[tuple[TableContract, pa.Table]]:
    return [(contract, numbered(contract, 50, epoch=epoch)) for contract in (EVERY_TYPE, SECOND)]


def searching(examples: int) -> settings:
    """How many examples a test of values tries; the store is one for all of them."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )


class StoreSuite(abc.ABC):
    """Inherit in a class named ``Test...`` and implement the two abstract methods.

    Attributes:
        many_epochs: How many epochs a test commits that wants many.
        kill_rounds: How often a writer is killed.
    """

    many_epochs: ClassVar[int] = 40
    kill_rounds: ClassVar[int] = 3

    @abc.abstractmethod
    def open_store(self, place: Path) -> TableStore:
        """The store that lives at a place; opened again, it holds what it held."""

    @abc.abstractmethod
    def failing_at_second(self, place: Path) -> AbstractContextManager[None]:
        """While it lasts, a commit writes EVERY_TYPE and then fails to write SECOND."""

    def await_calm(self, place: Path) -> None:
        """Return when nothing that a killed writer had begun can take effect any more."""
        del place

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path / "place with ' \" and é"

    @pytest.fixture
    def store(self, place: Path) -> Iterator[TableStore]:
        with self.open_store(place) as store:
            store.check()
            store.prepare([EVERY_TYPE, SECOND])
            store.claim("job", 1)
            yield store

    # -- values ---------------------------------------------------------------------------

    @searching(60)
    @given(table=tables(EVERY_TYPE))
    def test_every_value_survives(self, store: TableStore, table: pa.Table) -> None:
        self.every_value_survives(store, table)

    def every_value_survives(self, store: TableStore, table: pa.Table) -> None:
        reached = store.committed_epoch("job")
        epoch = 0 if reached is None else reached + 1
        keys = [f"{epoch}/{key}" for key in table["key"].to_pylist()]
        table = fill(EVERY_TYPE, table, job_id="job", epoch=epoch, key=keys)
        assert write(store, [(EVERY_TYPE, table)], epoch=epoch)
        read = store.read(EVERY_TYPE)
        assert_same_rows(read.filter(pc.equal(read["epoch"], epoch)), table, "key")

    @searching(15)
    @given(data=st.data())
    @example(data=None)
    def test_output_tables_survive(self, store: TableStore, data: Any) -> None:
        self.output_tables_survive(store, data)

    def output_tables_survive(self, store: TableStore, data: Any) -> None:
        store.prepare(_APPENDED)
        store.claim("job", 1)
        reached = store.committed_epoch("job")
        epoch = 0 if reached is None else reached + 1
        rows = []
        for contract in _APPENDED:
            drawn = data.draw(tables(contract, most_rows=3)) if data else numbered(contract, 1000)
            keys = [f"{epoch}/{key}" for key in drawn[contract.key].to_pylist()]
            key = {contract.key: keys}
            rows.append((contract, fill(contract, drawn, job_id="job", epoch=epoch, **key)))
        assert write(store, rows, epoch=epoch)
        for contract, table in rows:
            read = store.read(contract)
            mine = read.filter(pc.equal(read["epoch"], epoch))
            assert_same_rows(mine, table, contract.key)

    def test_null_struct_is_not_a_struct_of_nulls(self, store: TableStore) -> None:
        values = [
            None,
            {"text": None, "inner": None},
            {"text": None, "inner": {"value": None}},
            {"text": "", "inner": None},
            {"text": None, "inner": {"value": float("inf")}},
        ]
        table = fill(EVERY_TYPE, numbered(EVERY_TYPE, len(values)), _metadata=values)
        write(store, [(EVERY_TYPE, table)], epoch=0)
        read = store.read(EVERY_TYPE).sort_by("key")
        assert read["_metadata"].to_pylist() == values

    def test_slices_and_chunks_are_stored_as_they_look(self, store: TableStore) -> None:
        one = numbered(EVERY_TYPE, 10, mark="a").slice(3, 4)
        two = numbered(EVERY_TYPE, 10, mark="b").slice(9)
        both = pa.concat_tables([one, two])
        write(store, [(EVERY_TYPE, both)], epoch=0)
        assert_same_rows(store.read(EVERY_TYPE), both, "key")

    # -- epochs ---------------------------------------------------------------------------

    def test_epochs_of_a_job(self, store: TableStore) -> None:
        assert store.committed_epoch("job") is None
        assert write(store, [], epoch=0)
        assert store.committed_epoch("job") == 0
        assert write(store, [(SECOND, SECOND.schema.empty_table())], epoch=1)
        late = 2**40
        table = numbered(SECOND, 3, epoch=late)
        assert write(store, [(SECOND, table)], epoch=late)
        assert store.committed_epoch("job") == late
        assert store.committed_epoch("another") is None
        assert_same_rows(store.read(SECOND), table, "key")

    def test_replay_changes_nothing(self, store: TableStore) -> None:
        rows = [
            (EVERY_TYPE, numbered(EVERY_TYPE, 5, mark="a")),
            (EVERY_TYPE, numbered(EVERY_TYPE, 2, mark="b")),
            (SECOND, numbered(SECOND, 4)),
        ]
        staged = stage(store, rows, job_id="job", epoch=0)
        assert store.count(EVERY_TYPE) == 0
        assert store.commit(EpochCommit("job", 1, 0, staged))
        assert not store.commit(EpochCommit("job", 1, 0, staged))
        assert not write(store, rows, epoch=0)
        assert write(store, [(SECOND, numbered(SECOND, 1, epoch=1))], epoch=1)
        assert not write(store, rows, epoch=0)
        wanted = pa.concat_tables([rows[0][1], rows[1][1]])
        assert_same_rows(store.read(EVERY_TYPE), wanted, "key")
        assert store.count(SECOND) == 5

    def test_crash_half_way_is_repaired_by_the_replay(self, store: TableStore, place: Path) -> None:
        write(store, [(SECOND, numbered(SECOND, 1, epoch=0))], epoch=0)
        rows = [
            (EVERY_TYPE, numbered(EVERY_TYPE, 5, epoch=1)),
            (SECOND, numbered(SECOND, 4, epoch=1)),
        ]
        staged = stage(store, rows, job_id="job", epoch=1)
        with self.failing_at_second(place), pytest.raises(StoreError):
            store.commit(EpochCommit("job", 1, 1, staged))
        assert store.committed_epoch("job") == 0
        assert store.count(SECOND) == 1
        if store.capabilities.transactions:
            assert store.count(EVERY_TYPE) == 0
        assert write(store, rows, epoch=1)
        assert store.committed_epoch("job") == 1
        assert_same_rows(store.read(EVERY_TYPE), rows[0][1], "key")
        assert store.count(SECOND) == 5
        assert not write(store, rows, epoch=1)
        assert store.count(EVERY_TYPE) == 5

    def test_jobs_do_not_touch_each_other(self, store: TableStore) -> None:
        for job in ("job", "job#run", "job#epoch", "", "ümläut/../x"):
            store.claim(job, 7 if job else 1)
            assert store.committed_epoch(job) is None
            table = numbered(SECOND, 2, job_id=job)
            assert write(store, [(SECOND, table)], epoch=3, job_id=job, incarnation=7 if job else 1)
            assert_same_rows(store.read(SECOND, job_id=job), table, "key")
        assert store.count(SECOND) == 10
        assert store.count(SECOND, job_id="none") == 0

    def test_data_outlives_the_object(self, store: TableStore, place: Path) -> None:
        table = numbered(EVERY_TYPE, 4)
        write(store, [(EVERY_TYPE, table)], epoch=5)
        store.close()
        assert_same_rows(store.read(EVERY_TYPE), table, "key")
        with self.open_store(place) as again:
            assert again.committed_epoch("job") == 5
            again.prepare([EVERY_TYPE, SECOND])
            assert_same_rows(again.read(EVERY_TYPE), table, "key")
            again.claim("job", 2)
            assert not write(again, [(EVERY_TYPE, table)], epoch=5, incarnation=2)
        with pytest.raises(FencedError):
            write(store, [], epoch=6)

    # -- the fence ------------------------------------------------------------------------

    def test_newer_run_fences_off_the_older(self, store: TableStore) -> None:
        write(store, [(SECOND, numbered(SECOND, 1))], epoch=0)
        staged = stage(store, [(SECOND, numbered(SECOND, 1, epoch=1))], job_id="job", epoch=1)
        store.claim("job", 3)
        store.claim("job", 3)
        for epoch in (0, 1):
            with pytest.raises(FencedError) as caught:
                store.commit(EpochCommit("job", 1, epoch, staged))
            assert (caught.value.job, caught.value.mine, caught.value.newer) == ("job", 1, 3)
        with pytest.raises(FencedError):
            store.claim("job", 2)
        assert store.count(SECOND) == 1
        assert store.committed_epoch("job") == 0
        assert store.commit(EpochCommit("job", 3, 1, staged))

    def test_what_was_not_claimed_or_prepared_is_refused(
        self, store: TableStore, place: Path
    ) -> None:
        with pytest.raises(StoreError, match="has not claimed"):
            write(store, [], epoch=0, incarnation=2)
        with pytest.raises(StoreError, match="has not claimed"):
            write(store, [], epoch=0, job_id="unknown")
        stranger = replace(SECOND, name="stranger")
        staged = replace(
            stage(store, [(SECOND, numbered(SECOND, 1))], job_id="job", epoch=0)[0],
            table="stranger",
        )
        with pytest.raises(StoreError, match="stranger was not prepared"):
            store.commit(EpochCommit("job", 1, 0, (staged,)))
        with pytest.raises(StoreContentError):
            store.read(stranger)
        with pytest.raises(StoreError):
            self.open_store(place / "elsewhere").read(SECOND)

    def test_no_epoch_of_the_older_run_after_the_claim(self, store: TableStore) -> None:
        older = _sent(store)
        going = threading.Event()

        def commit_on() -> int:
            for epoch in itertools.count():
                try:
                    write(older, [(SECOND, numbered(SECOND, 1, epoch=epoch))], epoch=epoch)
                except FencedError:
                    return epoch
                if epoch == 5:
                    going.set()
            raise AssertionError

        with ThreadPoolExecutor(1) as pool:
            stopped = pool.submit(commit_on)
            assert going.wait(60)
            store.claim("job", 2)
            rows = store.count(SECOND)
            reached = store.committed_epoch("job")
            refused = stopped.result(60)
        older.close()
        assert refused == rows
        assert reached == refused - 1
        assert store.count(SECOND) == rows

    def test_of_two_writers_one_wins_each_epoch(self, store: TableStore) -> None:
        epochs = self.many_epochs * 5 // 8
        context = multiprocessing.get_context("spawn")
        results = context.SimpleQueue()
        writers = [
            context.Process(target=_write_epochs, args=(store, epochs, results)) for _ in range(2)
        ]
        for writer in writers:
            writer.start()
        applied = [results.get(), results.get()]
        for writer in writers:
            writer.join()
            assert writer.exitcode == 0
        if store.capabilities.transactions:
            assert [sum(pair) for pair in zip(*applied, strict=True)] == [1] * epochs
        else:
            # Each may have been first at another table.
            assert all(any(pair) for pair in zip(*applied, strict=True))
        for contract, rows in ((EVERY_TYPE, 3), (SECOND, 2)):
            wanted = pa.concat_tables([numbered(contract, rows, epoch=n) for n in range(epochs)])
            assert_same_rows(store.read(contract), wanted, "key")

    def test_killed_at_any_instant(self, store: TableStore, place: Path) -> None:
        kill_writers(store, self.kill_rounds, random.random(), lambda: self.await_calm(place))

    # -- reading --------------------------------------------------------------------------

    def test_reading_some_columns_rows_and_jobs(self, store: TableStore) -> None:
        store.claim("other", 1)
        mine = numbered(EVERY_TYPE, 20)
        write(store, [(EVERY_TYPE, mine)], epoch=0)
        write(
            store, [(EVERY_TYPE, numbered(EVERY_TYPE, 3, job_id="other"))], epoch=0, job_id="other"
        )
        names = ["_metadata", "key", "millis", 'odd "name"; --']
        some = store.read(EVERY_TYPE, columns=names, job_id="job")
        assert_same_rows(some, mine.select(names), "key")
        assert store.read(EVERY_TYPE).num_rows == 23
        few = store.read(EVERY_TYPE, limit=7, job_id="job", columns=["key"])
        assert few.num_rows == 7
        assert set(few["key"].to_pylist()) <= set(mine["key"].to_pylist())
        assert store.read(EVERY_TYPE, limit=0).schema.equals(EVERY_TYPE.schema, check_metadata=True)
        assert store.read(EVERY_TYPE, limit=100).num_rows == 23
        assert store.read(EVERY_TYPE, job_id="nobody").schema.equals(EVERY_TYPE.schema)
        with pytest.raises(StoreContentError, match="no column nonsense"):
            store.read(EVERY_TYPE, columns=["key", "nonsense"])

    def test_scan_gives_what_a_selection_names(self, store: TableStore) -> None:
        store.prepare([ISPM_MONITORING, DEAD_LETTERS])
        store.claim("job", 1)
        rows = numbered(ISPM_MONITORING, 60)
        rows = fill(
            ISPM_MONITORING,
            rows,
            build_id=[[None, "a", "b'", "B"][row % 4] for row in range(60)],
            layer=[None if row % 7 == 0 else row % 5 for row in range(60)],
            timestamp=[None if row % 11 == 0 else row + 0.25 for row in range(60)],
        )
        letters = numbered(DEAD_LETTERS, 9)
        write(store, [(ISPM_MONITORING, rows), (DEAD_LETTERS, letters)], epoch=0)
        store.claim("other", 1)
        other = numbered(ISPM_MONITORING, 3, job_id="other")
        write(store, [(ISPM_MONITORING, other)], epoch=0, job_id="other")

        def at(seconds: float) -> datetime:
            return datetime.fromtimestamp(seconds, UTC)

        def keys(selection: RowSelection | None = None) -> list[str]:
            names = ["layer", "record_key"]
            batches = list(store.scan(ISPM_MONITORING, selection, columns=names))
            for batch in batches:
                assert batch.schema.names == names
            return [key for batch in batches for key in batch["record_key"].to_pylist()]

        def expected(wanted: Callable[[dict[str, Any]], bool]) -> set[str]:
            listed = rows.to_pylist() + other.to_pylist()
            return {row["record_key"] for row in listed if wanted(row)}

        assert set(keys()) == expected(lambda row: True)
        assert set(keys(RowSelection(builds=["a", "b'"]))) == expected(
            lambda row: row["build_id"] in {"a", "b'"}
        )
        assert keys(RowSelection(builds=[])) == []
        assert set(keys(RowSelection("job", layers=(1, 3)))) == expected(
            lambda row: row["job_id"] == "job" and row["layer"] in {1, 2, 3}
        )
        assert set(keys(RowSelection("job", since=at(10.25), until=at(20.25)))) == expected(
            lambda row: row["job_id"] == "job" and 10 < (row["timestamp"] or 0) < 20
        )
        assert set(keys(RowSelection("job", after_epoch=30))) == expected(
            lambda row: row["job_id"] == "job" and row["epoch"] > 30
        )
        pages, after = [], None
        while page := keys(RowSelection("job", builds=["a"], after_key=after, limit=4)):
            assert len(page) <= 4
            pages += page
            after = page[-1]
        assert pages == sorted(expected(lambda row: row["build_id"] == "a"))
        stamps = RowSelection(since=at(3e-6), until=at(5e-6))
        found = pa.Table.from_batches(store.scan(DEAD_LETTERS, stamps), DEAD_LETTERS.schema)
        assert_same_rows(found, letters.slice(3, 2), "record_key")
        with pytest.raises(StoreContentError, match="no build to choose by"):
            list(store.scan(DEAD_LETTERS, RowSelection(builds=["a"])))

    # -- tables and rows that do not fit --------------------------------------------------

    def test_new_column_that_may_be_null_is_added_or_refused(
        self, store: TableStore, place: Path
    ) -> None:
        write(store, [(SECOND, numbered(SECOND, 2))], epoch=0)
        wider = replace(
            SECOND, schema=SECOND.schema.append(pa.field("added", pa.timestamp("us", tz="UTC")))
        )
        with self.open_store(place) as newer:
            if not store.capabilities.new_columns:
                with pytest.raises(StoreContentError, match="lacks added"):
                    newer.prepare([wider])
                return
            newer.prepare([EVERY_TYPE, wider])
            newer.claim("job", 2)
            rows = numbered(wider, 2, epoch=1)
            assert write(newer, [(wider, rows)], epoch=1, incarnation=2)
            old = numbered(SECOND, 2).append_column(
                wider.schema.field("added"), pa.nulls(2, wider.schema.field("added").type)
            )
            assert_same_rows(newer.read(wider), pa.concat_tables([old, rows]), "key")
            strict = replace(
                wider, schema=wider.schema.append(pa.field("must", pa.int64(), nullable=False))
            )
            with pytest.raises(StoreContentError, match="lacks must"):
                newer.prepare([strict])
        with pytest.raises(StoreContentError, match="unknown column added"):
            store.prepare([SECOND])

    def test_table_with_other_columns_is_refused(self, store: TableStore, place: Path) -> None:
        other = pa.schema(
            [
                EVERY_TYPE.schema.field("key"),
                EVERY_TYPE.schema.field("job_id"),
                pa.field("epoch", pa.string(), nullable=False),
                pa.field("added", pa.int64()),
            ]
        )
        with self.open_store(place) as fresh, pytest.raises(StoreContentError) as caught:
            fresh.prepare([replace(EVERY_TYPE, schema=other)])
        message = str(caught.value)
        assert "every_type" in message
        for part in ("lacks added", "unknown column required_double", "has epoch as"):
            assert part in message
        store.prepare([EVERY_TYPE])

    def test_type_that_cannot_be_stored_is_refused(self, store: TableStore) -> None:
        schema = SECOND.schema.append(pa.field("spans", pa.list_(pa.float64())))
        with pytest.raises(StoreContentError, match="spans"):
            store.prepare([replace(SECOND, name="third", schema=schema)])

    def test_rows_that_do_not_fit_are_refused(self, store: TableStore) -> None:
        table = numbered(SECOND, 2)
        nameless = pa.field("key", pa.string())
        wrong = [
            (table.drop_columns(["epoch"]), "lacks epoch"),
            (table.append_column("more", pa.array([1, 2])), "unknown column more"),
            (table.set_column(2, "epoch", pa.array([1.0, 2.0])), "epoch as double"),
            (table.set_column(0, nameless, pa.array(["a", None])), "1 nulls in key"),
        ]
        for rows, message in wrong:
            with pytest.raises(StoreContentError, match=message):
                store.stage(SECOND, rows, job_id="job", epoch=0, part="0")
        shuffled = table.select(["epoch", "key", "job_id"])
        write(store, [(SECOND, shuffled)], epoch=0)
        assert_same_rows(store.read(SECOND), table, "key")

    def test_upsert_replaces_by_key_or_is_refused(self, store: TableStore) -> None:
        store.prepare([LAYER_QUALITY])
        if not store.capabilities.upsert:
            with pytest.raises(StoreContentError, match="layer_quality"):
                stage(store, [(LAYER_QUALITY, numbered(LAYER_QUALITY, 1))], job_id="job", epoch=0)
            return
        keys = [
            layer_key("job", build, layer) for build, layer in (("a", 1), (None, 1), ("a", None))
        ]

        def revision(number: int, keys: list[str], score: float) -> pa.Table:
            return fill(
                LAYER_QUALITY,
                numbered(LAYER_QUALITY, len(keys), epoch=number),
                layer_key=keys,
                revision=number,
                quality_score=score,
                temperature_avg=float("nan") if number == 0 else None,
            )

        first, second = revision(0, keys, -0.0), revision(1, keys[1:], 0.0)
        third = revision(2, keys[2:], 0.5)
        write(store, [(LAYER_QUALITY, first)], epoch=0)
        assert_same_rows(store.read(LAYER_QUALITY), first, "layer_key")
        # Two revisions in one epoch: the later one stays.
        write(store, [(LAYER_QUALITY, second), (LAYER_QUALITY, third)], epoch=1)
        wanted = pa.concat_tables([first.slice(0, 1), second.slice(0, 1), third])
        assert_same_rows(store.read(LAYER_QUALITY), wanted, "layer_key")
        assert not write(store, [(LAYER_QUALITY, first)], epoch=0)
        assert_same_rows(store.read(LAYER_QUALITY), wanted, "layer_key")

    # -- rows outside of epochs ---------------------------------------------------------------

    @searching(15)
    @given(first=tables(EVERY_TYPE), second=tables(EVERY_TYPE))
    def test_put_writes_by_key(self, store: TableStore, first: pa.Table, second: pa.Table) -> None:
        self.put_writes_by_key(store, first, second)

    def put_writes_by_key(self, store: TableStore, first: pa.Table, second: pa.Table) -> None:
        """Rows that are there stay ("append") or give way ("upsert"), and twice is once."""
        replacing = replace(EVERY_TYPE, name="replacing", changes="upsert")
        store.prepare([EVERY_TYPE, replacing])
        for contract in (EVERY_TYPE, replacing):
            job = f"put {uuid.uuid4()}"
            batches = [
                fill(contract, table, job_id=job, key=[f"{job}/{n}" for n in range(len(table))])
                for table in (first, second)
            ]
            for table in (*batches, batches[-1], batches[-1].slice(0, 0)):
                store.put(contract, table)
            held, given = batches if contract.changes == "append" else batches[::-1]
            new = given.slice(min(len(held), len(given)))
            wanted = pa.concat_tables([held, new])
            assert_same_rows(store.read(contract, job_id=job), wanted, "key")
        assert store.committed_epoch(job) is None

    def test_put_of_one_key_twice_and_by_many(self, store: TableStore) -> None:
        replacing = replace(SECOND, name="replacing_second", changes="upsert")
        store.prepare([replacing])
        twice = fill(SECOND, numbered(SECOND, 4), key=["a", "b", "a", "c"], epoch=[0, 1, 2, 3])
        store.put(SECOND, twice)
        store.put(replacing, twice)
        kept = {row["key"]: row["epoch"] for row in store.read(SECOND).to_pylist()}
        replaced = {row["key"]: row["epoch"] for row in store.read(replacing).to_pylist()}
        assert kept == {"a": 0, "b": 1, "c": 3}
        assert replaced == {"a": 2, "b": 1, "c": 3}
        same = numbered(SECOND, 50, mark="same")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: store.put(SECOND, same), range(4)))
        assert store.count(SECOND, job_id="job") == 3 + 50
        with pytest.raises(StoreError, match="was not prepared"):
            store.put(replace(SECOND, name="nowhere"), same)

    # -- retention ------------------------------------------------------------------------------

    def test_prune_removes_what_is_old(self, store: TableStore) -> None:
        store.prepare([ISPM_ANOMALIES, SECOND])
        store.claim("job", 1)
        days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)]
        table = fill(ISPM_ANOMALIES, numbered(ISPM_ANOMALIES, 4), processing_timestamp=days)
        write(store, [(ISPM_ANOMALIES, table)], epoch=0)
        bound = datetime(2026, 1, 3, 1, tzinfo=timezone(timedelta(hours=1)))
        if not store.capabilities.prune:
            with pytest.raises(StoreError, match="by their age"):
                store.prune(ISPM_ANOMALIES, bound)
            return
        assert store.prune(ISPM_ANOMALIES, bound, dry_run=True) == 2
        assert store.count(ISPM_ANOMALIES) == 4
        assert store.prune(ISPM_ANOMALIES, bound) == 2
        assert store.prune(ISPM_ANOMALIES, bound) == 0
        assert_same_rows(store.read(ISPM_ANOMALIES), table.slice(2), "record_key")
        assert not write(store, [(ISPM_ANOMALIES, table)], epoch=0), "a replay brings nothing back"
        with pytest.raises(StoreContentError, match="processing_timestamp"):
            store.prune(SECOND, bound)
        with pytest.raises(ValueError, match="zone"):
            store.prune(ISPM_ANOMALIES, datetime(2026, 1, 3))  # noqa: DTZ001 - what is refused

    # -- life -----------------------------------------------------------------------------

    def test_pickles_after_use_and_stages_elsewhere(self, store: TableStore) -> None:
        write(store, [(SECOND, numbered(SECOND, 1))], epoch=0)
        worker = _sent(store)
        assert worker.name == store.name
        table = numbered(EVERY_TYPE, 3, epoch=1)
        staged = stage(worker, [(EVERY_TYPE, table)], job_id="job", epoch=1)
        assert staged[0].store == store.name
        assert staged[0].rows == 3
        carried = _sent(EpochCommit("job", 1, 1, staged))
        assert store.commit(carried)
        assert not worker.commit(carried)
        worker.close()
        assert_same_rows(store.read(EVERY_TYPE), table, "key")

    def test_upkeep_keeps_rows_epochs_and_fence(self, store: TableStore) -> None:
        store.claim("job", 2)
        written = []
        for epoch in range(self.many_epochs):
            table = numbered(EVERY_TYPE, 3, epoch=epoch)
            written.append(table)
            write(store, [(EVERY_TYPE, table)], epoch=epoch, incarnation=2)
            if epoch % 13 == 0:
                store.maintain()
        store.maintain()
        assert_same_rows(store.read(EVERY_TYPE), pa.concat_tables(written), "key")
        last = self.many_epochs - 1
        assert store.committed_epoch("job") == last
        assert not write(store, [(EVERY_TYPE, written[last // 5])], epoch=last // 5, incarnation=2)
        with pytest.raises(FencedError):
            write(store, [], epoch=self.many_epochs, incarnation=1)
        store.maintain()

    def test_clearing_a_job_removes_its_rows_and_nothing_else(self, store: TableStore) -> None:
        if not store.capabilities.clear:
            with pytest.raises(StoreError, match="cannot be removed"):
                store.clear("job", 1)
            return
        others = numbered(SECOND, 3, job_id="o'ther")
        store.claim("o'ther", 1)
        write(store, [(SECOND, others)], epoch=0, job_id="o'ther")
        for epoch in range(3):
            rows = [(EVERY_TYPE, numbered(EVERY_TYPE, 4, epoch=epoch))]
            write(store, [*rows, (SECOND, numbered(SECOND, 2, epoch=epoch))], epoch=epoch)
        store.clear("job", 1)
        store.clear("job", 1)
        assert store.count(EVERY_TYPE) == 0
        assert_same_rows(store.read(SECOND), others, "key")
        assert store.committed_epoch("job") == 2
        assert not write(store, rows, epoch=2), "the epochs go on where they were"
        again = numbered(SECOND, 2, epoch=0).set_column(
            2, SECOND.schema.field("epoch"), pa.array([3, 3])
        )
        assert write(store, [(SECOND, again)], epoch=3), "the same keys may come again"
        assert store.count(SECOND, job_id="job") == 2
        store.claim("job", 2)
        with pytest.raises(FencedError):
            store.clear("job", 1)
        store.clear("o'ther", 1)
        assert store.count(SECOND) == 2

    def test_threads_of_one_process(self, store: TableStore) -> None:
        jobs = [f"thread-{number}" for number in range(4)]

        def run(job: str) -> None:
            store.claim(job, 1)
            for epoch in range(8):
                table = numbered(SECOND, 2, job_id=job, epoch=epoch)
                assert write(store, [(SECOND, table)], epoch=epoch, job_id=job)
                assert store.count(SECOND, job_id=job) == 2 * (epoch + 1)
                if epoch == 4:
                    store.maintain()

        with ThreadPoolExecutor(len(jobs)) as pool:
            list(pool.map(run, jobs))
        assert store.count(SECOND) == 4 * 8 * 2

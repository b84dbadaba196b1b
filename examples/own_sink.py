"""Send results somewhere of one's own, exactly once: here critical anomalies to a database.

What makes it exactly once is one transaction that looks at the run and at the last epoch, writes
the rows, and notes the epoch. Any database with transactions serves in the same way.

Some records to read, if there are none yet:

    pbf-ray topics create --clamp-replication
    pbf-ray simulate --layers 5 --random-faults 2

Then: python examples/own_sink.py
"""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pbf_ray import EpochCommit, Settings, StreamJob
from pbf_ray.contracts import TableContract
from pbf_ray.errors import FencedError


class AlarmBook:
    """A sink: keeps the critical anomalies in an SQLite file.

    It travels to other processes, so it holds a path; connections are opened on use.
    """

    tables: Sequence[str] | None = ("ispm_anomalies",)

    def __init__(self, path: Path) -> None:
        self.name = f"alarms:{path}"
        self.path = path

    def prepare(self, contracts: Sequence[TableContract]) -> None:
        """Make the tables; called at each start."""
        del contracts  # the columns that are kept here are always there
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path)) as database:
            database.executescript(
                """
                CREATE TABLE IF NOT EXISTS runs (
                    job_id TEXT PRIMARY KEY, run INTEGER NOT NULL, epoch INTEGER NOT NULL);
                CREATE TABLE IF NOT EXISTS alarms (
                    record_key TEXT PRIMARY KEY, build_id TEXT, layer INTEGER, what TEXT NOT NULL);
                """
            )

    def claim(self, job_id: str, incarnation: int) -> None:
        """From now on only this run of the job may write."""
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("BEGIN IMMEDIATE")
            self._check(database, job_id, incarnation)
            database.execute(
                "INSERT INTO runs VALUES (?, ?, 0) ON CONFLICT (job_id) DO UPDATE SET run = ?",
                (job_id, incarnation, incarnation),
            )

    def commit(self, write: EpochCommit) -> bool:
        """Write an epoch once, also if it comes again after a crash."""
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("BEGIN IMMEDIATE")
            if self._check(database, write.job_id, write.incarnation) >= write.epoch:
                return False
            for rows in write.rows:
                for row in rows.inline().to_pylist():
                    if row["severity"] == "critical":
                        database.execute(
                            "INSERT INTO alarms VALUES (?, ?, ?, ?)",
                            (row["record_key"], row["build_id"], row["layer"], row["anomaly_type"]),
                        )
            database.execute(
                "UPDATE runs SET epoch = ? WHERE job_id = ?", (write.epoch, write.job_id)
            )
            return True

    def _check(self, database: sqlite3.Connection, job_id: str, incarnation: int) -> int:
        """The last epoch written; an error if a newer run has claimed the database."""
        found = database.execute(
            "SELECT run, epoch FROM runs WHERE job_id = ?", (job_id,)
        ).fetchone()
        if found is None:
            return 0
        run, epoch = found
        if run > incarnation:
            raise FencedError(job_id, mine=incarnation, newer=run, where=self.name)
        return int(epoch)


def main() -> None:
    """Run the stream with the sink, and show what is in the book."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--bootstrap-servers", default="localhost:9092")
    options.add_argument("--data-dir", type=Path, default=Path("pbf-data"))
    options.add_argument("--topic", default="ispm-monitoring")
    given = options.parse_args()

    settings = Settings(
        job={"name": "own-sink", "data_dir": given.data_dir},
        kafka={"bootstrap_servers": given.bootstrap_servers, "topics": [given.topic]},
        stream={"until_end": True},
    )
    book = AlarmBook(given.data_dir.absolute() / "alarms.sqlite")
    result = StreamJob(settings, sinks=[book]).run()
    print(f"{result.books['consumed']} records, anomalies: {result.anomalies_by_type}")
    with closing(sqlite3.connect(book.path)) as database:
        for line in database.execute("SELECT what, build_id, count(*) FROM alarms GROUP BY 1, 2"):
            print(*line)


if __name__ == "__main__":
    main()

"""The journal of replays in PostgreSQL, beside the dead letters that it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import LiteralString

from psycopg import sql

from pbf_ray.storage.postgres_pool import PostgresAddress, PostgresPool
from pbf_ray.storage.replay_journal import ReplayEntry

__all__ = ["PostgresReplayJournal"]


class PostgresReplayJournal:
    """A journal in the schema of the result tables; see ``replay_journal.ReplayJournal``.

    Args:
        address: The database.
        job_id: The job.
        schema: The schema of PostgreSQL.
        name: Name of the store, for messages.
    """

    def __init__(self, address: PostgresAddress, job_id: str, *, schema: str, name: str) -> None:
        self._pool = PostgresPool(address, name=name)
        self._job_id = job_id
        self._schema = schema

    def entries(self) -> dict[str, ReplayEntry]:
        """All entries of the job, by record key."""
        with self._pool.connected() as connection:
            known = connection.execute(
                "SELECT to_regclass(format('%%I.dead_letter_replays', %s::text))", (self._schema,)
            ).fetchone()
            if known is None or known[0] is None:
                return {}
            rows = connection.execute(
                self._sql(
                    "SELECT record_key, origin_table, topic, edited, state, partition, "
                    '"offset", sent_after FROM {journal} WHERE job_id = %s'
                ),
                (self._job_id,),
            ).fetchall()
        return {
            key: ReplayEntry(
                key,
                table,
                topic,
                edited,
                state,
                partition,
                offset,
                {int(number): end for number, end in after.items()},
            )
            for key, table, topic, edited, state, partition, offset, after in rows
        }

    def begin(self, entries: Sequence[ReplayEntry]) -> None:
        """Note that records are about to be sent."""
        now = datetime.now(UTC)
        with self._pool.writing() as connection, connection.cursor() as cursor:
            cursor.execute(
                self._sql(
                    """CREATE TABLE IF NOT EXISTS {journal} (
                        record_key text NOT NULL PRIMARY KEY,
                        job_id text NOT NULL,
                        origin_table text NOT NULL,
                        state text NOT NULL,
                        edited boolean NOT NULL,
                        topic text NOT NULL,
                        partition integer,
                        "offset" bigint,
                        sent_after jsonb NOT NULL,
                        began_at timestamptz NOT NULL,
                        confirmed_at timestamptz
                    )"""
                )
            )
            cursor.executemany(
                self._sql(
                    "INSERT INTO {journal} (record_key, job_id, origin_table, state, edited, "
                    "topic, sent_after, began_at) VALUES (%s, %s, %s, 'sending', %s, %s, %s, %s) "
                    "ON CONFLICT (record_key) DO UPDATE SET job_id = excluded.job_id, "
                    "origin_table = excluded.origin_table, state = excluded.state, "
                    "edited = excluded.edited, topic = excluded.topic, partition = NULL, "
                    '"offset" = NULL, sent_after = excluded.sent_after, '
                    "began_at = excluded.began_at, confirmed_at = NULL"
                ),
                [
                    (
                        entry.record_key,
                        self._job_id,
                        entry.table,
                        entry.edited,
                        entry.topic,
                        json.dumps(dict(entry.sent_after)),
                        now,
                    )
                    for entry in entries
                ],
            )

    def confirm(self, places: Mapping[str, tuple[int, int]]) -> None:
        """Note where records lie now."""
        now = datetime.now(UTC)
        with self._pool.writing() as connection, connection.cursor() as cursor:
            cursor.executemany(
                self._sql(
                    "UPDATE {journal} SET state = 'sent', partition = %s, \"offset\" = %s, "
                    "confirmed_at = %s WHERE record_key = %s"
                ),
                [(partition, offset, now, key) for key, (partition, offset) in places.items()],
            )

    def give_up(self, record_keys: Sequence[str]) -> None:
        """Forget records that surely did not arrive."""
        with self._pool.writing() as connection:
            connection.execute(
                self._sql("DELETE FROM {journal} WHERE record_key = ANY(%s) AND state = 'sending'"),
                (list(record_keys),),
            )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _sql(self, statement: LiteralString) -> sql.Composed:
        return sql.SQL(statement).format(
            journal=sql.Identifier(self._schema, "dead_letter_replays")
        )

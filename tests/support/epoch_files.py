"""A user's sink that keeps each epoch of its tables as Parquet blobs."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from pbf_ray.contracts import OUTPUT_TABLES, TableContract
from pbf_ray.storage.base import EpochCommit
from pbf_ray.storage.blobs import BlobStore

__all__ = ["EpochFiles"]


class EpochFiles:
    """Blobs ``<job>/<table>/<epoch>.parquet``: an epoch that comes again replaces its own."""

    def __init__(self, blobs: BlobStore, tables: Sequence[str]) -> None:
        self.name = f"epochs:{blobs.name}"
        self.tables: Sequence[str] | None = tuple(tables)
        self.blobs = blobs

    def prepare(self, contracts: Sequence[TableContract]) -> None:
        self.blobs.check()

    def claim(self, job_id: str, incarnation: int) -> None:
        """Nothing: whoever writes an epoch writes the same."""

    def commit(self, write: EpochCommit) -> bool:
        for name in self.tables or ():
            parts = [rows.inline() for rows in write.rows if rows.table == name]
            if parts:
                file = io.BytesIO()
                pq.write_table(pa.concat_tables(parts), file)
                key = f"{write.job_id}/{name}/{write.epoch:08}.parquet"
                self.blobs.put(key, file.getvalue(), content_type="application/vnd.apache.parquet")
        return True

    def read(self, job_id: str, name: str) -> pa.Table:
        """All rows of a table, epoch by epoch."""
        schema = OUTPUT_TABLES[name].schema
        files = [io.BytesIO(self.blobs.get(key)) for key in self.blobs.keys(f"{job_id}/{name}/")]
        return pa.concat_tables(
            [schema.empty_table(), *(pq.read_table(file, schema=schema) for file in files)]
        )

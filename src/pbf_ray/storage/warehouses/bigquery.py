"""BigQuery: a client per process, files by load jobs, errors without secrets."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import google.auth.exceptions
import pyarrow as pa
import pyarrow.parquet as pq
import requests
from google.api_core import exceptions as api
from google.api_core.client_options import ClientOptions
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.oauth2 import service_account

from pbf_ray.errors import StoreError
from pbf_ray.storage.warehouses.bigquery_dialect import BIGQUERY
from pbf_ray.storage.warehouses.bigquery_failures import is_transient, translated
from pbf_ray.storage.warehouses.session import Parameter
from pbf_ray.storage.warehouses.tables import WarehouseTables

__all__ = ["BigQueryAddress", "BigQuerySession", "BigQueryTables"]

_ROWS_PER_PAGE: Final = 50_000
_FAILURES: Final = (
    api.GoogleAPIError,
    google.auth.exceptions.GoogleAuthError,
    requests.exceptions.RequestException,
    ValueError,
    OSError,
)


@dataclass(frozen=True)
class BigQueryAddress:
    """Where a data set is, and who asks.

    Attributes:
        project: Id of the project that holds the data set and pays for the work.
        dataset: Name of the data set; made if it is not there.
        location: Where it is made, and where its work is done.
        credentials_path: File of a service account; None for what the machine has (Application
            Default Credentials).
        endpoint: Where the service is not at its usual address; an ``http://`` address, as
            emulators have, is asked without credentials.
        timeout_s: Longest wait for an answer over the network, repeated tries included.
    """

    project: str
    dataset: str = "pbf_lbm"
    location: str = "US"
    credentials_path: str | None = None
    endpoint: str | None = None
    timeout_s: float = 30.0

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.project}/{self.dataset}"


class BigQuerySession:
    """A client that is opened on use, in each process anew.

    Args:
        address: The data set.
    """

    dialect = BIGQUERY

    def __init__(self, address: BigQueryAddress) -> None:
        self.address = address
        self.name = f"bigquery://{address.place}"
        self._lock = threading.Lock()
        self._client: bigquery.Client | None = None
        self._pid = 0
        self._retry = Retry(
            predicate=is_transient, initial=0.1, maximum=2.0, timeout=address.timeout_s
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return BigQuerySession, (self.address,)

    def make_place(self) -> None:
        """Make the data set, if it is not there."""
        with self._using() as client:
            try:
                client.get_dataset(self._dataset, retry=self._retry, timeout=self._timeout)
            except api.NotFound:
                wanted = bigquery.Dataset(self._dataset)
                wanted.location = self.address.location
                client.create_dataset(
                    wanted, exists_ok=True, retry=self._retry, timeout=self._timeout
                )

    def check(self) -> None:
        """Make the data set if need be, and make and drop a table in it."""
        self.make_place()
        self.execute(
            "CREATE TABLE IF NOT EXISTS `pbf_ray_check` (`one` INT64)",
        )
        self.execute("DROP TABLE IF EXISTS `pbf_ray_check`")

    def execute(self, statement: str, parameters: Sequence[Parameter] = ()) -> int:
        """Run a statement; how many rows it changed."""
        with self._asked(statement, parameters) as job:
            job.result(retry=self._retry)
            return int(job.num_dml_affected_rows or 0)

    def rows(self, statement: str, parameters: Sequence[Parameter] = ()) -> list[tuple[Any, ...]]:
        """The rows that a small query gives."""
        with self._asked(statement, parameters) as job:
            return [tuple(row.values()) for row in job.result(retry=self._retry)]

    def batches(
        self, statement: str, parameters: Sequence[Parameter] = ()
    ) -> Iterator[pa.RecordBatch]:
        """The rows that a query gives, page by page."""
        with self._asked(statement, parameters) as job:
            found = job.result(page_size=_ROWS_PER_PAGE, retry=self._retry)
            yield from found.to_arrow_iterable()

    def load(self, table: str, rows: pa.Table) -> None:
        """A load job, of a Parquet file, into a new table, whose columns say the types."""
        types = self.dialect.types
        columns = ", ".join(f"`{one.name}` {types[one.type]}" for one in rows.schema)
        self.execute(f"CREATE TABLE {self.dialect.quoted(table)} ({columns})")
        content = io.BytesIO()
        pq.write_table(rows, content, compression="zstd")
        content.seek(0)
        wanted = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            write_disposition=bigquery.WriteDisposition.WRITE_EMPTY,
        )
        with self._using() as client:
            job = client.load_table_from_file(
                content,
                f"{self._dataset}.{self.dialect.name_of(table)}",
                location=self.address.location,
                job_config=wanted,
                timeout=max(self._timeout, 300.0),
            )
            job.result(retry=self._retry)
        if job.output_rows != rows.num_rows:
            raise StoreError(self.name, f"{job.output_rows} of {rows.num_rows} rows were loaded")

    def close(self) -> None:
        """Close the connections of this process; the next use opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None and self._pid == os.getpid():
            client.close()  # type: ignore[no-untyped-call]

    @property
    def _dataset(self) -> str:
        return f"{self.address.project}.{self.address.dataset}"

    @property
    def _timeout(self) -> float:
        return self.address.timeout_s

    @contextmanager
    def _asked(self, statement: str, parameters: Sequence[Parameter]) -> Iterator[Any]:
        wanted = bigquery.QueryJobConfig(
            default_dataset=self._dataset,
            use_legacy_sql=False,
            use_query_cache=False,
            query_parameters=[
                bigquery.ScalarQueryParameter(None, _kind(value), value) for value in parameters
            ],
        )
        with self._using() as client:
            yield client.query(
                statement,
                job_config=wanted,
                location=self.address.location,
                retry=self._retry,
                timeout=self._timeout,
                # A statement that failed is tried again by who knows what it was for.
                job_retry=None,
            )

    @contextmanager
    def _using(self) -> Iterator[bigquery.Client]:
        try:
            yield self._opened()
        except _FAILURES as error:
            known = translated(error, store=self.name, dataset=self._dataset)
            # Without its cause: the driver's messages may show what was sent.
            raise known from None

    def _opened(self) -> bigquery.Client:
        with self._lock:
            if self._client is None or self._pid != os.getpid():
                self._client = _client(self.address)
                self._pid = os.getpid()
            return self._client


class BigQueryTables(WarehouseTables):
    """Tables in a data set of BigQuery; see ``WarehouseTables``.

    Args:
        address: The data set.
        tables: The contracts that it wants when it is a further output of a job; None for all.
    """

    def __init__(self, address: BigQueryAddress, *, tables: Sequence[str] | None = None) -> None:
        super().__init__(BigQuerySession(address), tables=tables)


def _client(address: BigQueryAddress) -> bigquery.Client:
    credentials: Any = None
    if address.credentials_path is not None:
        credentials = service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
            address.credentials_path,
            scopes=["https://www.googleapis.com/auth/cloud-platform"],
        )
    elif address.endpoint is not None and address.endpoint.startswith("http://"):
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    options = None if address.endpoint is None else ClientOptions(api_endpoint=address.endpoint)
    return bigquery.Client(
        project=address.project,
        credentials=credentials,
        location=address.location,
        client_options=options,
    )


def _kind(value: Parameter) -> str:
    if isinstance(value, int):
        return "INT64"
    return "FLOAT64" if isinstance(value, float) else "STRING"

"""A server that speaks BigQuery's protocol, for the tests: local-bigquery (MIT), over DuckLake.

What it does as BigQuery does, and the store uses: data sets, load jobs of Parquet into a table that
is there, MERGE and UPDATE with counts, parameters, INFORMATION_SCHEMA, paged results. What it does
not have: credentials and rights, quotas. A statement takes it a tenth of a second.
"""

from __future__ import annotations

from typing import Any

from services.apache_kafka import free_ports
from services.environments import LOCAL_BIGQUERY
from services.web_server import WebServer

__all__ = ["BigQueryServer", "bigquery_missing"]


def bigquery_missing() -> str:
    """Why no such server can be started here; empty if it can."""
    return LOCAL_BIGQUERY.missing()


class BigQueryServer(WebServer):
    """One server process; ``stop`` or ``kill`` and then ``start`` keep port and data."""

    environment = LOCAL_BIGQUERY
    answers_at = "/bigquery/v2/projects/local/datasets"

    @property
    def settings(self) -> dict[str, Any]:
        """What reaches it, as the section ``bigquery`` of the settings."""
        return {"project_id": "local", "endpoint": f"http://127.0.0.1:{self.port}"}

    def command(self) -> list[str]:
        """Its own command line."""
        return [
            "-P", "-c", "from local_bigquery.cli import main; main()", "serve",
            "--host", "127.0.0.1", "--port", str(self.port), "--grpc-port", str(free_ports(1)[0]),
            "--project", "local", "--data-dir", str(self._folder / "data"),
        ]  # fmt: skip

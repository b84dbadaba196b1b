"""A server that speaks Snowflake's protocol, for the tests: fakesnow (Apache-2.0), over DuckDB.

What it does as Snowflake does, and the store uses: sessions, PUT into the stage of a table and COPY
INTO of Parquet, MERGE, UPDATE with counts, bound values, information schema, Arrow results. What it
does not have: roles and rights, a check of passwords, locks (see ``fakesnow_server``), warehouses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.environments import FAKESNOW
from services.web_server import WebServer

__all__ = ["SnowflakeServer", "snowflake_missing"]

_MAIN = Path(__file__).with_name("fakesnow_server.py")


def snowflake_missing() -> str:
    """Why no such server can be started here; empty if it can."""
    return FAKESNOW.missing()


class SnowflakeServer(WebServer):
    """One server process; ``stop`` or ``kill`` and then ``start`` keep port and data."""

    environment = FAKESNOW
    answers_at = "/"

    @property
    def settings(self) -> dict[str, Any]:
        """What reaches it, as the section ``snowflake`` of the settings."""
        return {
            "account": "fakesnow",
            "user": "pbf_user",
            "password": "not looked at",
            "host": "127.0.0.1",
            "port": self.port,
            "protocol": "http",
        }

    def command(self) -> list[str]:
        """The main module of ours, with a folder for its data."""
        data = self._folder / "data"
        data.mkdir(exist_ok=True)
        return ["-P", str(_MAIN), str(self.port), str(data)]

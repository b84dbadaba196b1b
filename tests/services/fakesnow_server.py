"""Runs fakesnow's server on a port of loopback, in fakesnow's own environment: its main module.

Snowflake holds a lock on a table while a statement changes it, and carries a statement out as a
whole. fakesnow does neither (a MERGE is several statements of DuckDB, and one that meets another
fails), so here a statement has the server to itself.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import fakesnow.server
import uvicorn
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow

_STATEMENT = threading.RLock()


def _one_at_a_time(real: Any) -> Any:
    def execute(self: Any, *given: Any, **named: Any) -> Any:
        with _STATEMENT:
            return real(self, *given, **named)

    return execute


def main() -> None:
    """Serve until the process is ended."""
    for name in ("execute", "_describe_last_sql"):
        setattr(FakeSnowflakeCursor, name, _one_at_a_time(getattr(FakeSnowflakeCursor, name)))
    port, data = sys.argv[1:]
    fakesnow.server.shared_fs = FakeSnow(db_path=data)
    uvicorn.run(fakesnow.server.app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main()

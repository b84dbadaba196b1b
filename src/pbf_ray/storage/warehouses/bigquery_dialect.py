"""BigQuery's SQL: names in backticks, columns of letters, digits and underscores only."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa

from pbf_ray.storage.warehouses.dialect import WarehouseDialect

__all__ = ["BIGQUERY"]

_NAME_CHARACTERS: Final = 300
_STRANGE: Final = re.compile(r"^[0-9]|[^A-Za-z0-9_]")


def _name_of(name: str) -> str:
    """What stands for other characters than these is their number: ``a-b`` is ``a_x2d_b``."""
    return _STRANGE.sub(lambda found: f"_x{ord(found[0]):x}_", name)


def _table_problem(name: str) -> str:
    if not name or "\0" in name or len(_name_of(name)) > _NAME_CHARACTERS:
        return f"1 to {_NAME_CHARACTERS} letters, digits and underscores; others count for more"
    return ""


def _micros(column: str, zone: bool) -> str:
    return f"UNIX_MICROS({column})" if zone else f"UNIX_MICROS(TIMESTAMP({column}))"


def _days(column: str) -> str:
    return f"UNIX_DATE({column})"


def _not_nan(column: str) -> str:
    return f"NOT IS_NAN({column})"


BIGQUERY: Final = WarehouseDialect(
    types={
        pa.bool_(): "BOOL",
        pa.int64(): "INT64",
        pa.float64(): "FLOAT64",
        pa.string(): "STRING",
        pa.binary(): "BYTES",
        pa.date32(): "DATE",
        pa.timestamp("us"): "DATETIME",
        pa.timestamp("us", tz="UTC"): "TIMESTAMP",
    },
    name_of=_name_of,
    quote_sign="`",
    escaped_quote="",
    table_problem=_table_problem,
    micros=_micros,
    days=_days,
    not_nan=_not_nan,
    column_names="SELECT table_name, column_name FROM INFORMATION_SCHEMA.COLUMNS "
    "WHERE table_name IN ({})",
    table_names="SELECT table_name FROM INFORMATION_SCHEMA.TABLES WHERE STARTS_WITH(table_name, ?)",
)
"""How the SQL of BigQuery looks."""

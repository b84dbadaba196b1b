"""Snowflake's SQL: plain names in capitals, so that users need no quotes."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa

from pbf_ray.storage.warehouses.dialect import WarehouseDialect

__all__ = ["SNOWFLAKE"]

_NAME_CHARACTERS: Final = 255
_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")


def _name_of(name: str) -> str:
    return name.upper() if _PLAIN.fullmatch(name) else name


def _table_problem(name: str) -> str:
    if not name or "\0" in name or len(name) > _NAME_CHARACTERS:
        return f"1 to {_NAME_CHARACTERS} characters, without U+0000"
    return ""


def _micros(column: str, zone: bool) -> str:
    del zone
    return f"DATE_PART(EPOCH_MICROSECOND, {column})"


def _days(column: str) -> str:
    return f"DATEDIFF(DAY, '1970-01-01'::DATE, {column})"


def _not_nan(column: str) -> str:
    return f"{column} <> 'NaN'::FLOAT"


SNOWFLAKE: Final = WarehouseDialect(
    types={
        pa.bool_(): "BOOLEAN",
        pa.int64(): "NUMBER(38, 0)",
        pa.float64(): "FLOAT",
        pa.string(): "VARCHAR",
        pa.binary(): "BINARY",
        pa.date32(): "DATE",
        pa.timestamp("us"): "TIMESTAMP_NTZ(6)",
        pa.timestamp("us", tz="UTC"): "TIMESTAMP_TZ(6)",
    },
    name_of=_name_of,
    quote_sign='"',
    escaped_quote='""',
    table_problem=_table_problem,
    micros=_micros,
    days=_days,
    not_nan=_not_nan,
    column_names="SELECT table_name, column_name FROM information_schema.columns "
    "WHERE table_schema = CURRENT_SCHEMA() AND table_name IN ({})",
    table_names="SELECT table_name FROM information_schema.tables "
    "WHERE table_schema = CURRENT_SCHEMA() AND STARTSWITH(table_name, ?)",
)
"""How the SQL of Snowflake looks."""

"""How the SQL of one warehouse looks: names, types, moments; the only place that builds names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

__all__ = ["WarehouseDialect"]


@dataclass(frozen=True)
class WarehouseDialect:
    """What differs between two warehouses.

    Attributes:
        types: The types of columns, by the Arrow type in which values are loaded.
        name_of: A name of ours (of a table or a column) as the warehouse has it, unquoted.
        quote_sign: Stands around names.
        escaped_quote: What stands for that sign within a name.
        table_problem: What is wrong with the name of a table; empty if nothing.
        micros: A moment with or without zone as whole microseconds since 1970, as SQL; told
            the column's SQL and whether it has a zone.
        days: A date as days since 1970, as SQL.
        not_nan: Whether a number is not NaN, as SQL.
        column_names: Asks for the columns of tables, as pairs of names; ``{}`` stands for the marks
            of its parameters, the tables' names.
        table_names: Asks for the tables whose name begins with its one parameter.
    """

    types: Mapping[pa.DataType, str]
    name_of: Callable[[str], str]
    quote_sign: str
    escaped_quote: str
    table_problem: Callable[[str], str]
    micros: Callable[[str, bool], str]
    days: Callable[[str], str]
    not_nan: Callable[[str], str]
    column_names: str
    table_names: str

    def quoted(self, name: str) -> str:
        """A name of ours as it stands in SQL, whatever it contains.

        Raises:
            ValueError: It is empty or contains U+0000, which no SQL text can carry.
        """
        if not name or "\0" in name:
            raise ValueError(f"no SQL identifier: {name!r}")
        there = self.name_of(name).replace(self.quote_sign, self.escaped_quote)
        return f"{self.quote_sign}{there}{self.quote_sign}"

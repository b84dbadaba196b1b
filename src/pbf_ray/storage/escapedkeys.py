"""Keys of tables in databases whose texts cannot carry U+0000: U+2400 is doubled, U+0000 U+2400 0.

A key has to be unique where it stands, so it cannot have a stand-in as other texts have.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import TableContract

__all__ = ["escape_key", "escape_keys", "unescape_keys"]

_SIGN: Final = "\u2400"


def escape_key(key: str) -> str:
    """A key as it stands in the database; the order of keys without U+0000 and U+2400 is kept."""
    return key.replace(_SIGN, _SIGN * 2).replace("\0", f"{_SIGN}0")


def escape_keys(contract: TableContract, table: pa.Table) -> pa.Table:
    """The rows with their keys as they stand in the database."""
    return _mapped(contract, table, escape=True)


def unescape_keys(contract: TableContract, table: pa.Table) -> pa.Table:
    """The inverse of :func:`escape_keys`; rows without the key column stay as they are."""
    return _mapped(contract, table, escape=False)


def _unescape_key(key: str) -> str:
    return _SIGN.join(part.replace(f"{_SIGN}0", "\0") for part in key.split(_SIGN * 2))


def _mapped(contract: TableContract, table: pa.Table, *, escape: bool) -> pa.Table:
    if contract.key not in table.schema.names:
        return table
    field = table.schema.field(contract.key)
    keys = table.column(contract.key)
    if not pa.types.is_string(field.type):
        return table
    if not pc.any(pc.match_substring_regex(keys, "[\\x{0}\\x{2400}]")).as_py():
        return table
    one = escape_key if escape else _unescape_key
    place = table.schema.get_field_index(contract.key)
    return table.set_column(place, field, pa.array(map(one, keys.to_pylist()), field.type))

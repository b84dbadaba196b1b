"""What each collection of ours is: a table with these columns, or documents.

The collection ``pbf_ray_collections`` says it. MongoDB itself would take anything under any name.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from pymongo.errors import DuplicateKeyError
from pymongo.synchronous.database import Database

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreContentError
from pbf_ray.storage.selection import time_column
from pbf_ray.storage.tablecolumns import described_columns, verify_columns

__all__ = [
    "check_writing",
    "document_collections",
    "is_table",
    "note_documents",
    "prepare_table",
]

_CATALOGUE: Final = "pbf_ray_collections"
_VERSION: Final = 1


def check_writing(database: Database[dict[str, Any]]) -> None:
    """Write a document that means nothing, and remove it."""
    check = uuid.uuid4().hex
    database["pbf_ray_check"].insert_one({"_id": check})
    database["pbf_ray_check"].delete_one({"_id": check})


def note_documents(database: Database[dict[str, Any]], name: str, *, store: str) -> None:
    """Note that a collection holds documents.

    Raises:
        StoreContentError: It is a table.
    """
    entry = _entry(database, name, {"kind": "documents", "version": _VERSION})
    if entry["kind"] != "documents":
        raise StoreContentError(
            store,
            f"the collection {name} is a table",
            advice="give the documents another collection, or another database",
            collection=name,
        )


def document_collections(database: Database[dict[str, Any]]) -> list[str]:
    """The collections that were noted, sorted."""
    return sorted(entry["_id"] for entry in database[_CATALOGUE].find({"kind": "documents"}))


def is_table(database: Database[dict[str, Any]], name: str) -> bool:
    """Whether a table of this name was prepared."""
    return database[_CATALOGUE].find_one({"_id": name, "kind": "table"}) is not None


def prepare_table(
    database: Database[dict[str, Any]],
    contract: TableContract,
    fields: dict[str, str],
    *,
    store: str,
) -> None:
    """Create or verify a table; columns that may be null are added.

    Args:
        database: Where.
        contract: The table.
        fields: Where its columns stand in documents, for the indexes.
        store: Name of the store, for messages.

    Raises:
        StoreContentError: The table there has other columns, or is none.
    """
    wanted = described_columns(contract)
    entry = {"kind": "table", "version": _VERSION, "revision": 0, "key": contract.key}
    while True:
        found = _entry(database, contract.name, {**entry, "columns": _listed(wanted)})
        _verify(contract, found, store)
        there = {column["name"]: column["type"] for column in found["columns"]}
        if there.keys() == wanted.keys():
            break
        moved = database[_CATALOGUE].update_one(
            {"_id": contract.name, "revision": found["revision"]},
            {"$set": {"columns": _listed(wanted), "revision": found["revision"] + 1}},
        )
        if moved.matched_count:
            break
    _index(database, contract, fields)


def _entry(database: Database[dict[str, Any]], name: str, new: dict[str, Any]) -> dict[str, Any]:
    """What is noted of a collection; the new entry if nothing was."""
    catalogue = database[_CATALOGUE]
    found = catalogue.find_one({"_id": name})
    if found is None:
        try:
            catalogue.insert_one({"_id": name, **new})
        except DuplicateKeyError:
            return _entry(database, name, new)
        return new
    return found


def _verify(contract: TableContract, found: dict[str, Any], store: str) -> None:
    name = contract.name
    if found.get("version", 0) > _VERSION:
        raise StoreContentError(
            store,
            f"the version of {name} is {found['version']}, this pbf_ray knows {_VERSION}",
            advice="upgrade pbf_ray",
            table=name,
            version=found["version"],
        )
    if found["kind"] != "table":
        raise StoreContentError(
            store,
            f"the collection {name} holds documents, not the rows of a table",
            advice="set another database",
            table=name,
        )
    verify_columns(
        contract,
        {column["name"]: column["type"] for column in found["columns"]},
        found["key"],
        store=store,
        advice="it was made by something else or by another version; rename it, or set "
        "another database",
    )


def _listed(columns: dict[str, str]) -> list[dict[str, str]]:
    # Names of columns are values here: they need no escaping.
    return [{"name": name, "type": kind} for name, kind in columns.items()]


def _index(
    database: Database[dict[str, Any]], contract: TableContract, fields: dict[str, str]
) -> None:
    """What dashboards ask for: the layers of a build, and the newest rows of a job."""
    wanted = []
    if {"build_id", "layer"} <= fields.keys():
        wanted.append(("build_id", "layer"))
    if (time := time_column(contract)) is not None and "job_id" in fields:
        wanted.append(("job_id", time))
    there = set(database[contract.name].index_information())
    for columns in wanted:
        name = "_".join((*columns, "idx"))
        if name not in there:
            keys = [(fields[column], 1) for column in columns]
            database[contract.name].create_index(keys, name=name)

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pbf_ray.errors import StoreContentError
from pbf_ray.storage.documents.base import Document
from pbf_ray.storage.documents.sqlite import SqliteDocuments
from support.document_suite import DocumentSuite


class TestSqliteDocuments(DocumentSuite):
    def open_store(self, place: Path) -> SqliteDocuments:
        return SqliteDocuments(place / "operational.sqlite")


def test_order_is_that_of_utf8_and_sql_people_read_the_json(tmp_path: Path) -> None:
    with SqliteDocuments(tmp_path / "x.sqlite") as store:
        ids = ["\ue000", "😀", "\uffff", "a"]
        documents = [Document(id_, {"layer": n, "t": {"std": 1.5}}) for n, id_ in enumerate(ids)]
        store.put("c", documents, source="qa", version="2")
        assert [one.id for one in store.scan("c")] == sorted(ids, key=str.encode)
        with closing(sqlite3.connect(store.path)) as other:
            seen = other.execute(
                "SELECT json_extract(body, '$.t.std'), json_extract(_metadata, '$.source') "
                "FROM pbf_ray_documents WHERE json_extract(body, '$.layer') = 3"
            ).fetchall()
            assert seen == [(1.5, "qa")]
            other.execute("UPDATE pbf_ray_documents SET body = '{' WHERE id = 'a'")
            other.commit()
        with pytest.raises(StoreContentError, match="document 'a' is not ours"):
            store.get("c", ["a"])

from __future__ import annotations

import subprocess
import sys

import pytest

from pbf_ray.errors import MissingDependencyError, SettingError
from pbf_ray.storage import registry
from pbf_ray.storage.base import TableStore
from pbf_ray.storage.registry import STORES, StoreEntry, store_class


@pytest.mark.parametrize("kind", sorted(STORES))
def test_every_kind_names_a_store(kind: str) -> None:
    found = store_class(kind)
    assert issubclass(found, TableStore)
    assert found.__name__ == STORES[kind].name


def test_unknown_kind_is_a_setting_error() -> None:
    with pytest.raises(SettingError, match="there is no store 'oracle'") as caught:
        store_class("oracle", source="pbf.toml, line 3")
    assert caught.value.source == "pbf.toml, line 3"
    assert "bigquery, delta, mongodb, postgres, snowflake, sqlite" in caught.value.advice


def test_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = StoreEntry("pbf_ray.storage.nowhere", "X", ("no_such_package_here",), "nowhere")
    monkeypatch.setitem(registry.STORES, "nowhere", entry)
    with pytest.raises(MissingDependencyError, match="no_such_package_here") as caught:
        store_class("nowhere")
    assert caught.value.extra == "nowhere"
    assert "pbf_ray[nowhere]" in caught.value.advice


def test_drivers_are_imported_on_first_use() -> None:
    code = (
        "import sys, pbf_ray.storage, pbf_ray.storage.registry as r, pbf_ray.storage.layout;"
        "assert not {'deltalake', 'sqlite3', 'pymongo', 'ray', 'polars'} & set(sys.modules);"
        "r.store_class('sqlite'); assert 'deltalake' not in sys.modules;"
        "r.store_class('delta'); assert 'deltalake' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

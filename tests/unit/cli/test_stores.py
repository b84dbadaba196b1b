from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from pbf_ray.cli.main import cli
from pbf_ray.config import Settings
from pbf_ray.jobs.stores import storage_router


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, ["stores", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_check_of_the_embedded_stores(tmp_path: Path) -> None:
    code, shown, _ = run("check", "--data-dir", str(tmp_path))
    assert code == 0
    assert "stores can be read and written" in shown
    assert "operational_cache" in shown
    code, told, _ = run("check", "--data-dir", str(tmp_path), "--json")
    found = json.loads(told)
    assert found["ok"]
    routes = {route for store in found["stores"] for route in store["routes"]}
    assert {"tables", "operational_structured", "research_blob", "ml_training"} <= routes


def test_check_says_what_to_do_about_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "pbf-stream").write_text("a file where the folder of the stores should be")
    code, shown, _ = run("check", "--data-dir", str(tmp_path))
    assert code == 1
    assert "to do:" in shown
    assert "stores cannot be used" in shown


def test_prune_wants_a_retention_and_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ("--data-dir", str(tmp_path))
    code, _, said = run("prune", *place)
    assert code == 2
    assert "--yes" in said
    code, shown, said = run("prune", *place, "--dry-run")
    assert code == 0
    assert "for ever" in shown
    assert "nothing was removed" in shown
    monkeypatch.setenv("PBF_RAY_RETENTION__RAW_DAYS", "3")
    code, told, _ = run("prune", *place, "--yes", "--json")
    assert code == 0, told
    tables = {one["table"]: one for one in json.loads(told)["tables"]}
    assert tables["ispm_monitoring"]["before"] is not None
    assert tables["layer_quality"]["before"] is None
    assert not any(one["rows"] for one in tables.values())


def test_prune_sweeps_the_stores_of_blobs(tmp_path: Path) -> None:
    """Nobody called their sweep: what killed writers had left stayed for ever."""
    place = ("--data-dir", str(tmp_path))
    with storage_router(Settings(job={"data_dir": tmp_path})) as router:
        for purpose in ("operational", "ml_training"):
            router.store(b"kept", purpose=purpose, kind="blob", key="kept")
    old, young = [], []
    for store in ("operational", "ml_training/copy-1", "ml_training/copy-2", "research"):
        parts = tmp_path / "pbf-stream" / "blobs" / store / "~parts"
        parts.mkdir(parents=True, exist_ok=True)
        for name, files in (("old", old), ("young", young)):
            files.append(parts / name)
            files[-1].write_bytes(b"half")
    for file in old:
        os.utime(file, (0, 0))
    _, shown, _ = run("prune", *place, "--dry-run")
    assert shown.count("1 leftovers of killed writers in") == 4
    would = json.loads(run("prune", *place, "--dry-run", "--json")[1])
    assert [(Path(one["store"]).name, one["leftovers"]) for one in would["blobs"]] == [
        ("operational", 1), ("analytics", 0), ("research", 1), ("copy-1", 1), ("copy-2", 1),
    ]  # fmt: skip
    assert all(file.exists() for file in (*old, *young))
    assert json.loads(run("prune", *place, "--yes", "--json")[1]) == {**would, "done": True}
    assert [file.exists() for file in old] == [False] * 4
    assert all(file.exists() for file in young)
    left = json.loads(run("prune", *place, "--yes", "--json")[1])
    assert not any(one["leftovers"] for one in left["blobs"])
    assert router.read(purpose="operational", kind="blob", key="kept") == b"kept"

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pbf_ray.cli.main import cli


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

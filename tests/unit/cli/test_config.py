from __future__ import annotations

import json
from pathlib import Path

import pytest

from pbf_ray.config import known_keys


def test_show_has_every_key_with_its_source(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "broker:9092")
    Path("pbf-ray.toml").write_text('[job]\nname = "night"\n', encoding="utf-8")
    result = run("--set", "stream.mode=strict", "config", "show", "--json")
    assert result.exit_code == 0
    settings = json.loads(result.stdout)["settings"]
    assert set(settings) == set(known_keys())
    assert settings["job.name"] == {"value": "night", "source": "file pbf-ray.toml"}
    assert settings["stream.mode"] == {"value": "strict", "source": "command line --set"}
    assert settings["stream.layer_gap_s"] == {"value": 60.0, "source": "default"}
    assert settings["kafka.bootstrap_servers"] == {
        "value": "broker:9092",
        "source": "environment KAFKA_BOOTSTRAP_SERVERS",
    }


@pytest.mark.parametrize("form", [[], ["--json"], ["--changed"], ["--explain"]], ids=str)
def test_secrets_are_masked(run, monkeypatch: pytest.MonkeyPatch, form: list[str]) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "hunter2")
    monkeypatch.setenv("MONGODB_ATLAS_CONNECTION_STRING", "mongodb+srv://u:hunter2@h")
    result = run(
        "--set", "kafka.client.sasl.password=hunter2",
        "--set", "kafka.client.sasl.mechanism=PLAIN",
        "config", "show", *form,
    )  # fmt: skip
    assert result.exit_code == 0
    assert "hunter2" not in result.output
    assert result.stdout.count("********") == 3
    assert "PLAIN" in result.stdout


def test_show_for_people(run) -> None:
    result = run("--set", "stream.mode=strict", "config", "show", "stream", "job")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["[stream]"] in lines
    assert ["mode", "strict", "command", "line", "--set"] in lines
    assert ["until_end", "false", "default"] in lines
    assert ["dedup_key", "not", "set", "default"] in lines
    assert "[kafka]" not in result.stdout
    assert not any(line.endswith(" ") for line in result.stdout.splitlines())


def test_show_what_is_changed_and_explain_it(run) -> None:
    assert "all settings have their default" in run("config", "show", "--changed").stdout
    result = run("--set", "stream.mode=strict", "config", "show", "--changed", "--explain")
    assert result.stdout.splitlines() == [
        "[stream]",
        "  mode = strict  (command line --set)",
        "      watermark: rows flow as event time passes; strict: a layer is held until it closes",
    ]


def test_check(run) -> None:
    result = run("--set", "stream.mode=strict", "config", "check")
    assert result.exit_code == 0
    assert "settings are right: 1 set" in result.stdout
    assert "command line --set: stream.mode" in result.stdout
    plain = json.loads(run("--set", "stream.mode=strict", "config", "check", "--json").stdout)
    assert plain["ok"] is True
    assert plain["changed"] == {"stream.mode": "command line --set"}


def test_a_bad_file_is_named_with_its_line(run) -> None:
    Path("pbf-ray.toml").write_text("[stream]\nmode = strict\n", encoding="utf-8")
    result = run("config", "check")
    assert result.exit_code == 1
    assert result.stderr.startswith("pbf-ray: pbf-ray.toml, line 2: not TOML")

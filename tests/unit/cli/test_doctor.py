from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pbf_ray.cli import checks, machine
from pbf_ray.cli.checks import Check
from pbf_ray.errors import BrokerUnavailableError

THERE = ("ispm-monitoring", "pbf-dead-letters", "pbf-late-records")


@pytest.fixture
def well(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    """The machine is well; what is put into the list is found besides."""
    found = [Check("Python", "ok", "3.11")]
    monkeypatch.setattr(machine, "machine_checks", lambda *_: iter(found))
    monkeypatch.setattr("pbf_ray.kafka.client.wait_for_broker", lambda *_: 3)
    monkeypatch.setattr("pbf_ray.kafka.topics.list_topics", lambda *_: list(THERE))
    return found


def by_name(text: str) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(text)["checks"]}


def test_all_well(run, well: list[Check]) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    assert "ready: all 7 checks are well" in result.stdout
    plain = by_name(run("doctor", "--json").stdout)
    assert set(plain) == {"settings", "Python", "rules", "broker", "topics", "copies", "stores"}
    assert {check["status"] for check in plain.values()} == {"ok"}
    assert plain["broker"]["found"] == "3 at localhost:9092"


def test_a_remark_does_not_fail_but_a_failure_does(run, well: list[Check]) -> None:
    well.append(Check("make", "warn", "not found", "install make"))
    result = run("doctor")
    assert result.exit_code == 0
    assert "to do: install make" in result.stdout
    assert "ready, with 1 remark" in result.stdout
    well.append(Check("ray", "fail", "broken", "reinstall"))
    result = run("doctor")
    assert result.exit_code == 1
    assert "1 of 9 checks failed" in result.stdout
    assert json.loads(run("doctor", "--json").stdout)["ok"] is False


@pytest.mark.parametrize(
    ("args", "status", "code"),
    [([], "warn", 0), (["--bootstrap-servers", "localhost:9092"], "fail", 1)],
    ids=["default address", "address was set"],
)
def test_a_broker_that_is_away(
    run, well: list[Check], monkeypatch: pytest.MonkeyPatch, args: list[str], status: str, code: int
) -> None:
    def nobody(_config: object, timeout_s: float) -> int:
        raise BrokerUnavailableError("localhost:9092", "refused", waited_s=timeout_s)

    monkeypatch.setattr("pbf_ray.kafka.client.wait_for_broker", nobody)
    result = run("doctor", *args, "--json")
    assert result.exit_code == code
    broker = by_name(result.stdout)["broker"]
    assert broker["status"] == status
    assert "localhost:9092" in broker["found"]
    assert ("pbf-ray demo needs none" in broker["advice"]) is (status == "warn")


@pytest.mark.parametrize(
    ("copies", "status"), [("on", "warn"), ("required", "fail"), ("off", "ok")]
)
def test_missing_topics_of_copies(run, well: list[Check], copies: str, status: str) -> None:
    options = ("--set", f"kafka.copies={copies}", "--set", "kafka.late_records_topic=elsewhere")
    check = by_name(run(*options, "doctor", "--json").stdout)["copies"]
    assert check["status"] == status
    assert ("elsewhere" in check["advice"]) == (status != "ok")


def test_missing_topics_come_with_the_command(run, well: list[Check]) -> None:
    topics = by_name(run("--set", "kafka.topics=a,ispm-monitoring", "doctor", "--json").stdout)[
        "topics"
    ]
    assert (topics["status"], topics["found"]) == ("warn", "missing: a")
    assert topics["advice"] == "pbf-ray topics create a"


def test_bad_settings_do_not_hide_the_machine(run, well: list[Check]) -> None:
    Path("pbf-ray.toml").write_text("[stream]\nmode = 'x'\n", encoding="utf-8")
    result = run("doctor", "--json")
    assert result.exit_code == 1
    plain = by_name(result.stdout)
    assert plain["settings"]["status"] == "fail"
    assert "stream.mode" in plain["settings"]["found"]
    assert plain["Python"]["status"] == "ok"


def test_bad_rules_and_broken_parts_are_failures_not_tracebacks(
    run, well: list[Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_settings: object) -> Iterator[Check]:
        raise ImportError("libsomething.so: wrong ELF class")

    monkeypatch.setattr(checks, "_stores", broken)
    result = run("--set", "rules.profile=absent.toml", "doctor", "--json")
    assert result.exit_code == 1
    plain = by_name(result.stdout)
    assert plain["rules"]["status"] == "fail"
    assert "absent.toml" in plain["rules"]["found"]
    assert plain["stores"]["found"] == "ImportError: libsomething.so: wrong ELF class"


def test_python_and_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine._python((3, 10, 9)).status == "fail"
    assert machine._python((3, 12, 0)).status == "ok"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine._program("make", ["make"], "--version", "install it") == Check(
        "make", "warn", "not found", "install it"
    )
    program = tmp_path / "java"

    def java(version: str) -> Check:
        program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        program.chmod(0o755)
        return machine._java()

    assert java("17.0.1").status == "ok"
    assert java("21").found == 'openjdk version "21"'
    old = java("1.8.0_392")
    assert (old.status, "Java 17" in old.advice) == ("warn", True)
    program.write_text("not a program")
    assert machine._java().status == "warn"


def test_packages_are_imported_in_a_process_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pbf_raises.py").write_text("raise OSError('no libfoo')\n")
    (tmp_path / "pbf_dies.py").write_text("import os\nos._exit(7)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = list(machine._packages(("click", "pbf_absent", "pbf_raises", "pbf_dies", "rich")))
    assert [check.status for check in found] == ["ok", "fail", "fail", "fail"]
    assert "No module named 'pbf_absent'" in found[1].found
    assert found[2].found == "OSError: no libfoo"
    assert found[3].found == "the import ended Python with 7"


def test_memory_is_that_of_the_container(tmp_path: Path) -> None:
    assert machine._available_memory(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   4096 kB\n")
    assert machine._available_memory(tmp_path) == 4096 * 1024
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("1000\n")
    assert machine._available_memory(tmp_path) == 4096 * 1024
    (group / "memory.max").write_text("3000\n")
    assert machine._available_memory(tmp_path) == 2000


def test_folders(tmp_path: Path) -> None:
    new = machine._writable(tmp_path / "a" / "b")
    assert (new.status, new.found) == ("ok", f"{tmp_path / 'a' / 'b'} (will be made)")
    assert list(tmp_path.iterdir()) == []
    file = tmp_path / "file"
    file.touch()
    assert machine._writable(file / "below").status == "fail"
    assert machine._shared_memory(10**9, tmp_path).status == "warn"
    assert machine._shared_memory(1, tmp_path).status == "ok"
    assert machine._shared_memory(1, tmp_path / "absent").status == "warn"
    assert machine._disk(tmp_path / "new").name == "disk"

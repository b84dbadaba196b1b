"""make, CI and the environment: what a newcomer types works, and is what CI does."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TARGETS = (
    "help", "setup", "services", "web", "demo", "test", "check", "lint", "unit", "bench", "chaos",
    "cluster", "soak", "fuzz", "property", "wheel", "docs", "lock", "clean",
)  # fmt: skip


def _run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        # Without what a make around these tests has told its children.
        env={**os.environ, "MAKEFLAGS": "", "MAKELEVEL": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, dict]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


def _wanted(project: dict[str, dict], group: str) -> dict[str, Requirement]:
    lists = {
        "run": project["project"]["dependencies"],
        "dev": project["dependency-groups"]["dev"],
        **project["project"]["optional-dependencies"],
    }
    wanted = [Requirement(line) for line in lists[group]]
    return {canonicalize_name(requirement.name): requirement for requirement in wanted}


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_the_target(repository: Path, target: str) -> None:
    done = _run("make", "-n", target, cwd=repository)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_help_is_the_default_and_names_every_target_for_people(repository: Path) -> None:
    done = _run("make", cwd=repository)
    assert done.returncode == 0
    listed = re.findall(r"^  make (\w+)  +\S", done.stdout, re.MULTILINE)
    assert listed == [name for name in TARGETS if name not in {"lint", "unit"}]


def test_make_test_sets_everything_up_first(repository: Path) -> None:
    steps = _run("make", "-n", "-B", "test", cwd=repository).stdout
    order = [steps.index(step) for step in ("-m venv", "pip install", "fetch.py", "-m pytest")]
    assert order == sorted(order)
    extras = "[bigquery,embedded,mongodb,plot,postgres,redis,s3,snowflake,spark]"
    assert extras in steps, "the demo's broker belongs to the set-up"


def test_ci_runs_what_people_run(repository: Path) -> None:
    script = repository / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    assert _run("bash", "-n", str(script), cwd=repository).returncode == 0
    lines = script.read_text(encoding="utf-8").splitlines()
    assert "export CI=true" in lines
    assert lines[-1].startswith("make test "), "its last line is to be pytest's"


def test_a_python_that_is_too_old_is_refused_with_advice(repository: Path, tmp_path: Path) -> None:
    old = tmp_path / "python-old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    find = str(repository / ".ci" / "find-python")
    for done in (
        _run(find, str(old), cwd=tmp_path),
        _run("/bin/sh", find, cwd=tmp_path, PATH=str(tmp_path)),
    ):
        assert done.returncode == 1
        assert not done.stdout
        assert "Python 3.11" in done.stderr
        assert "make setup PYTHON=" in done.stderr


def test_a_python_that_will_do_is_found(repository: Path, tmp_path: Path) -> None:
    find = str(repository / ".ci" / "find-python")
    real = os.path.realpath(sys.executable)
    assert _run(find, real, cwd=tmp_path).stdout.strip() == real


def test_the_lock_pins_everything_within_the_ranges(
    repository: Path, project: dict[str, dict]
) -> None:
    lines = (repository / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
    pins = {}
    for line in lines:
        if line.startswith("#"):
            continue
        found = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)", line)
        assert found, f"a plain pin was expected: {line}"
        pins[canonicalize_name(found[1])] = found[2]
    wanted = {
        name: requirement
        for group in ("run", *project["project"]["optional-dependencies"], "dev")
        for name, requirement in _wanted(project, group).items()
    }
    for name, requirement in wanted.items():
        assert pins.get(name), f"{name} is not in the lock: make lock"
        assert requirement.specifier.contains(pins[name]), f"{name} {pins[name]}: make lock"


def test_every_dependency_has_its_reason(repository: Path, project: dict[str, dict]) -> None:
    page = (repository / "docs" / "dependencies.md").read_text(encoding="utf-8")
    run, _, development = page.partition("For development:")

    def rows(text: str) -> set[str]:
        cells = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
        return {canonicalize_name(name) for cell in cells for name in re.findall(r"`(.+?)`", cell)}

    groups = ("run", *project["project"]["optional-dependencies"])
    assert rows(run) == {name for group in groups for name in _wanted(project, group)}
    assert rows(development) == set(_wanted(project, "dev"))


def test_the_licence_is_the_one_that_is_named(repository: Path, project: dict[str, dict]) -> None:
    assert project["project"]["license"] == "Apache-2.0"
    text = (repository / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text

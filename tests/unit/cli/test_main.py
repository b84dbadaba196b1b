from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pbf_ray.cli import main as main_module
from pbf_ray.cli.config import config_command
from pbf_ray.errors import BrokerUnavailableError, PbfRayError

HEAVY = {
    "ray", "numba", "numpy", "pyarrow", "polars", "pandas", "confluent_kafka", "deltalake",
    "llvmlite", "fastapi",
}  # fmt: skip


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["config", "show"],
        ["config", "check", "--json"],
        *[[name, "--help"] for name in main_module._COMMANDS],
        ["topics", "create", "--help"],
    ],
    ids=" ".join,
)
def test_the_command_line_is_light(args: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pbf_ray.cli.main import cli\n"
        f"cli.main({args!r}, prog_name='pbf-ray', standalone_mode=False)\n"
        f"print('loaded:', sorted({HEAVY!r} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "loaded: []"
    assert len(done.stdout.splitlines()) > 1


def test_help_names_every_command_and_exit_code(run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name in ("demo", "topics", "simulate", "replay", "stream", "results", "config", "doctor"):
        assert f"\n  {name} " in result.stdout
    for code in (0, 1, 2, 130):
        assert f"\n  {code} " in result.stdout


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["config", "check"], 0, ""),
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["config", "show", "--nonsense"], 2, "No such option"),
        (["config", "show", "streem"], 2, "there is no section streem"),
        (["--set", "stream.mode", "config", "check"], 2, "write --set key=value"),
        (["--set", "stream.mode=sloppy", "config", "check"], 1, "should be 'watermark'"),
        (["--set", "stream.mod=strict", "config", "check"], 1, "did you mean stream.mode?"),
        (["--config", "no.toml", "config", "check"], 1, "no.toml: there is no such file"),
        (["topics", "describe"], 2, "Missing argument"),
        (["simulate", "--layers", "0"], 2, "--layers"),
        (["simulate", "--rate", "fast"], 2, "positive number or max"),
        (["simulate", "--rate", "5", "--speed", "1"], 2, "not both"),
        (["replay", "no.log", "--mapping", "no.toml"], 2, "does not exist"),
        (["stream", "--mode", "sloppy"], 2, "'sloppy' is not one of"),
        (["results", "everything"], 2, "'everything' is not one of"),
        (["results", "books", "--out", "x.csv"], 2, "books"),
        (["results", "--job", "nobody"], 1, "job nobody has written nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_exit_codes(run, args: list[str], code: int, said: str) -> None:
    result = run(*args)
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert "Traceback" not in result.output


class Raises:
    """Makes ``config check`` raise."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, *_args: object, **_options: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (
            BrokerUnavailableError("broker:9092", "refused", waited_s=3),
            1,
            [
                "pbf-ray: no Kafka broker answers at broker:9092 for 3 s: refused",
                "  to do: check that the broker runs and that kafka.bootstrap_servers is right",
            ],
        ),
        (PbfRayError("no advice"), 1, ["pbf-ray: no advice"]),
        (KeyboardInterrupt(), 130, ["", "pbf-ray: interrupted"]),
        (click.exceptions.Exit(3), 3, []),
        (
            ZeroDivisionError("division by zero"),
            1,
            [
                "pbf-ray: ZeroDivisionError: division by zero",
                "  to do: unexpected: pbf-ray --debug ... shows where; please report it",
            ],
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_errors_are_lines_without_a_traceback(
    run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, lines: list[str]
) -> None:
    monkeypatch.setattr(config_command.commands["check"], "callback", Raises(error))
    result = run("config", "check")
    assert result.exit_code == code
    assert result.stderr.splitlines() == lines
    assert result.stdout == ""


def test_an_error_is_json_for_a_program(run) -> None:
    result = run("--set", "stream.mod=strict", "config", "check", "--json")
    assert result.exit_code == 1
    (line,) = result.stdout.splitlines()
    error = json.loads(line)["error"]
    assert error["type"] == "SettingError"
    assert error["key"] == "stream.mod"
    assert error["source"] == "command line --set"
    assert error["advice"] == "did you mean stream.mode?"
    assert "stream.mod" in result.stderr


def test_debug_shows_the_traceback() -> None:
    code = (
        "from pbf_ray.cli.main import cli\n"
        "cli.main(['--debug', '--set', 'stream.mod=x', 'config', 'check'], prog_name='pbf-ray')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "SettingError" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    # Closing the reading end first makes the first write fail, however fast the other side is.
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from pbf_ray.cli.main import main; main()", "config", "show"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
        )
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert done.stderr == ""

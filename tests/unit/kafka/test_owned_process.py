"""A child that never outlives its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pbf_ray.kafka.owned_process import OwnedProcess

SLEEP = ["sleep", "300"]

DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(300)
"""

OWNER = """
import sys, time
from pathlib import Path
from pbf_ray.kafka.owned_process import OwnedProcess
child = OwnedProcess(["sleep", "300"], log_path=Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(300)
"""


def is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone_within(pid: int, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while is_there(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_there(pid)


def test_the_child_dies_with_an_owner_that_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        assert is_there(child)
    finally:
        owner.kill()
        owner.communicate()
    assert gone_within(child, 20)


def test_the_child_survives_the_thread_that_started_it(tmp_path: Path) -> None:
    child = OwnedProcess(SLEEP, log_path=tmp_path / "log")
    starter = threading.Thread(target=child.start)
    starter.start()
    starter.join()
    try:
        # The kernel would deliver the signal at once; a moment is enough to see that it does not.
        assert not gone_within(child.pid, 0.3)
        assert child.running
        assert child.exit_code is None
    finally:
        child.kill()
    assert not child.running
    assert child.exit_code == -signal.SIGKILL


def test_stop_asks_first_and_kills_later(tmp_path: Path) -> None:
    polite = OwnedProcess(SLEEP, log_path=tmp_path / "polite")
    polite.start()
    polite.stop()
    assert polite.exit_code == -signal.SIGTERM
    deaf = OwnedProcess(
        [
            sys.executable,
            "-c",
            DEAF,
        ],
        log_path=tmp_path / "deaf",
    )
    deaf.start()
    while "deaf" not in deaf.log_tail():
        assert deaf.running
        time.sleep(0.01)
    deaf.stop(grace_s=0.2)
    assert deaf.exit_code == -signal.SIGKILL
    deaf.stop()


def test_output_goes_to_the_log_and_the_exit_code_is_told(tmp_path: Path) -> None:
    script = "import os, sys; print(os.environ['WHO'], os.getcwd()); sys.exit(3)"
    child = OwnedProcess(
        [sys.executable, "-c", script],
        log_path=tmp_path / "log",
        env={**os.environ, "WHO": "me"},
        cwd=tmp_path,
    )
    child.start()
    assert child.wait(30) == 3
    assert child.log_tail() == f"me {tmp_path}"


def test_a_program_that_is_not_there_ends_at_once_and_says_so(tmp_path: Path) -> None:
    child = OwnedProcess(["no-such-program"], log_path=tmp_path / "log")
    child.start()
    assert child.wait(30) == 1
    assert "FileNotFoundError" in child.log_tail()
    with pytest.raises(RuntimeError, match="already started"):
        child.start()


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        OwnedProcess(SLEEP, log_path=tmp_path / "no" / "folder").start()

"""A child process that never outlives its owner.

The kernel sends the child a signal when the *thread* that started it ends (PR_SET_PDEATHSIG), so
a thread of its own starts the child and stays with it. The request is made between fork and exec
by a small interpreter of its own: Python code in a forked child of a threaded process can hang.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

__all__ = ["OwnedProcess"]

# argv: owner's pid, signal, program, its arguments. getppid shows an owner that died before prctl.
_LAUNCH = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(1, int(sys.argv[2]), 0, 0, 0) != 0:
    raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class OwnedProcess:
    """Runs a command in the background; its output goes to a log file.

    The child has a session of its own: Ctrl-C in a terminal reaches the owner only, which then
    stops the child in its own order.

    Args:
        command: Program (looked up on PATH) and arguments.
        log_path: File that takes stdout and stderr, appended to.
        env: The child's whole environment; None inherits.
        cwd: Working folder of the child; None inherits.
        death_signal: What the child gets when its owner dies. SIGKILL is sure; SIGTERM is for
            a child that must save something and is known to end on it.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.log_path = log_path
        self._command = list(command)
        self._env = None if env is None else dict(env)
        self._cwd = cwd
        self._death_signal = death_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self._started = threading.Event()
        self._keeper: threading.Thread | None = None

    def start(self) -> None:
        """Start the child; return as soon as the kernel has it.

        Raises:
            OSError: If it cannot be started.
        """
        if self._keeper is not None:
            raise RuntimeError(f"{self._command[0]} was already started")
        self._keeper = threading.Thread(
            target=self._keep, name=f"keeper-{Path(self._command[0]).name}", daemon=True
        )
        self._keeper.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    def _keep(self) -> None:
        try:
            with self.log_path.open("ab") as log:
                self._process = self._spawn(log)
        except OSError as error:
            self._failure = error
            return
        finally:
            self._started.set()
        self._process.wait()

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        interpreter = [sys.executable, "-I", "-S", "-c", _LAUNCH]
        return subprocess.Popen(
            [*interpreter, str(os.getpid()), str(int(self._death_signal)), *self._command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=self._env,
            cwd=self._cwd,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process id.

        Raises:
            RuntimeError: If the child was never started.
        """
        if self._process is None:
            raise RuntimeError(f"{self._command[0]} is not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code (negative: the signal that ended it), None while it runs."""
        return None if self._process is None else self._process.returncode

    @property
    def running(self) -> bool:
        """Whether the child is alive."""
        return self._keeper is not None and self._keeper.is_alive()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait until the child has ended; its exit code, or None if it still runs."""
        if self._keeper is not None:
            self._keeper.join(timeout_s)
        return None if self.running else self.exit_code

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Ask the child to end (SIGTERM), and kill it if it has not after ``grace_s``."""
        self.send(signal.SIGTERM)
        self.wait(grace_s)
        self.kill()

    def kill(self) -> None:
        """End the child at once (SIGKILL) and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the child if it is alive."""
        # The keeper reaps, so the pid stays ours for as long as Popen has no return code.
        if self._process is not None and self.running:
            self._process.send_signal(number)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log, for error messages."""
        try:
            text = self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

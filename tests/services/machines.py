"""Machines for tests of a cluster, on this one: each with processes, network and mounts of its own.

A machine is a PID namespace with an sshd in it, behind a virtual network cable. What runs in it
sees neither the processes nor the loopback of the others, so ``ray stop`` there ends nothing here.
Folders that are shared are bind mounts, as a network file system would be. Needs root, ``ip``
(Debian: iproute2), ``unshare``, ``sshd`` and ``rsync``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Machine", "MachineNetwork", "machines_missing"]

_PROGRAMS = {"ip": "iproute2", "unshare": "util-linux", "sshd": "openssh-server", "rsync": "rsync"}

_BOOT = """\
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /mnt
mount -t tmpfs tmpfs /home
mkdir -p /run/sshd /run/keys /mnt/pbf /home/root
mount --bind {shared} /mnt/pbf
mount --bind {keys} /run/keys
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /var/tmp
mount -t tmpfs -o size={shm_mb}m tmpfs /dev/shm
sed 's#^root:\\([^:]*:[^:]*:[^:]*:[^:]*\\):[^:]*:#root:\\1:/home/root:#' /etc/passwd > /run/passwd
sed 's#^root:[^:]*:#root:*:#' /etc/shadow > /run/shadow
mount --bind /run/passwd /etc/passwd
mount --bind /run/shadow /etc/shadow
ln -s {environment} /home/root/pbf-env
hostname {name}
exec /usr/sbin/sshd -D -e -f /dev/null -h /run/keys/host_key -o ListenAddress={address} \
    -o AuthorizedKeysFile=/run/keys/key.pub -o StrictModes=no -o UsePAM=no -o PidFile=none \
    -o MaxSessions=50
"""


def machines_missing() -> str:
    """Why no machines can be made here; empty if they can."""
    if os.geteuid() != 0:
        return "namespaces need root"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    for program, package in _PROGRAMS.items():
        if shutil.which(program, path=path) is None:
            return f"{program} (Debian: {package}) is not on PATH"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if tried.returncode == 0 else f"no namespaces: {tried.stderr.strip()}"


class Machine:
    """One machine; made by ``MachineNetwork.machine``."""

    def __init__(self, name: str, address: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.address = address
        self._process = process

    def kill(self) -> None:
        """SIGKILL of everything in it, as when the power goes."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in children.read_text().split():
                os.kill(int(child), signal.SIGKILL)  # its first process: the kernel ends the rest
        self._process.kill()
        self._process.wait(30)


class MachineNetwork:
    """A network of machines, and of this one at ``gateway``.

    Args:
        environment: Folder of the Python environment, which machines see as ``~/pbf-env``.
        subnet: First three parts of the addresses.

    Attributes:
        shared: What machines see as ``/mnt/pbf``.
        key: Private SSH key that opens them.
    """

    def __init__(self, environment: Path, *, subnet: str = "10.77.0") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pbf-machines-"))
        self.shared = self.folder / "shared"
        self.shared.mkdir()
        self._keys = self.folder / "keys"
        self._keys.mkdir(mode=0o700)
        self.key = self._keys / "key"
        self.gateway = f"{subnet}.1"
        self._environment = environment
        self._subnet = subnet
        self._bridge = f"pbf{os.getpid() % 10**6}"
        self._machines: list[Machine] = []
        self._made = 0

    def __enter__(self) -> Self:
        for name in ("key", "host_key"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._keys / name))
        _run("ip", "link", "add", self._bridge, "type", "bridge")
        _run("ip", "address", "add", f"{self.gateway}/24", "dev", self._bridge)
        _run("ip", "link", "set", self._bridge, "up")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for machine in self._machines:
            machine.kill()
        for number in range(1, self._made + 1):
            # By itself the cable goes only when the kernel has cleared the space away.
            _run("ip", "link", "delete", f"{self._bridge}v{number}")
            _run("ip", "netns", "delete", self._space(number))
        _run("ip", "link", "delete", self._bridge)
        shutil.rmtree(self.folder, ignore_errors=True)

    def machine(self, *, shm_mb: int = 400) -> Machine:
        """Switch a new machine on; it takes SSH when this returns."""
        self._made += 1
        number, space = self._made, self._space(self._made)
        address = f"{self._subnet}.{10 + number}"
        inside, outside = f"{self._bridge}i", f"{self._bridge}v{number}"
        _run("ip", "netns", "add", space)
        _run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", space)
        _run("ip", "link", "set", outside, "master", self._bridge, "up")
        within = ("ip", "-n", space)
        _run(*within, "address", "add", f"{address}/24", "dev", inside)
        _run(*within, "link", "set", inside, "up")
        _run(*within, "link", "set", "lo", "up")
        _run(*within, "route", "add", "default", "via", self.gateway)
        boot = _BOOT.format(
            shm_mb=shm_mb,
            shared=self.shared,
            environment=self._environment,
            name=f"machine-{number}",
            keys=self._keys,
            address=address,
        )
        log = (self.folder / f"machine-{number}.log").open("wb")
        with log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", space, "unshare", "--pid", "--fork", "--mount", "--uts",
                 "--ipc", "--mount-proc", "--kill-child", "bash", "-c", boot],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip
        made = Machine(f"machine-{number}", address, process)
        self._machines.append(made)
        self._await_ssh(made, process)
        return made

    def run(self, machine: Machine, command: str, *, timeout_s: float = 300.0) -> str:
        """Run a shell command on a machine through SSH; its output, errors included.

        Raises:
            RuntimeError: It ended with another code than 0.
        """
        done = subprocess.run(
            ["ssh", "-i", str(self.key), "-o", "StrictHostKeyChecking=no", "-o",
             "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", f"root@{machine.address}",
             command],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{machine.name}: {command}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def _space(self, number: int) -> str:
        return f"{self._bridge}-{number}"

    def _await_ssh(self, machine: Machine, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection((machine.address, 22), 1):
                return
            log = (self.folder / f"{machine.name}.log").read_text(errors="replace")
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{machine.name} does not start: {log}")
            time.sleep(0.05)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")

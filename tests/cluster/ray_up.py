"""``ray up`` with the shipped file on machines of a test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from services.machines import Machine, MachineNetwork
from support.pages import REPOSITORY

__all__ = ["ON_HEAD", "ray_up"]

ON_HEAD = (
    "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=~/.pbf-ray/token "
    "RAY_ADDRESS=http://127.0.0.1:8265 PATH=~/pbf-env/bin:$PATH; cd /tmp; "
)
"""Before commands on the head, as docs/cluster.md has it."""

_SHIPPED = REPOSITORY / "cluster.yaml"
_STORE_BYTES = 150_000_000


def ray_up(
    network: MachineNetwork, head: Machine, workers: Sequence[Machine], *arguments: str
) -> str:
    """Run ``ray up`` as an administrator does, with the lines changed that the file says to change.

    The environment is there already, so nothing is installed; and the object stores are small.

    Args:
        network: Where the machines are.
        head: The machine that coordinates.
        workers: The others.
        arguments: Further ones of ``ray up``.

    Returns:
        What it printed.

    Raises:
        RuntimeError: It failed.
    """
    home = network.folder / "administrator"
    home.mkdir(exist_ok=True)
    token = home / "token"
    if not token.exists():
        token.write_text("0123456789abcdef" * 4, encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load(_SHIPPED.read_text(encoding="utf-8"))
    config["provider"] |= {
        "head_ip": head.address,
        "worker_ips": [worker.address for worker in workers],
    }
    config["auth"] = {"ssh_user": "root", "ssh_private_key": str(network.key)}
    config["min_workers"] = config["max_workers"] = len(workers)
    config["file_mounts"] = {"~/.pbf-ray/token": str(token)}
    config["setup_commands"] = [
        command for command in config["setup_commands"] if "pip install" not in command
    ]
    for role in ("head", "worker"):
        config[f"{role}_start_ray_commands"] = [
            command.replace(
                "--object-store-memory=1000000000", f"--object-store-memory={_STORE_BYTES}"
            ).replace("--object-store-memory=2000000000", f"--object-store-memory={_STORE_BYTES}")
            for command in config[f"{role}_start_ray_commands"]
        ]
    file = home / "cluster.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ray"),
            "up",
            "--yes",
            "--no-config-cache",
            *arguments,
            file,
        ],
        env={
            **os.environ,
            "HOME": str(home),
            "RAY_TMPDIR": str(home / "ray"),
            "RAY_USAGE_STATS_ENABLED": "0",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"ray up: {done.stdout}")
    return done.stdout

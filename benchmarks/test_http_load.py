"""50 clients on builds and layers while the stream runs: how long they wait, and how many fail."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from benchmarks.comparison import recorded

CLIENTS = 50
SECONDS = float(os.environ.get("HTTP_LOAD_SECONDS", "60"))
PAUSE_S = 0.5
"""Between two requests of a client: a page asks when an event tells it to."""
AT_ONCE_S = 10.0


@dataclass
class Waited:
    """What clients saw."""

    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    changed: int = 0


@contextmanager
def _running(*arguments: str, cwd: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pbf_ray", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _load(address: str, seconds: float, pause_s: float) -> Waited:
    async def client(waited: Waited, number: int, until_s: float) -> None:
        paths = ("/api/v1/builds", "/api/v1/machines", "/api/v1/builds/{}/layers",
                 "/api/v1/builds/{}/layers/{}")  # fmt: skip
        tags: dict[str, str] = {}
        async with httpx2.AsyncClient(base_url=address, timeout=30) as session:
            builds = (await session.get("/api/v1/builds")).json()["items"]
            await asyncio.sleep(pause_s * number / CLIENTS)
            turn = number
            while time.perf_counter() < until_s:
                turn += 1
                build = builds[turn % len(builds)]
                path = paths[turn % len(paths)].format(build["build_id"], build["first_layer"])
                began_s = time.perf_counter()
                headers = {"If-None-Match": tags[path]} if path in tags else {}
                try:
                    answer = await session.get(path, headers=headers)
                except httpx2.TransportError as error:
                    waited.failed.append(repr(error))
                    continue
                waited.seconds.append(time.perf_counter() - began_s)
                if answer.status_code == 200:
                    waited.changed += 1
                    tags[path] = answer.headers["etag"]
                    assert answer.json()
                elif answer.status_code != 304:
                    waited.failed.append(f"{answer.status_code} {answer.text[:100]}")
                await asyncio.sleep(pause_s)

    async def all_clients() -> Waited:
        waited = Waited()
        until_s = time.perf_counter() + seconds
        await asyncio.gather(*(client(waited, number, until_s) for number in range(CLIENTS)))
        return waited

    return asyncio.run(all_clients())


def test_fifty_clients_while_the_stream_runs(tmp_path: Path) -> None:
    with recorded("http_load", ("ray", "fastapi", "uvicorn")) as results:
        _measure(tmp_path, results)


def _measure(tmp_path: Path, results: dict[str, Any]) -> None:
    demo = ("demo", "--json", "--no-serve", f"--seconds={SECONDS + 90}", "--layers=60")
    with _running(*demo, cwd=tmp_path) as stream:
        job = _until(lambda: next(iter(tmp_path.glob("pbf-data/demo-*/lake")), None)).parent.name
        serve = ("serve", "--job", job, "--port", "0", "--json", "--set=http.requests_per_s=5000")
        with _running(*_globals_first(serve), cwd=tmp_path) as server:
            assert server.stdout is not None
            address = json.loads(server.stdout.readline())["address"]
            with httpx2.Client(base_url=address, timeout=30) as client:
                _until(lambda: client.get("/api/v1/builds").json()["items"])
                before = client.get("/api/v1/pipeline").json()
            paced = _load(address, SECONDS, PAUSE_S)
            at_once = _load(address, AT_ONCE_S, 0.0)
            with httpx2.Client(base_url=address, timeout=30) as client:
                after = client.get("/api/v1/pipeline").json()
        assert stream.poll() is None, "the stream has ended too early"
    proxy = "HAProxy" if os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1" else "default proxy"
    for what, waited, over_s in (
        ("a request every 0.5 s each", paced, SECONDS),
        ("without a pause", at_once, AT_ONCE_S),
    ):
        p50_ms, p99_ms = np.quantile(waited.seconds, (0.5, 0.99)) * 1e3
        name = f"{CLIENTS} clients, {what}, {proxy}: p50 {p50_ms:.0f} ms, p99 {p99_ms:.0f} ms"
        rate = round(len(waited.seconds) / over_s, 1)
        results[name] = {"requests_per_s": rate, "failed": len(waited.failed)}
        print(name, results[name])
    assert after["epoch"] > before["epoch"], "the stream stood still"
    assert paced.failed == []
    assert paced.changed > CLIENTS


def _globals_first(arguments: tuple[str, ...]) -> list[str]:
    found = [argument for argument in arguments if argument.startswith("--set=")]
    return [*found, *(argument for argument in arguments if argument not in found)]


def _until(condition: Any, patience_s: float = 120.0) -> Any:
    deadline_s = time.monotonic() + patience_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline_s
        time.sleep(0.1)

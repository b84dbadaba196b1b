"""Results over HTTP from a real Ray Serve, while the job runs and after; replicas that die."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import httpx2
import pytest
import ray

from pbf_ray import PbfRayError, Results
from pbf_ray.http.serving import usable_port
from support.http_hall import Hall

PATIENCE_S = 120.0


def _until_finished(lines: Any) -> list[tuple[str, dict[str, Any]]]:
    events, kind = [], ""
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            events.append((kind, json.loads(line.removeprefix("data: "))))
            if events[-1][1].get("state") == "finished":
                break
    return events


def test_a_job_is_seen_live_and_whole_at_its_end(hall: Hall) -> None:
    with hall.client() as client, client.stream("GET", "/api/v1/events") as stream:
        hall.demo.start()
        events = _until_finished(stream.iter_lines())
    kinds = [kind for kind, _ in events]
    assert "epoch" in kinds
    assert {"running"} <= {data["verdict"] for kind, data in events if kind == "status"}
    layers = {
        layer
        for kind, data in events
        if kind == "epoch"
        for build in data["builds"]
        for layer in build["layers"]
    }
    assert layers == {0, 1, 2, 3}
    assert hall.demo.wait(PATIENCE_S) is not None
    results = Results(hall.settings)
    deadline = time.monotonic() + PATIENCE_S
    with hall.client() as client:
        while True:
            (build,) = client.get("/api/v1/builds").json()["items"]
            if build["layers_closed"] == 4 or time.monotonic() > deadline:
                break
        assert build["records"] == results.count("ispm_monitoring")
        assert (build["build_id"], build["planned_layers"]) == ("M01-B001", 4)
        assert client.get("/api/v1/builds/M01-B001/layers/0/vectors").json()["geometries"] > 0
        for path, table in (
            ("anomalies", "ispm_anomalies"),
            ("dead-letters", "dead_letters"),
            ("late-records", "late_records"),
        ):
            assert client.get(f"/api/v1/{path}").json()["total"] == results.count(table)
        rows = client.get("/api/v1/builds/M01-B001/layers").json()["columns"]
        written = results.polars("layer_quality").sort("layer")
        for name in ("n", "temperature_avg", "laser_power_std", "quality_score"):
            assert rows[name] == written[name].to_list()
        series = client.get("/api/v1/series?fields=temperature&build=M01-B001&points=200").json()
        assert series["rows"] == build["records"]
        assert len(series["series"][0]["value"]) <= 200
        up = f'pbf_ray_up{{job="{hall.settings.job.name}"}} 0.0'
        assert up in client.get("/metrics").text


def test_tokens_and_limits_over_sockets(hall: Hall) -> None:
    with httpx2.Client(base_url=hall.address) as stranger:
        refused = stranger.get("/api/v1/machines")
        assert refused.status_code == 401
        assert refused.headers["content-type"] == "application/problem+json"
        assert stranger.get("/healthz").status_code == 200
        wrong = {"Host": "evil.example"}
        assert stranger.get("/api/v1/machines", headers=wrong).status_code == 421
    with hall.client() as client:
        large = client.post(
            "/api/v1/score",
            content=iter([b" " * 2**20] * 2),
            headers={"Content-Type": "application/json"},
        )
        assert large.status_code == 413
        tag = client.get("/api/v1/machines").headers["etag"]
        same = client.get("/api/v1/machines", headers={"If-None-Match": tag})
        assert same.status_code == 304


def test_a_replica_that_is_killed_costs_at_most_a_repeated_request(hall: Hall) -> None:
    stop = threading.Event()
    failures: list[str] = []
    answered = [0, 0, 0, 0]

    def ask(number: int) -> None:
        with hall.client() as client:
            while not stop.is_set():
                for attempt in range(20):
                    try:
                        answer = client.get("/api/v1/machines")
                    except httpx2.TransportError as error:
                        told = repr(error)
                    else:
                        told = f"{answer.status_code} {answer.text[:200]}"
                        if answer.status_code == 200:
                            answered[number] += 1
                            break
                        if answer.status_code not in {500, 502, 503}:
                            attempt = 99
                    if attempt >= 19:
                        failures.append(told)
                        return
                    stop.wait(0.2)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        _wait(lambda: min(answered) >= 10 or failures)
        ray.kill(ray.get_actor(_replicas()[0], namespace="serve"))
        before = list(answered)
        _wait(lambda: min(a - b for a, b in zip(answered, before, strict=True)) >= 50 or failures)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    _wait(lambda: len(_replicas()) == 2)


def _replicas() -> list[str]:
    actors = ray.util.list_named_actors(all_namespaces=True)
    return [actor["name"] for actor in actors if actor["name"].startswith("SERVE_REPLICA::")]


def _wait(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_port_that_is_taken_is_an_error_or_another_one_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PbfRayError, match=f"127.0.0.1 port {port}") as caught:
            usable_port("127.0.0.1", port, or_any=False)
        assert "--port" in caught.value.advice
        assert usable_port("127.0.0.1", port, or_any=True) not in {0, port}

"""What is too much is refused, with a word on when to come again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from pbf_ray.http.limits import Admission, BodyLimit, RateLimit
from support.http_results import WrittenJob


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def test_a_caller_that_asks_too_often_waits() -> None:
    clock = Clock()
    client = TestClient(RateLimit(_answer, per_s=5, clock=clock))
    assert [client.get("/x").status_code for _ in range(10)] == [200] * 10
    refused = client.get("/x")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert client.get("/healthz").status_code == 200
    clock.now_s += 0.4
    assert [client.get("/x").status_code for _ in range(3)] == [200, 200, 429]
    clock.now_s += 1000
    assert [client.get("/x").status_code for _ in range(11)] == [200] * 10 + [429]


@pytest.mark.parametrize("told", [True, False])
def test_a_body_that_is_too_large_is_refused(job: WrittenJob, connect, told: bool) -> None:
    client = connect(job, max_body_bytes=1000)
    body = b'{"records":[' + b" " * 2000 + b"{}]}"
    content: Any = body if told else iter([body[:500], body[500:]])
    answer = client.post(
        "/api/v1/score", content=content, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["type"][-9:]) == (413, "too-large")
    small = client.post("/api/v1/score", json={"records": [{}]})
    assert small.status_code == 200


def test_an_upload_that_is_too_large_is_refused(job: WrittenJob, connect) -> None:
    client = connect(job, max_upload_bytes=1000)
    answer = client.post("/api/v1/builds/parse", content=iter([b"x" * 600] * 2))
    assert (answer.status_code, answer.json()["status"]) == (413, 413)


def test_body_limits_leave_other_errors_alone() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        TestClient(BodyLimit(failing, most=10, most_upload=10)).post("/x", content=b"1")


def test_so_many_run_so_many_wait_and_the_rest_is_sent_away() -> None:
    app = FastAPI()
    running = most = 0
    go = asyncio.Event()

    @app.get("/x")
    async def slow() -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1
        return "ok"

    limited = Admission(app, running=2, waiting=3, timeout_s=60)
    answers: list[tuple[int, dict[bytes, bytes]]] = []

    async def ask() -> None:
        async def receive() -> Any:
            await asyncio.sleep(3600)

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answers.append((message["status"], dict(message["headers"])))

        scope = {
            "type": "http", "method": "GET", "path": "/x", "raw_path": b"/x", "query_string": b"",
            "headers": [], "http_version": "1.1", "scheme": "http", "server": ("localhost", 1),
            "client": ("1.2.3.4", 5), "root_path": "", "asgi": {"version": "3.0"},
        }  # fmt: skip
        await limited(scope, receive, send)

    async def all_of_them() -> None:
        asked = [asyncio.create_task(ask()) for _ in range(8)]
        while len(answers) < 3 or running < 2:
            await asyncio.sleep(0)
        assert [status for status, _ in answers] == [503] * 3
        assert answers[0][1][b"retry-after"] == b"1"
        go.set()
        await asyncio.gather(*asked)

    asyncio.run(all_of_them())
    assert [status for status, _ in answers[3:]] == [200] * 5
    assert most == 2


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    app = FastAPI()

    @app.get("/x")
    async def never() -> None:
        await asyncio.sleep(3600)

    with TestClient(Admission(app, running=1, waiting=1, timeout_s=0.05)) as client:
        for _ in range(3):  # its place is free again
            answer = client.get("/x")
            assert answer.status_code == 503
            assert "no answer within" in answer.json()["detail"]
            assert answer.headers["retry-after"] == "1"


def test_clients_that_go_at_once_leave_their_place() -> None:
    limited = Admission(_answer, running=1, waiting=1, timeout_s=60)
    scope = {"type": "http", "path": "/x", "headers": []}
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def come_and_go() -> None:
        for _ in range(10):
            asked = asyncio.ensure_future(limited(scope, send, send))
            await asyncio.sleep(0)  # it has begun, what it has started has not
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        statuses.clear()
        await limited(scope, send, send)

    asyncio.run(come_and_go())
    assert statuses == [200]

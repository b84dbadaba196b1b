"""A small server of the page with canned data behind it: states that a real run seldom is in."""

from __future__ import annotations

import json
import queue
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from support.page_data import CannedApi, vectors_answer

__all__ = ["CONTENT_POLICY", "PageServer", "serve_canned"]

# What the real server sends: the page has to live with it.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_MOST = 10**9


class PageServer:
    """Serves the built page and canned data on loopback.

    Args:
        page: The folder of the built page.
        api: What it answers.
        token: Wanted with every request, if any.
    """

    def __init__(self, page: Path, api: CannedApi, token: str | None = None) -> None:
        self.page = page
        self.api = api
        self.token = token
        self.broken: dict[str, int] = {}
        """Paths that fail, by the status that they answer with."""
        self.asked: list[str] = []
        self._listeners: list[queue.Queue[str | None]] = []
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _QuietServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[PageServer]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.send(None)
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def send(self, text: str | None) -> None:
        """Give all streams of events this text; None ends them."""
        for listener in list(self._listeners):
            listener.put(text)

    def next_layer(self) -> None:
        """A layer more for the first build, and the event that tells so."""
        self.api.layers += 1
        self.api.epoch += 1
        build, layer = self.api.builds()[0], self.api.layers - 1
        told = {
            "epoch": self.api.epoch,
            "builds": [{"build_id": build, "layers": [layer - 1, layer]}],
            "anomalies": 400,
            "new_anomalies": 1,
            "dead_letters": 36,
            "late_records": 2,
        }
        self.send(_event("epoch", told, self.api.epoch))


def serve_canned(page: Path, told: Any, **data: Any) -> None:
    """Serve in this process until it is ended; the address goes to a queue.

    Args:
        page: The folder of the built page.
        told: Gets the address.
        data: Arguments of ``CannedApi``.
    """
    with PageServer(page, CannedApi(time.time(), **data)).running() as server:
        told.put(server.url)
        threading.Event().wait()


def _event(name: str, data: dict[str, Any], number: int) -> str:
    return f"event: {name}\nid: {number}\ndata: {json.dumps(data)}\n\n"


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that no longer wants an answer hangs up; all else is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    owner: PageServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Tests say what failed themselves."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if not parts.path.startswith("/api/v1/"):
            self._file(parts.path)
            return
        path = parts.path.removeprefix("/api/v1")
        self.owner.asked.append(f"{path}?{parts.query}")
        if not self._may(path):
            return
        if path == "/events":
            self._events()
            return
        answer = self._answer(
            [unquote(part) for part in path.strip("/").split("/")], dict(parse_qsl(parts.query))
        )
        if isinstance(answer, bytes):
            self._send(200, answer, "application/vnd.pbf-ray.vectors")
        elif answer is None:
            self._problem(404, "Not found", f"there is no {path}", "GET /api/v1/builds lists them")
        else:
            self._send(200, json.dumps(answer).encode())

    def do_POST(self) -> None:
        path = urlsplit(self.path).path.removeprefix("/api/v1")
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        api = self.owner.api
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        if not self._may(path):
            return
        if found := re.fullmatch(r"/alerts/(.+)/acknowledge", path):
            alert = next(one for one in api.alerts() if one["alert_id"] == unquote(found[1]))
            made = {
                "by": "local",
                "at": at,
                "comment": body.get("comment"),
                "count": alert["count"],
            }
            api.acknowledged.setdefault(alert["alert_id"], made)
            self._send(200, json.dumps({**alert, "acknowledged": made}).encode())
        elif found := re.fullmatch(r"/builds/(.+)/decisions", path):
            one = {
                "decision_id": len(api.decisions) + 1, "build_id": unquote(found[1]),
                "by": "local", "at": at, **body,
            }  # fmt: skip
            api.decisions.append(one)
            self._send(201, json.dumps(one).encode())
        else:
            self._problem(404, "Not found", path, "")
        self.owner.send(_event("ledger", {"seq": 1, "kind": "x", "subject": "x"}, api.epoch))

    def _may(self, path: str) -> bool:
        status = self.owner.broken.get(path)
        if status:
            self._problem(status, "It is broken", "the store does not answer", "Look at its log")
            return False
        wanted = self.owner.token
        if wanted and self.headers.get("Authorization") != f"Bearer {wanted}":
            self._problem(401, "Unauthorized", "a token is needed", "pbf-ray serve token add NAME")
            return False
        return True

    def _answer(self, parts: list[str], query: dict[str, str]) -> Any:
        api = self.owner.api
        first = int(query.get("first_layer", query.get("first", 0)))
        last = int(query.get("last_layer", query.get("last", _MOST)))
        match parts:
            case ["about"]:
                return api.about()
            case ["machines"]:
                return api.machine_list()
            case ["pipeline"]:
                return api.pipeline()
            case ["builds"]:
                return _page(
                    [api.build(one) for one in api.builds()] if api.machines else [], query
                )
            case ["series"]:
                fields = query["fields"].split(",")
                return api.series(fields, query["build"], first, last, int(query["points"]))
            case ["anomalies"]:
                rows = api.anomalies(query.get("build"), first, last)
                for name, field in (("type", "anomaly_type"), ("severity", "severity")):
                    rows = [row for row in rows if query.get(name) in (None, row[field])]
                return _page(rows, query)
            case ["alerts"]:
                state = query.get("state", "open")
                rows = [
                    one for one in api.alerts()
                    if state == "all" or (state == "open") == (one["acknowledged"] is None)
                ]  # fmt: skip
                return {**_page(rows, query), "open": api.open_alerts()}
            case ["dead-letters"]:
                return {**_page(_DEAD, query), "reasons": {"syntax": 30, "no_event_time": 6}}
            case ["late-records"]:
                rows = api.anomalies(query.get("build"), first, last)
                return _page(
                    [{**row, "watermark": row["timestamp"] + 3.5} for row in rows[:7]], query
                )
            case ["builds", build, *_] if build not in api.builds():
                return None
            case ["builds", build]:
                return api.build(build)
            case ["builds", build, "layers"]:
                return api.layer_rows(build, first, last)
            case ["builds", build, "layers", layer]:
                return api.layer(build, int(layer)) if int(layer) < api.layer_count(build) else None
            case ["builds", build, "layers", layer, "vectors"]:
                return vectors_answer(build, int(layer), api.vectors)
            case ["builds", build, "decisions"]:
                items = [one for one in api.decisions if one["build_id"] == build]
                return {
                    "items": items,
                    "current": list({one["part"]: one for one in items}.values()),
                }
        return None

    def _events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        mine: queue.Queue[str | None] = queue.Queue()
        self.owner._listeners.append(mine)
        status = {
            "verdict": "running", "state": "running", "epoch": self.owner.api.epoch, "lag": 212,
            "records_per_s": 8123.4, "healthy": True, "heartbeat_at": "2026-11-25T20:31:34.123456Z",
        }  # fmt: skip
        text: str | None = _event("status", status, self.owner.api.epoch)
        try:
            while text is not None:
                self.wfile.write(text.encode())
                self.wfile.flush()
                text = mine.get()
        except (BrokenPipeError, ConnectionResetError):
            self.owner._listeners.remove(mine)
        self.close_connection = True

    def _file(self, path: str) -> None:
        file = self.owner.page / path.lstrip("/")
        if not file.suffix or not file.is_file():
            file = self.owner.page / "index.html"
        self._send(200, file.read_bytes(), _TYPES[file.suffix])

    def _problem(self, status: int, title: str, detail: str, advice: str) -> None:
        told = {"title": title, "status": status, "detail": detail, "advice": advice}
        self._send(status, json.dumps(told).encode(), "application/problem+json")

    def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", CONTENT_POLICY)
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        self.wfile.write(body)


def _page(rows: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    start, limit = int(query.get("cursor", 0)), int(query.get("limit", 100))
    end = start + limit
    return {
        "items": rows[start:end],
        "next_cursor": str(end) if end < len(rows) else None,
        "total": len(rows),
    }


_DEAD = [
    {
        "record_key": f"dead-{n}",
        "topic": "ispm-monitoring",
        "partition": n % 12,
        "offset": 400 + n,
        "reason": "syntax" if n % 6 else "no_event_time",
        "detail": "a value was expected at byte 17",
        "kafka_timestamp": "2026-11-25T20:31:34.123Z",
        "processing_timestamp": "2026-11-25T20:31:35.123456Z",
        "epoch": 4,
        "value_text": '{"sensor_id": "M01-S1", "timestamp": ,}',
        "value_bytes": 283,
    }
    for n in range(36)
]

"""Live events: what is new, once, and from where a client left off."""

from __future__ import annotations

import asyncio

from pbf_ray.http.events import EventSource, event_stream
from pbf_ray.http.queries import Queries
from support.http_results import WrittenJob, record


def test_new_epochs_tell_which_layers_changed(job: WrittenJob) -> None:
    queries = Queries(job.settings)
    source = EventSource(queries)
    assert source.news() == []
    job.write(
        layer_quality=[{"build_id": "M02-B001", "layer": 1}],
        ispm_anomalies=[record("M02-B001", 4, 1.0, anomaly_type="x", severity="info")],
    )
    ((kind, data),) = source.news()
    assert kind == "epoch"
    assert (data["epoch"], data["anomalies"], data["new_anomalies"]) == (2, 5, 1)
    assert {"build_id": "M02-B001", "layers": [1, 4]} in data["builds"]
    assert source.news() == []


def test_a_client_that_comes_again_hears_what_it_missed(job: WrittenJob) -> None:
    queries = Queries(job.settings)
    source = EventSource(queries)
    source.news()
    left_off = source.id
    for layer in (1, 2):
        job.write(layer_quality=[{"build_id": "M02-B001", "layer": layer}])
    queries.decisions.decide("M02-B001", by="anna", disposition="hold", reason="x", part=None)
    queries.tokens.add("ben", "read", by="test")
    (_, epoch), (kind, entry) = EventSource.resumed(Queries(job.settings), left_off).news()
    assert {"build_id": "M02-B001", "layers": [1, 2]} in epoch["builds"]
    assert (kind, entry["kind"], entry["subject"]) == ("ledger", "decision.record", "M02-B001")
    for stranger in ("", "x", "1", "1.2.3", "9" * 40 + ".1"):
        assert EventSource.resumed(queries, stranger).news() == []


def test_the_status_comes_when_it_changes(job: WrittenJob) -> None:
    source = EventSource(Queries(job.settings))
    ((kind, status),) = source.status_news()
    assert (kind, status["verdict"], status["lag"]) == ("status", "running", 0)
    assert source.status_news() == []
    job.say("finished")
    ((_, status),) = source.status_news()
    assert status["verdict"] == "finished"


def test_a_stream_is_sse_and_ends_with_the_server(job: WrittenJob) -> None:
    from pbf_ray.http.app import create_app

    async def listen() -> tuple[bytes, int, int]:
        app = create_app(Queries(job.settings))
        state = app.state.server
        stream = event_stream(state, "0.0")
        heard = b""
        async for part in stream:
            heard += part
            if b"event: status" in heard:
                state.closing.set()
                during = state.listeners
        return heard, during, state.listeners

    heard, during, after = asyncio.run(asyncio.wait_for(listen(), 60))
    assert heard.startswith(b"retry: 2000\n\nid: 1.0\nevent: epoch\ndata: {")
    assert all(part.count(b"\ndata: ") == 1 for part in heard.split(b"\n\n")[1:-1])
    assert (during, after) == (1, 0)


def test_too_many_listeners_are_sent_away(job: WrittenJob, connect) -> None:
    client = connect(job, max_event_streams=1)
    client.app.state.server.listeners = 1
    answer = client.get("/api/v1/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")

"""Anomalies, late records and dead letters in pages; fields over time."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.errors import StoreUnavailableError
from pbf_ray.http.cursor import decode_cursor, encode_cursor
from pbf_ray.http.problems import ProblemError
from support.http_results import START_S, WrittenJob, record


def pages(client: TestClient, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        given_now = {**parameters, **({"cursor": cursor} if cursor else {})}
        answer = client.get(f"/api/v1{path}", params=given_now)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= parameters.get("limit", 100)
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


def test_anomalies_newest_first_with_filters(client: TestClient) -> None:
    items = pages(client, "/anomalies")
    assert [item["timestamp"] - START_S for item in items] == [102, 101, 100, 5]
    assert items[0]["machine_id"] == "M01"
    assert items[0]["processing_timestamp"] == "2026-01-02T03:04:05.678901Z"
    assert items[-1]["late"] is True
    for parameters, count in (
        ({"build": "M02-B001"}, 1),
        ({"severity": "critical"}, 3),
        ({"type": "low_laser_power"}, 1),
        ({"machine": "M01"}, 3),
        ({"sensor": "M02-S1"}, 1),
        ({"first_layer": 1, "last_layer": 1}, 3),
        ({"since": START_S + 101, "until": START_S + 102}, 1),
        ({"build": "nobody"}, 0),
    ):
        answer = client.get("/api/v1/anomalies", params=parameters).json()
        assert answer["total"] == len(answer["items"]) == count, parameters


def test_pages_hold_every_row_once_while_new_ones_come(job: WrittenJob, client: TestClient) -> None:
    ties = [
        record("M01-B001", 1, 2.0, anomaly_type="low_pressure", severity="warning")
        for _ in range(7)
    ]
    job.write(ispm_anomalies=ties)
    whole = pages(client, "/anomalies")
    first = client.get("/api/v1/anomalies?limit=3").json()
    newer = record("M01-B001", 3, 9.0, anomaly_type="low_pressure", severity="warning")
    job.write(ispm_anomalies=[newer])
    rest, cursor = [], first["next_cursor"]
    while cursor is not None:
        page = client.get("/api/v1/anomalies", params={"limit": 3, "cursor": cursor}).json()
        rest += page["items"]
        cursor = page["next_cursor"]
    assert first["items"] + rest == whole


def test_a_cursor_is_of_its_list(client: TestClient) -> None:
    cursor = client.get("/api/v1/anomalies?limit=1").json()["next_cursor"]
    for path in ("/anomalies?severity=critical", "/late-records?limit=1", "/alerts?", "/audit?",
                 "/builds?"):  # fmt: skip
        answer = client.get(f"/api/v1{path}&cursor={cursor}")
        assert answer.status_code == 400, path
        assert answer.json()["type"].endswith("bad-cursor")
    assert client.get("/api/v1/anomalies?cursor=nonsense").status_code == 400


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_cursors_of_strangers_are_refused(text: str) -> None:
    with pytest.raises(ProblemError, match="cursor"):
        decode_cursor(text, {"list": "x"}, (float, str))


@given(st.floats(allow_nan=False), st.text(max_size=20))
def test_cursors_come_back_as_they_went(moment: float, key: str) -> None:
    filters = {"list": "x", "build": key}
    cursor = encode_cursor([moment, key], filters)
    assert decode_cursor(cursor, filters, (float, str)) == [moment, key]


def test_dead_letters_show_the_beginning_of_their_value(client: TestClient) -> None:
    answer = client.get("/api/v1/dead-letters").json()
    assert answer["reasons"] == {"null_value": 1, "syntax": 1}
    shown = {item["reason"]: (item["value_text"], item["value_bytes"]) for item in answer["items"]}
    assert shown == {"syntax": ("\ufffd{", 2), "null_value": (None, None)}
    assert len(pages(client, "/dead-letters", limit=1)) == 2
    assert client.get("/api/v1/dead-letters?reason=syntax").json()["total"] == 1


def test_late_records_with_their_watermark(client: TestClient) -> None:
    (item,) = pages(client, "/late-records", build="M02-B001")
    assert (item["watermark"], item["sensor_id"]) == (START_S, "M02-S1")


def test_series_of_several_fields_with_limits(client: TestClient) -> None:
    answer = client.get(
        "/api/v1/series?fields=temperature,temperature_avg&build=M01-B001&points=20"
    ).json()
    assert answer["rows"] == 80
    temperature, average = answer["series"]
    assert temperature["downsampled"]
    assert len(temperature["value"]) <= 20
    assert (min(temperature["value"]), max(temperature["value"])) == (1600.0, 1609.0)
    assert temperature["timestamp"] == sorted(temperature["timestamp"])
    assert temperature["limits"][0]["threshold"] == 1700.0
    assert (average["unit"], average["limits"]) == ("degC", [])
    one = client.get("/api/v1/series?fields=pressure&sensor=M01-S2&first_layer=2&last_layer=2")
    assert one.json()["rows"] == 10
    assert set(one.json()["series"][0]["layer"]) == {2}
    some = client.get(
        "/api/v1/series", params={"fields": "pressure", "machine": "M01", "until": START_S + 5}
    )
    assert some.json()["rows"] == 10


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("fields=temperature", "too-wide"),
        ("fields=nonsense&build=M01-B001", "unknown-field"),
        ("fields=temperature&build=M01-B001&points=1", "bad-request"),
        ("fields=temperature&build=M01-B001&since=NaN", "bad-request"),
    ],
)
def test_series_that_are_refused(client: TestClient, query: str, kind: str) -> None:
    answer = client.get(f"/api/v1/series?{query}")
    assert answer.status_code == 422
    assert answer.json()["type"].endswith(kind)


def test_a_series_of_too_many_records_is_refused(job: WrittenJob, connect) -> None:
    client = connect(job, max_series_rows=30)
    answer = client.get("/api/v1/series?fields=temperature&build=M01-B001")
    assert (answer.status_code, answer.json()["type"][-16:]) == (422, "too-many-records")
    assert client.get("/api/v1/series?fields=temperature&build=M02-B001").status_code == 200


def test_rows_that_were_removed_are_gone(job: WrittenJob, client: TestClient) -> None:
    assert len(pages(client, "/anomalies")) == 4
    job.stores.clear("hall", 1)
    job.write(ispm_anomalies=[record("B", 0, 1.0, anomaly_type="x", severity="info")])
    assert [item["build_id"] for item in pages(client, "/anomalies")] == ["B"]


def test_what_was_read_before_a_failure_is_not_lost(
    job: WrittenJob, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(pages(client, "/anomalies")) == 4
    job.write(ispm_anomalies=[record("B", 0, 1.0, anomaly_type="x", severity="info")])

    def unreachable(*_: Any) -> None:
        raise StoreUnavailableError("lake", "is away")

    with monkeypatch.context() as broken:
        broken.setattr("pbf_ray.http.live_results.read_tail", unreachable)
        answer = client.get("/api/v1/anomalies")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert "lake" not in answer.text
        assert client.get("/readyz").status_code == 503
    assert len(pages(client, "/anomalies")) == 5
    assert client.get("/readyz").status_code == 200

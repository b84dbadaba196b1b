"""Alerts, decisions, and the audit of both."""

from __future__ import annotations

from fastapi.testclient import TestClient

from support.http_results import WrittenJob, record


def test_an_alert_is_seen_once_and_stays_seen(job: WrittenJob, client: TestClient, connect) -> None:
    inbox = client.get("/api/v1/alerts").json()
    assert inbox["open"] == {"critical": 1, "warning": 0, "info": 1}
    assert [item["severity"] for item in inbox["items"]] == ["critical", "info"]
    key = inbox["items"][0]["alert_id"]
    place = f"/api/v1/alerts/{key}/acknowledge"
    seen = client.post(place, json={"comment": "on it"}).json()
    assert (seen["acknowledged"]["by"], seen["acknowledged"]["count"]) == ("local", 3)
    assert client.post(place, json={"comment": "me too"}).json() == seen
    assert [a["severity"] for a in client.get("/api/v1/alerts").json()["items"]] == ["info"]
    machine = client.get("/api/v1/machines").json()["machines"][0]
    assert machine["open_alerts"]["critical"] == 0
    # It goes on: the same alert, still seen, and one can tell.
    more = record("M01-B001", 1, 3.0, anomaly_type="high_temperature", severity="critical")
    job.write(ispm_anomalies=[more])
    other_server = connect(job)
    (again,) = other_server.get("/api/v1/alerts?state=acknowledged").json()["items"]
    assert again["alert_id"] == key
    assert (again["count"], again["acknowledged"]["count"]) == (4, 3)


def test_alerts_in_pages(client: TestClient) -> None:
    whole = client.get("/api/v1/alerts?state=all").json()["items"]
    page = client.get("/api/v1/alerts?state=all&limit=1").json()
    rest = client.get(
        "/api/v1/alerts", params={"state": "all", "limit": 1, "cursor": page["next_cursor"]}
    ).json()
    assert page["items"] + rest["items"] == whole
    assert (page["total"], rest["next_cursor"]) == (2, None)
    assert client.get("/api/v1/alerts?build=M02-B001").json()["total"] == 1
    assert client.get("/api/v1/alerts?machine=M01&severity=info").json()["total"] == 0


def test_decisions_stay_and_the_last_counts(client: TestClient) -> None:
    place = "/api/v1/builds/M01-B001/decisions"
    for part, disposition in ((None, "hold"), ("P3", "scrap"), (None, "accept")):
        body = {"disposition": disposition, "reason": "looked at", "part": part}
        made = client.post(place, json=body)
        assert made.status_code == 201, made.text
    found = client.get(place).json()
    assert [item["disposition"] for item in found["items"]] == ["hold", "scrap", "accept"]
    assert [(i["part"], i["disposition"]) for i in found["current"]] == [
        (None, "accept"), ("P3", "scrap"),
    ]  # fmt: skip
    build = client.get("/api/v1/builds/M01-B001").json()
    assert build["disposition"] == found["items"][2]
    audit = client.get("/api/v1/audit").json()["items"]
    assert [entry["action"] for entry in audit] == ["decision.record"] * 3
    assert audit[0]["detail"]["disposition"] == "accept"
    page = client.get("/api/v1/audit?limit=2").json()
    rest = client.get("/api/v1/audit", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert page["items"] + rest["items"] == audit


def test_decisions_that_are_refused(client: TestClient) -> None:
    place = "/api/v1/builds/M01-B001/decisions"
    for body in (
        {"disposition": "burn", "reason": "x"},
        {"disposition": "hold", "reason": ""},
        {"disposition": "hold"},
        {"disposition": "hold", "reason": "x", "by": "somebody else"},
        {"disposition": "hold", "reason": "\0"},
    ):
        assert client.post(place, json=body).status_code == 422, body
    good = {"disposition": "hold", "reason": "x"}
    assert client.post("/api/v1/builds/nobody/decisions", json=good).status_code == 404
    assert client.post("/api/v1/alerts/nothing/acknowledge", json={}).status_code == 404
    assert client.get(place).json()["items"] == []


def test_a_form_of_another_page_decides_nothing(client: TestClient) -> None:
    # What browsers send across origins without asking first: no JSON content type.
    answer = client.post(
        "/api/v1/builds/M01-B001/decisions",
        content='{"disposition":"scrap","reason":"x"}',
        headers={"Content-Type": "text/plain"},
    )
    assert answer.status_code in {415, 422}
    assert client.get("/api/v1/builds/M01-B001/decisions").json()["items"] == []

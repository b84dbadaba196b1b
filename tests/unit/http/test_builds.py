"""Machines, builds and layers, as a client sees them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from pbf_ray.http.layer_rows import LAYER_COLUMNS
from pbf_ray.streaming.status import BuildStanding
from support.http_results import START_S, WrittenJob, record


def get(client: TestClient, path: str, **more: Any) -> Any:
    answer = client.get(f"/api/v1{path}", **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_machines_with_their_latest_build(client: TestClient) -> None:
    first, second = get(client, "/machines")["machines"]
    assert first == {
        "machine_id": "M01",
        "sensors": ["M01-S1", "M01-S2"],
        "build_id": "M01-B001",
        "phase": "active",
        "layer": 3,
        "planned_layers": None,
        "layers_closed": 3,
        "last_timestamp": START_S + 309,
        "quality_score": 0.9,
        "severity": "none",
        "anomalies": 3,
        "open_alerts": {"critical": 1, "warning": 0, "info": 0},
    }
    assert (second["machine_id"], second["layer"], second["severity"]) == ("M02", 0, "info")


def test_builds_newest_first_in_pages(client: TestClient) -> None:
    whole = get(client, "/builds")
    assert [build["build_id"] for build in whole["items"]] == ["M01-B001", "M02-B001"]
    assert whole["next_cursor"] is None
    one = whole["items"][0]
    assert (one["records"], one["layers_closed"], one["layers_open"]) == (30 + 20, 3, 1)
    assert (one["first_timestamp"], one["last_timestamp"]) == (START_S, START_S + 309)
    assert one["anomalies_by_severity"] == {"critical": 3, "warning": 0, "info": 0}
    page = get(client, "/builds?limit=1")
    rest = get(client, "/builds", params={"limit": 1, "cursor": page["next_cursor"]})
    assert page["items"] + rest["items"] == whole["items"]
    assert rest["next_cursor"] is None
    of_machine = get(client, "/builds?machine=M02")["items"]
    assert [build["build_id"] for build in of_machine] == ["M02-B001"]
    assert get(client, "/builds/M01-B001")["sensors"] == ["M01-S1", "M01-S2"]


def test_layers_closed_and_open_as_columns(client: TestClient) -> None:
    layers = get(client, "/builds/M01-B001/layers")
    assert layers["rows"] == 4
    columns = layers["columns"]
    assert list(columns) == LAYER_COLUMNS.names
    assert columns["layer"] == [0, 1, 2, 3]
    assert columns["state"] == ["closed"] * 3 + ["open"]
    assert columns["n"] == [10, 10, 10, 20]
    assert columns["critical"] == columns["anomalies"] == [0, 3, 0, 0]
    assert columns["severity"] == ["none", "critical", "none", "none"]
    assert columns["temperature_avg"] == [5.5, 5.5, 5.5, 1600.0]
    assert columns["temperature_max"] == [9.0, 9.0, 9.0, None]
    some = get(client, "/builds/M01-B001/layers?first=1&last=2")
    assert some["columns"]["layer"] == [1, 2]


def test_layers_as_arrow(client: TestClient) -> None:
    kind = "application/vnd.apache.arrow.stream"
    answer = client.get("/api/v1/builds/M01-B001/layers", headers={"Accept": kind})
    assert answer.headers["content-type"] == kind
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.schema.equals(LAYER_COLUMNS, check_metadata=True)
    assert table["layer"].to_pylist() == [0, 1, 2, 3]


def test_a_layer_says_what_was_found_in_it(client: TestClient) -> None:
    layer = get(client, "/builds/M01-B001/layers/1")
    assert layer["anomalies_by_type"] == {"high_temperature": 3}
    (finding,) = layer["findings"]
    assert finding["text"] == "temperature above 1700 degC in 3 records; highest 1802 degC"
    assert (finding["extreme"], finding["threshold"], finding["op"]) == (1802.0, 1700.0, ">")
    assert layer["plan"] is None


@pytest.mark.parametrize(
    "path",
    ["/builds/nobody", "/builds/nobody/layers", "/builds/M01-B001/layers/99", "/nothing",
     "/builds/M01-B001/layers/1/vectors", "/builds/M01-B001/plan"],
)  # fmt: skip
def test_what_is_not_there_is_a_problem(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404
    assert answer.json()["type"].startswith("urn:pbf-ray:problem:")


def test_an_unchanged_answer_is_not_sent_again(job: WrittenJob, client: TestClient) -> None:
    path = "/api/v1/builds/M01-B001/layers"
    first = client.get(path)
    tag = first.headers["etag"]
    same = client.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    job.write(layer_quality=[{"build_id": "M01-B001", "layer": 1, "revision": 2, "n": 77}])
    job.say()
    changed = client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert changed.json()["columns"]["n"][:3] == [10, 77, 10]


def test_a_new_layer_shows_and_the_open_one_closes(job: WrittenJob, client: TestClient) -> None:
    get(client, "/builds/M01-B001/layers")
    row = record("M01-B001", 4, 1.0)
    job.write(
        ispm_monitoring=[row],
        quality_metrics=[{**row, "quality_score": 0.5}],
        layer_quality=[{"build_id": "M01-B001", "layer": 3}],
    )
    job.say(builds=[BuildStanding("M01-B001", START_S + 400, 1.0, "active")])
    columns = get(client, "/builds/M01-B001/layers")["columns"]
    assert columns["state"] == ["closed"] * 4 + ["open"]
    assert columns["quality_score"][-1] == 0.5


@pytest.mark.parametrize("name", ["a/b", "a b", "ü/layers?", "x" * 300])
def test_builds_of_any_name(job: WrittenJob, client: TestClient, name: str) -> None:
    job.write(layer_quality=[{"build_id": name, "layer": 0}])
    place = f"/builds/{quote(name, safe='')}"
    found = client.get(f"/api/v1{place}/layers")
    assert found.status_code == 200, found.text
    assert found.json()["build_id"] == name


def test_compressed_as_the_client_likes(client: TestClient) -> None:
    path = "/api/v1/builds/M01-B001/layers"
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = client.get(path, headers={"Accept-Encoding": "gzip;q=1.0, zstd;q=0"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    with client.stream("GET", path, headers={"Accept-Encoding": "gzip, zstd"}) as answer:
        assert answer.headers["content-encoding"] == "zstd"
        raw = b"".join(answer.iter_raw())
    size = len(plain.content)
    assert pa.Codec("zstd").decompress(raw, size, asbytes=True) == plain.content


def test_a_job_that_has_never_run_is_empty_and_says_so(tmp_path, connect) -> None:
    client = connect(WrittenJob(tmp_path / "new"))
    assert get(client, "/machines") == {"machines": []}
    assert get(client, "/builds")["items"] == []
    assert get(client, "/anomalies")["total"] == 0
    answer = client.get("/api/v1/pipeline")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:pbf-ray:problem:no-job")

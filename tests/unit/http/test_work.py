"""Records that are judged, build files that are read, vectors of layers."""

from __future__ import annotations

import asyncio
import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from pbf_ray.contracts import BUILD_VECTORS
from pbf_ray.formats import open_build
from pbf_ray.http.scoring import MicroBatches, score_records
from pbf_ray.jobs.stream import load_profile
from support.http_results import WrittenJob
from support.small_builds import ascii_cli

PROFILE = load_profile("default")


def test_records_are_judged_as_the_stream_judges(client: TestClient) -> None:
    good = {"timestamp": 1.0, "temperature": 1600.0, "laser_power": 200.0}
    answer = client.post(
        "/api/v1/score",
        json={"records": [good, {**good, "temperature": 1900}, {}, {**good, "layer": "x"}]},
    ).json()
    assert answer["profile"] == "default"
    fine, hot, empty, odd = answer["results"]
    assert (fine["accepted"], fine["anomaly_type"], fine["flagged"]) == (True, None, False)
    assert (hot["anomaly_type"], hot["severity"]) == ("high_temperature", "critical")
    assert (empty["accepted"], empty["reason"]) == (False, "no_event_time")
    assert (odd["accepted"], odd["flagged"]) == (True, True)
    for body in ({}, {"records": []}, {"records": [1]}, {"records": [{}], "more": 1}):
        assert client.post("/api/v1/score", json=body).status_code == 422, body


def test_what_cannot_be_decoded_is_a_dead_letter() -> None:
    good = b'{"timestamp":1,"temperature":1900}'
    found = score_records([b"{", good, b"", b'{"timestamp":NaN}', good], PROFILE)
    assert [result["accepted"] for result in found] == [False, True, False, False, True]
    assert found[0]["reason"] != found[2]["reason"]


def test_small_requests_are_judged_together_and_each_gets_its_own() -> None:
    calls: list[int] = []

    def score(values: list[bytes]) -> list[dict[str, Any]]:
        calls.append(len(values))
        return [{"value": value} for value in values]

    async def ask_all() -> list[list[dict[str, Any]]]:
        batches = MicroBatches(score, wait_s=0.05, most=1000)
        return await asyncio.gather(
            *(batches.score([b"%d-%d" % (n, k) for k in range(n)]) for n in range(1, 20))
        )

    for number, results in enumerate(asyncio.run(ask_all()), start=1):
        assert results == [{"value": b"%d-%d" % (number, k)} for k in range(number)]
    assert calls == [190]


def test_a_failing_batch_fails_each_request() -> None:
    def score(_: list[bytes]) -> list[dict[str, Any]]:
        raise ValueError("broken")

    async def ask() -> list[Any]:
        batches = MicroBatches(score, wait_s=0.01)
        asked = (batches.score([b"1"]), batches.score([b"2"]))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [str(error) for error in asyncio.run(ask())] == ["broken", "broken"]


@pytest.fixture
def build_file(tmp_path: Path) -> Path:
    path = tmp_path / "part.cli"
    path.write_bytes(ascii_cli(5))
    return path


def test_an_uploaded_file_is_told_line_by_line(client: TestClient, build_file: Path) -> None:
    answer = client.post("/api/v1/builds/parse?name=mine", content=build_file.read_bytes())
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    file = open_build(build_file)
    assert (lines[0]["kind"], lines[0]["layers"], lines[0]["name"]) == ("file", len(file), "mine")
    layers = [line for line in lines if line["kind"] == "layer"]
    assert [line["layer"] for line in layers] == list(range(len(file)))
    assert lines[-1] == {"kind": "end", "layers": len(file), "damaged": 0}


def test_an_upload_that_is_no_build_file(client: TestClient) -> None:
    for content in (b"", b"hello", b"PK\x03\x04" + b"\0" * 100):
        answer = client.post("/api/v1/builds/parse", content=content)
        assert answer.status_code == 422, content
        assert answer.json()["type"].endswith("bad-build-file")


def test_vectors_of_a_layer_in_three_forms(
    job: WrittenJob, connect, build_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / f"M01-B001{build_file.suffix}").write_bytes(build_file.read_bytes())
    client = connect(job, build_files=folder)
    file = open_build(build_file)
    layer = next(n for n in range(len(file)) if file.read_layer(n).geometries.num_rows)
    batch = file.read_layer(layer)
    place = f"/api/v1/builds/M01-B001/layers/{layer}/vectors"
    plain = client.get(place).json()
    x_mm = batch.coordinates["x_mm"].to_pylist()
    assert plain["columns"]["x_mm"] == pytest.approx(x_mm)
    assert plain["geometries"] == batch.geometries.num_rows

    packed = client.get(place, headers={"Accept": "application/vnd.pbf-ray.vectors"}).content
    assert packed[:4] == b"PBFV"
    (length,) = struct.unpack("<I", packed[4:8])
    assert length % 8 == 0
    header = json.loads(packed[8 : 8 + length])
    arrays = {
        name: np.frombuffer(
            packed, np.dtype(at["type"]).newbyteorder("<"), at["length"], 8 + length + at["offset"]
        )
        for name, at in header["arrays"].items()
    }
    assert all(at["offset"] % 8 == 0 for at in header["arrays"].values())
    assert arrays["x_mm"].tolist() == x_mm
    assert int(arrays["count"].sum()) == len(x_mm) == header["points"]
    kinds = [header["kinds"][code] for code in arrays["kind"]]
    assert kinds == batch.geometries["kind"].to_pylist()
    for name in ("kind", "first", "count"):
        assert arrays[name].tolist() == plain["columns"][name]
    assert plain["columns"]["laser_power_w"] == [
        None if math.isnan(value) else pytest.approx(value) for value in arrays["laser_power_w"]
    ]

    kind = "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(client.get(place, headers={"Accept": kind}).content).read_all()
    assert table.schema.equals(BUILD_VECTORS)
    assert table.num_rows == header["geometries"]

    plan = client.get("/api/v1/builds/M01-B001/plan").json()
    assert plan["rows"] == len(file)
    assert client.get("/api/v1/builds/M01-B001").json()["planned_layers"] == len(file)
    one = client.get("/api/v1/builds/M01-B001/layers/0").json()["plan"]
    assert one == {name: values[0] for name, values in plan["columns"].items()}
    assert client.get(place.replace(f"/{layer}/", "/99999/")).status_code == 404


@pytest.mark.parametrize("name", ["../files/M01-B001", "..", "M01-B001.cli/..", "a" * 400])
def test_names_of_builds_lead_nowhere_else(
    job: WrittenJob, connect, tmp_path: Path, name: str
) -> None:
    (tmp_path / "files").mkdir()
    client = connect(job, build_files=tmp_path / "files")
    assert client.app.state.server.queries.files.path(name) is None

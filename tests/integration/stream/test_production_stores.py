"""The main job and the router over the servers of the production profile, by settings alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from pbf_ray.cli.main import cli
from pbf_ray.config import Settings
from pbf_ray.contracts import layer_key
from pbf_ray.jobs.store_checks import check_stores
from pbf_ray.jobs.store_makers import StoreMakers
from pbf_ray.jobs.stores import storage_router
from pbf_ray.jobs.stream import StreamJob
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.storage.caches.latest import LatestState
from services.mongodb import MongoServer
from services.postgres import PostgresServer
from services.redis import RedisServer
from services.seaweedfs import S3Server
from support.oracle import ExpectedTables, expected
from support.stream_runs import assert_results, settings_for
from support.workload import Workload, produce

WORKLOAD = Workload(4_000, seed=8, rows_per_layer=400)


@pytest.fixture
def production(
    postgres: PostgresServer,
    mongodb: MongoServer,
    redis_server: RedisServer,
    s3_server: S3Server,
    tmp_path: Path,
) -> dict[str, object]:
    """The profile, with the warehouses that only exist as services routed elsewhere."""
    sections = {
        "postgres": {**postgres.settings, "schema_name": "production"},
        "mongodb": {**mongodb.settings, "database": "production"},
        "redis": redis_server.settings,
        "local_s3": s3_server.settings,
    }
    return {
        "job.name": "production",
        "job.data_dir": tmp_path,
        "stores.profile": "production",
        "stores.analytics_structured": "delta",
        "stores.analytics_document": "mongodb",
        "stores.analytics_blob": "local_s3",
        "stores.ml_training": ("local_s3", "folder"),
        "stores.research_structured": "postgres",
        "stores.research_blob": "local_s3",
        **{
            f"{section}.{key}": value
            for section, values in sections.items()
            for key, value in values.items()
            if value is not None and key in dict(getattr(Settings(), section))
        },
    }


def test_the_stream_writes_through_the_routes(
    kafka_broker: str,
    make_topic: Callable[..., str],
    production: dict[str, object],
    ray_cluster: None,
    tmp_path: Path,
) -> None:
    topic = make_topic(partitions=4)
    sources = {topic: ClusterView(kafka_broker, [topic]).describe().topics[topic].source_id}
    sent = produce(kafka_broker, topic, WORKLOAD.in_time(), 4)
    wanted = expected(sent, job_id="production", sources=sources, clock_s=time.time())
    plain = settings_for(
        kafka_broker, topic, tmp_path, job="production", epoch_max_rows=900, until_end=True
    )
    settings = plain.replace({**production, "tables.late_records": "document"})
    job = StreamJob(settings).start()
    try:
        result = job.wait(240)
    finally:
        job.close()
    assert result is not None
    assert result.outcome == "finished"
    homes = {
        name: place.partition(":")[0]
        for name, place in result.outputs.items()
        if name != "checkpoint"
    }
    assert homes == {
        "ispm_monitoring": "delta",
        "quality_metrics": "delta",
        "ispm_anomalies": "postgres",
        "dead_letters": "postgres",
        "late_records": "mongodb",
        "layer_quality": "mongodb",
    }
    assert_results(settings, ExpectedTables(wanted))
    assert not list(settings.stores_root.glob("*.sqlite"))
    # A document per layer with its running quality, and the same in the cache.
    with storage_router(settings) as router:
        layers = job.results.read("layer_quality").to_pylist()
        assert layers
        latest = LatestState(
            StoreMakers(settings).cache("redis", "", setting="stores.operational_cache")
        )
        for row in layers:
            found = latest.layer("production", row["build_id"], row["layer"])
            assert found is not None, layer_key("production", row["build_id"], row["layer"])
            assert found["revision"] == row["revision"]
            assert repr(found["quality_score"]) == repr(row["quality_score"])
        latest.close()
        anomalies = router.read(purpose="operational", name="ispm_anomalies")
        assert anomalies.num_rows == job.results.count("ispm_anomalies")


def test_every_route_takes_and_gives(production: dict[str, object]) -> None:
    settings = Settings().replace(production)
    rows = pa.table({"part": ["a", "b"], "porosity": [0.001, None]})
    with storage_router(settings) as router:
        for purpose in ("operational", "analytics", "research", "ml_training"):
            router.store(rows, purpose=purpose, name="parts", key="part")
            table = router.read(purpose=purpose, name="parts").sort_by("part")
            assert table.to_pylist() == rows.to_pylist()
        for purpose in ("operational", "analytics"):
            router.store({"id": "x", "n": [1, {"a": 2.5}]}, purpose=purpose, kind="document",
                         name="notes", key="id", source="test")  # fmt: skip
            (note,) = router.read(purpose=purpose, kind="document", name="notes", keys=["x"])
            assert note.body == {"id": "x", "n": [1, {"a": 2.5}]}
        for purpose in ("operational", "analytics", "research", "ml_training"):
            router.store(b"\x00\xff", purpose=purpose, kind="blob", key=f"{purpose}/é.bin")
            key = f"{purpose}/é.bin"
            assert router.read(purpose=purpose, kind="blob", key=key) == b"\x00\xff"
        router.store({"up": True}, purpose="operational", kind="cache", key="m1", ttl_s=60)
        assert router.read(purpose="operational", kind="cache", key="m1") == b'{"up": true}'


def test_check_reaches_each_store_and_says_what_to_mend(
    production: dict[str, object], tmp_path: Path
) -> None:
    settings = Settings().replace(production)
    checks = list(check_stores(settings))
    assert all(check.ok for check in checks), checks
    by_kind = {check.store.partition(":")[0] for check in checks}
    assert {"postgres", "mongodb", "redis", "s3", "delta", "folder"} <= by_kind
    secrets = [
        text for key, text in settings.items(mask=False)
        if text and key.rpartition(".")[2] in {"password", "secret_key"}
    ]  # fmt: skip
    assert len(secrets) >= 3
    config = tmp_path / "wrong.toml"
    config.write_text(
        f'[job]\ndata_dir = "{tmp_path}"\n'
        '[stores]\nprofile = "production"\nanalytics_structured = "postgres"\n'
        'research_structured = "delta"\n'
        '[postgres]\nport = 1\nhost = "127.0.0.1"\n[redis]\nport = 1\nhost = "127.0.0.1"\n'
        '[mongodb]\nport = 1\nhost = "127.0.0.1"\n'
        '[local_s3]\nendpoint = "http://127.0.0.1:1"\nsecret_key = "hunter2-secret"\n'
    )
    done = CliRunner().invoke(cli, ["--config", str(config), "stores", "check", "--json"])
    assert done.exit_code == 1, done.output
    assert "hunter2" not in done.output
    told = json.loads(done.stdout)
    assert told.get("ok") is False, told
    failed = {route: one for one in told["stores"] if not one["ok"] for route in one["routes"]}
    assert {
        "operational_structured", "operational_document", "operational_cache", "operational_blob",
        "analytics_document", "analytics_blob", "ml_training",
    } <= failed.keys()  # fmt: skip
    assert all(one["problem"] and one["advice"] for one in failed.values())
    assert "AWS_S3_BUCKET" in failed["analytics_blob"]["advice"]
    assert "127.0.0.1:1" in failed["operational_structured"]["store"]

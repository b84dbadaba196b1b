"""Redis and S3 away under a running stream: it waits, and the totals are right.

S3 is only killed: SeaweedFS takes 15 s to stop, in which it still serves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ray import cloudpickle

import support.epoch_files
from pbf_ray.contracts import LAYER_QUALITY
from pbf_ray.jobs.results import Results
from pbf_ray.jobs.stream import StreamJob
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.storage.blobs.s3 import S3Blobs
from pbf_ray.storage.caches.latest import LatestState
from pbf_ray.storage.caches.redis import RedisCache
from services.redis import RedisServer
from services.seaweedfs import S3Server
from support.databases import redis_address, s3_address
from support.epoch_files import EpochFiles
from support.oracle import ExpectedTables, expected
from support.stream_runs import assert_results, await_consumed, settings_for
from support.workload import Workload, produce

WORKLOAD = Workload(12_000, seed=6, rows_per_layer=700)
# Ray's workers do not know the folder of the tests.
cloudpickle.register_pickle_by_value(support.epoch_files)
IN_S3 = ("ispm_anomalies", "dead_letters", "late_records")


def test_servers_that_go_and_come_back(
    kafka_broker: str,
    make_topic: Callable[..., str],
    own_redis_server: RedisServer,
    own_s3_server: S3Server,
    ray_cluster: None,
    tmp_path: Path,
) -> None:
    topic = make_topic(partitions=4)
    sources = {topic: ClusterView(kafka_broker, [topic]).describe().topics[topic].source_id}
    sent = produce(kafka_broker, topic, WORKLOAD.in_time(), 4)
    wanted = ExpectedTables(expected(sent, job_id="equality", sources=sources, clock_s=time.time()))
    settings = settings_for(
        kafka_broker, topic, tmp_path, epoch_max_rows=500, until_end=True
    ).replace({"stores.retry_s": 240.0})
    latest = LatestState(RedisCache(redis_address(own_redis_server)))
    files = EpochFiles(S3Blobs(s3_address(own_s3_server, prefix="hall 2", timeout_s=5.0)), IN_S3)
    halts = (
        (0.15, own_redis_server, own_redis_server.kill),
        (0.4, own_s3_server, own_s3_server.kill),
        (0.65, own_redis_server, own_redis_server.stop),
    )
    job = StreamJob(settings, sinks=[latest, files]).start()
    try:
        for share, server, halt in halts:
            await_consumed(job, int(len(sent) * share))
            halt()
            # What was on its way may still be counted; then it stands still.
            before = job.progress().consumed
            assert job.wait(1.0) is None, "a store that is away ended the stream"
            assert job.progress().consumed <= before + 3 * 500
            server.start()
        result = job.wait(240)
    finally:
        job.close()
    assert result is not None
    assert result.outcome == "finished"
    for secret in (own_redis_server.password, own_s3_server.secret_key):
        assert secret not in repr(result)
    assert_results(settings, wanted)
    for name in IN_S3:
        wanted.assert_table(name, files.read("equality", name))
    layers = Results(settings).read(LAYER_QUALITY.name).to_pylist()
    builds = {row["build_id"] for row in layers}
    held = [row for build in builds for row in latest.layers("equality", build)]
    assert sorted(_bits(row) for row in held) == sorted(_bits(row) for row in layers)
    anomalies = files.read("equality", "ispm_anomalies").to_pylist()
    newest: dict[str, tuple[float, str, int, int]] = {}
    for row in anomalies:
        if row["sensor_id"] is not None:
            place = (row["timestamp"], row["topic"], row["partition"], row["offset"])
            newest[row["sensor_id"]] = max(newest.get(row["sensor_id"], place), place)
    assert {row["sensor_id"]: row["offset"] for row in latest.machines("equality")} == {
        sensor: place[3] for sensor, place in newest.items()
    }
    latest.cache.close()
    files.blobs.close()


def _bits(row: dict[str, object]) -> str:
    """A text that tells values apart that compare equal, and holds NaN equal to NaN."""
    stamps = {name: value.timestamp() for name, value in row.items() if hasattr(value, "timestamp")}
    return repr(sorted({**row, **stamps}.items()))

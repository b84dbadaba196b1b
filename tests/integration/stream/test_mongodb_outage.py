"""The MongoDB server killed and stopped under a running stream: it waits, the totals are right."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.jobs.stream import StreamJob
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.storage.mongodb.tables import MongoTables
from services.mongodb import MongoServer
from support.databases import mongo_address
from support.oracle import ExpectedTables, expected
from support.stream_runs import assert_results, await_consumed, settings_for
from support.workload import Workload, produce

WORKLOAD = Workload(6_000, seed=6, rows_per_layer=500)
TABLES = ["ispm_anomalies", "layer_quality", "dead_letters", "late_records"]


def test_a_server_that_goes_and_comes_back(
    kafka_broker: str,
    make_topic: Callable[..., str],
    own_mongodb: MongoServer,
    ray_cluster: None,
    tmp_path: Path,
) -> None:
    topic = make_topic(partitions=4)
    sources = {topic: ClusterView(kafka_broker, [topic]).describe().topics[topic].source_id}
    sent = produce(kafka_broker, topic, WORKLOAD.in_time(), 4)
    wanted = ExpectedTables(expected(sent, job_id="equality", sources=sources, clock_s=time.time()))
    plain = settings_for(kafka_broker, topic, tmp_path, epoch_max_rows=400, until_end=True)
    settings = plain.replace({"stores.retry_s": 240.0})
    store = MongoTables(mongo_address(own_mongodb, tmp_path, timeout_s=1.0), tables=TABLES)
    job = StreamJob(settings, sinks=[store]).start()
    try:
        for share, halt in ((0.2, own_mongodb.kill), (0.6, own_mongodb.stop)):
            await_consumed(job, int(len(sent) * share))
            halt()
            # What was on its way may still be counted; then it stands still.
            before = job.progress().consumed
            assert job.wait(1.5) is None, "a store that is away ended the stream"
            assert job.progress().consumed <= before + 3 * 400
            own_mongodb.start()
        result = job.wait(240)
    finally:
        job.close()
    assert result is not None
    assert result.outcome == "finished"
    assert_results(settings, wanted)
    with store:
        for name in TABLES:
            wanted.assert_table(name, store.read(OUTPUT_TABLES[name]))

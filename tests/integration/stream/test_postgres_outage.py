"""PostgreSQL killed and stopped under a running stream: it waits, and the totals are right."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pbf_ray.jobs.stream import StreamJob
from pbf_ray.kafka.offsets import ClusterView
from services.postgres import PostgresServer
from support.oracle import ExpectedTables, expected
from support.stream_runs import assert_results, await_consumed, settings_for
from support.workload import Workload, produce

WORKLOAD = Workload(12_000, seed=5, rows_per_layer=700)


def test_a_server_that_goes_and_comes_back(
    kafka_broker: str,
    make_topic: Callable[..., str],
    own_postgres: PostgresServer,
    ray_cluster: None,
    tmp_path: Path,
) -> None:
    topic = make_topic(partitions=4)
    sources = {topic: ClusterView(kafka_broker, [topic]).describe().topics[topic].source_id}
    sent = produce(kafka_broker, topic, WORKLOAD.in_time(), 4)
    wanted = ExpectedTables(expected(sent, job_id="equality", sources=sources, clock_s=time.time()))
    plain = settings_for(kafka_broker, topic, tmp_path, epoch_max_rows=500, until_end=True)
    settings = plain.replace(
        {
            "stores.operational_structured": "postgres",
            "stores.retry_s": 240.0,
            **{f"postgres.{key}": value for key, value in own_postgres.settings.items()},
            "postgres.schema_name": "hall 2",
        }
    )
    job = StreamJob(settings).start()
    try:
        for share, halt in ((0.2, own_postgres.kill), (0.6, own_postgres.stop)):
            await_consumed(job, int(len(sent) * share))
            halt()
            # What was on its way may still be counted; then it stands still.
            before = job.progress().consumed
            assert job.wait(2.0) is None, "a store that is away ended the stream"
            assert job.progress().consumed <= before + 3 * 500
            own_postgres.start()
        result = job.wait(240)
    finally:
        job.close()
    assert result is not None
    assert result.outcome == "finished"
    assert own_postgres.password not in repr(result)
    assert result.outputs["layer_quality"].startswith("postgres://127.0.0.1:")
    assert not (settings.stores_root / "operational.sqlite").exists()
    assert_results(settings, wanted)

"""Producer, consumer and whoever asks for offsets while the broker is away."""

from __future__ import annotations

import logging

import pytest

from pbf_ray.config.kafka_clients import ConsumerSettings, ProducerSettings
from pbf_ray.errors import BrokerUnavailableError, BufferFullError
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.consumer import RecordConsumer
from pbf_ray.kafka.deliveries import Delivery
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.sensor_source import SensorRecord
from pbf_ray.kafka.topics import TopicSpec, create_topics
from services.apache_kafka import ApacheKafka
from support.consumers import Handled, committed_offsets, running, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_what_is_sent_and_consumed_goes_on_when_the_broker_is_back(
    apache_kafka: ApacheKafka, caplog: pytest.LogCaptureFixture
) -> None:
    servers = apache_kafka.bootstrap_servers
    specs = [TopicSpec(name, 2, 1, min_insync_replicas=1) for name in ("t", "dead")]
    create_topics(client_config(servers), specs)
    handled = Handled()
    told: list[Delivery] = []
    # However long the broker takes to come back, nothing times out meanwhile.
    options = ConsumerSettings(
        dead_letter_topic="dead", commit_interval_s=0.1, session_timeout_s=280.0
    )
    consumer = RecordConsumer(servers, ["t"], "g", handler=handled, options=options)
    sending = ProducerSettings(buffer_bytes=100_000, max_block_s=0.2, delivery_timeout_s=600.0)
    producer = RecordProducer(servers, options=sending)
    view = ClusterView(servers, ["t"], {"debug": "broker"}, timeout_s=3.0)
    with running(consumer) as [one]:
        for number in range(100):
            producer.send_record("t", {"sensor_id": f"s{number}"}, on_delivery=told.append)
        wait_until(lambda: one.metrics.processed == 100, "the first hundred")
        assert sum(view.ends([("t", 0), ("t", 1)]).values()) == 100

        apache_kafka.kill()
        accepted, full = 0, None
        while full is None:  # nothing is acknowledged
            try:
                producer.send("t", b"%d" % accepted, b"x" * 1_000, on_delivery=told.append)
                accepted += 1
            except BufferFullError as error:
                full = error
        assert 50 < accepted < 150
        assert full.transient
        assert (full.queued, full.waited_s) == (accepted, 0.2)
        assert producer.metrics().queued == accepted
        assert producer.flush(0.1) == accepted
        late = SensorRecord(b"y" * 1_000, key="late")
        batch = producer.send_batch("t", [late] * 3, timeout_s=0.1)
        assert (batch.sent, batch.failed, batch.queued) == (0, 3, 0)
        assert isinstance(batch.first_error, BufferFullError)

        # Left to itself librdkafka tries without a pause to reach who is asked.
        with caplog.at_level(logging.DEBUG, logger="pbf_ray.kafka.librdkafka"):
            with pytest.raises(BrokerUnavailableError):
                view.ends([("t", 0), ("t", 1)])
            tried = sum("state TRY_CONNECT connecting" in said for said in caplog.messages)
        assert 0 < tried < 20

        apache_kafka.start()
        producer.close()
        wait_until(
            lambda: one.metrics.processed == 100 + accepted, "those of the outage too", 120.0
        )
        metrics = one.stop()
    assert producer.metrics().sent == len(told) == 100 + accepted
    assert producer.metrics().failed == 3  # those of the batch, of which its result has told
    assert all(delivery.state == "sent" for delivery in told)
    assert {(delivery.partition, delivery.offset) for delivery in told} == set(handled.places)
    assert len(handled.places) == len(set(handled.places))
    assert metrics.lost_partitions == 0
    assert sum(committed_offsets(servers, "g", "t", 2).values()) == 100 + accepted

from __future__ import annotations

from pbf_ray.config.kafka_clients import ConsumerSettings, ProducerSettings
from pbf_ray.kafka.client_defaults import consumer_defaults, producer_defaults


def test_a_producer_sends_as_that_of_the_replaced_pipeline_but_for_the_batches() -> None:
    assert producer_defaults(ProducerSettings()) == {
        "batch.size": "131072",  # 16 KiB there: docs/migrating.md says why
        "compression.type": "snappy",
        "delivery.timeout.ms": "120000",
        "linger.ms": "5",
        "max.in.flight.requests.per.connection": "5",
        "message.max.bytes": "1048576",
        "queue.buffering.max.kbytes": "32768",
        "request.timeout.ms": "30000",
        "retry.backoff.ms": "100",
        "statistics.interval.ms": "5000",
        "topic.metadata.propagation.max.ms": "5000",
    }


def test_a_consumer_has_the_times_of_that_of_the_replaced_pipeline() -> None:
    options = ConsumerSettings()
    assert options.max_poll_records == 500
    assert consumer_defaults(options, {}) == {
        "fetch.queue.backoff.ms": "5",
        "heartbeat.interval.ms": "3000",
        "max.poll.interval.ms": "300000",
        "partition.assignment.strategy": "cooperative-sticky",
        "queued.max.messages.kbytes": "16384",
        "session.timeout.ms": "30000",
    }


def test_with_the_newer_group_protocol_the_session_is_the_brokers() -> None:
    defaults = consumer_defaults(ConsumerSettings(), {"group.protocol": "consumer"})
    assert not {"session.timeout.ms", "partition.assignment.strategy"} & defaults.keys()

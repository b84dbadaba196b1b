"""Our settings of producer and consumer in librdkafka's spelling."""

from __future__ import annotations

from collections.abc import Mapping

from pbf_ray.config.kafka_clients import ConsumerSettings, ProducerSettings

__all__ = ["consumer_defaults", "producer_defaults"]


def producer_defaults(options: ProducerSettings) -> dict[str, str]:
    """What a producer is made with where ``kafka.client`` says nothing else."""
    return {
        "batch.size": str(options.batch_bytes),
        "compression.type": options.compression,
        "delivery.timeout.ms": _ms(options.delivery_timeout_s),
        "linger.ms": str(options.linger_ms),
        "max.in.flight.requests.per.connection": "5",
        "message.max.bytes": str(options.max_record_bytes),
        "queue.buffering.max.kbytes": str(options.buffer_bytes // 1024),
        "request.timeout.ms": _ms(options.request_timeout_s),
        "retry.backoff.ms": "100",
        # What is known of retries comes with the statistics.
        "statistics.interval.ms": "5000",
        # How long records for a topic that does not exist wait for it to appear.
        "topic.metadata.propagation.max.ms": "5000",
    }


def consumer_defaults(options: ConsumerSettings, client: Mapping[str, str]) -> dict[str, str]:
    """What a consumer is made with where ``kafka.client`` says nothing else.

    Args:
        options: Our settings.
        client: ``kafka.client``: with the group protocol ``consumer`` the times of the session
            are the broker's, and must not be set.
    """
    defaults = {
        "max.poll.interval.ms": _ms(options.max_poll_interval_s),
        # Fetched ahead of the window in flight, all partitions together.
        "queued.max.messages.kbytes": "16384",
        # A full queue would stop fetching for a second.
        "fetch.queue.backoff.ms": "5",
    }
    if client.get("group.protocol") != "consumer":
        defaults |= {
            "heartbeat.interval.ms": _ms(options.heartbeat_s),
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": _ms(options.session_timeout_s),
        }
    return defaults


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))

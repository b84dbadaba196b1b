"""Settings of the producer and the consumer that users run themselves.

``kafka.client`` goes over them: it takes any setting of librdkafka by its own name.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pbf_ray.config.fields import ByteCount, Count, PositiveCount, PositiveSeconds, Seconds, Section

__all__ = ["ConsumerSettings", "ProducerSettings"]


class ProducerSettings(Section):
    """How records are sent."""

    producer_id: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="who sends, in _metadata of records; host name and process id if not set",
    )
    linger_ms: Count = Field(default=5, description="how long a batch waits for more records, ms")
    batch_bytes: ByteCount = Field(default=131_072, description="most bytes in one batch")
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        default="snappy", description="compression of batches"
    )
    buffer_bytes: Annotated[ByteCount, Field(ge=1024)] = Field(
        default=32 * 2**20, description="most bytes that wait to be acknowledged"
    )
    max_record_bytes: Annotated[ByteCount, Field(ge=1000)] = Field(
        default=2**20, description="most bytes of one record; larger ones are refused"
    )
    request_timeout_s: PositiveSeconds = Field(
        default=30.0, description="how long the broker may take for one request, s"
    )
    delivery_timeout_s: PositiveSeconds = Field(
        default=120.0, description="a record not acknowledged for this long has failed, s"
    )
    max_block_s: Seconds = Field(
        default=60.0, description="how long sending waits for room in the buffer, s"
    )


class ConsumerSettings(Section):
    """How records are handed to a handler, and what becomes of those that it cannot handle."""

    # The replaced pipeline started at the latest offset; as with stream.start_from, what was sent
    # a second before the very first start would then be lost.
    start_from: Literal["earliest", "latest"] = Field(
        default="earliest", description="where a group without committed offsets starts"
    )
    max_poll_records: PositiveCount = Field(
        default=500, description="most records taken at once, and in one call of a batch handler"
    )
    handler_threads: PositiveCount = Field(default=1, description="threads that call the handler")
    order: Literal["partition", "key"] = Field(
        default="partition",
        description="what keeps its order when there are several handler threads",
    )
    max_in_flight_records: PositiveCount = Field(
        default=2_000, description="records taken and not yet done before fetching pauses"
    )
    max_in_flight_bytes: ByteCount = Field(
        default=64 * 2**20, description="bytes taken and not yet done before fetching pauses"
    )
    max_attempts: PositiveCount = Field(
        default=5, description="calls of the handler for one record before it has failed"
    )
    first_pause_s: PositiveSeconds = Field(
        default=0.1,
        description="longest pause before the second call, s; doubles from call to call",
    )
    longest_pause_s: PositiveSeconds = Field(
        default=30.0, description="longest pause between two calls, s"
    )
    on_failure: Literal["dead_letter", "stop"] = Field(
        default="dead_letter",
        description="a record that the handler fails for: to the dead letters, or stop before it",
    )
    dead_letter_topic: Annotated[str, Field(min_length=1)] = Field(
        default="pbf-dead-letters", description="topic of the consumer's dead letters"
    )
    commit_interval_s: PositiveSeconds = Field(
        default=1.0, description="how often finished offsets are committed, s"
    )
    drain_s: Seconds = Field(
        default=30.0, description="how long handlers may finish at a stop or a rebalance, s"
    )
    session_timeout_s: PositiveSeconds = Field(
        default=30.0, description="a member not heard of for this long has left the group, s"
    )
    heartbeat_s: PositiveSeconds = Field(default=3.0, description="pause between heartbeats, s")
    max_poll_interval_s: PositiveSeconds = Field(
        default=300.0, description="a member that does not poll for this long has left, s"
    )
    accept_loss: bool = Field(
        default=False, description="go on past records that the broker no longer has"
    )

    @model_validator(mode="after")
    def _check(self) -> ConsumerSettings:
        if self.drain_s >= self.max_poll_interval_s:
            raise ValueError(
                "drain_s should be shorter than max_poll_interval_s "
                f"({self.max_poll_interval_s:g} s), or the group goes on without this member"
            )
        if self.session_timeout_s > self.max_poll_interval_s:
            raise ValueError(
                "session_timeout_s should be at most max_poll_interval_s "
                f"({self.max_poll_interval_s:g} s)"
            )
        if self.heartbeat_s >= self.session_timeout_s:
            raise ValueError(
                "heartbeat_s should be shorter than session_timeout_s "
                f"({self.session_timeout_s:g} s)"
            )
        return self

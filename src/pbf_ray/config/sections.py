"""Settings of the job, the stream and its workers, by section."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from pbf_ray.config.fields import (
    ByteCount,
    Count,
    FilePath,
    PositiveCount,
    PositiveSeconds,
    PositiveSpeed,
    Seconds,
    Section,
    Share,
    from_environment,
)

__all__ = [
    "DEDUP_KEYS",
    "BuildsSettings",
    "CheckpointSettings",
    "JobSettings",
    "KafkaSettings",
    "RulesSettings",
    "StreamSettings",
    "WorkersSettings",
]

DEDUP_KEYS: Final[tuple[str, ...]] = (
    "sensor_id",
    "build_id",
    "_metadata.producer_id",
    "_metadata.message_id",
)
"""Text fields of the record, which may tell repeats apart.

Written out, for the contract itself needs pyarrow and settings are to load without; a test keeps
them equal to ``contracts.RECORD_SCHEMA``.
"""

_JOB_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_TOPIC_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_OWNED_CLIENT_KEYS: Final[dict[str, str]] = {
    "bootstrap.servers": "set kafka.bootstrap_servers instead",
    "metadata.broker.list": "set kafka.bootstrap_servers instead",
    "group.id": "set kafka.group_id instead",
    "auto.offset.reset": "set stream.start_from instead",
    **dict.fromkeys(
        (
            "enable.auto.commit",
            "enable.auto.offset.store",
            "enable.partition.eof",
            "isolation.level",
            "acks",
            "request.required.acks",
            "enable.idempotence",
            "transactional.id",
        ),
        "exactly-once depends on it, so pbf_ray sets it itself",
    ),
}


def _job_name(name: str) -> str:
    if len(name) > 128 or not _JOB_NAME.fullmatch(name):
        raise ValueError(
            "should be at most 128 of a-z, 0-9, dot, underscore and dash, "
            "with a letter or digit first"
        )
    return name


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _join(value: Any) -> Any:
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    return value


def _addresses(value: str) -> str:
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        raise ValueError("should be host:port, or several with commas between")
    return ",".join(parts)


def _topic_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not _TOPIC_NAME.fullmatch(name) or name in {".", ".."}:
            raise ValueError(f"{name!r} cannot be the name of a Kafka topic")
    if len(set(names)) < len(names):
        raise ValueError("should name each topic once")
    return names


def _copy_topic(name: str) -> str:
    return _topic_names((name,))[0]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{name}."))
        elif isinstance(value, bool):
            flat[name] = "true" if value else "false"
        elif isinstance(value, int | float):
            flat[name] = str(value)
        else:
            flat[name] = value
    return flat


def _client(values: Any) -> Any:
    # TOML reads sasl.password = "..." as a table in a table; librdkafka wants the dotted name.
    return _flat(values) if isinstance(values, Mapping) else values


def _client_key(key: str) -> str:
    if key in _OWNED_CLIENT_KEYS:
        raise ValueError(f"cannot be set: {_OWNED_CLIENT_KEYS[key]}")
    return key


def _dedup_key(key: str) -> str:
    if key not in DEDUP_KEYS:
        raise ValueError(f"should be one of {', '.join(DEDUP_KEYS)}")
    return key


def _profile(value: str) -> str:
    if not value:
        raise ValueError("should be the name of a profile or the path of a TOML file")
    return str(Path(value).expanduser().absolute()) if value.endswith(".toml") else value


class JobSettings(Section):
    """What the job is called and where it keeps things."""

    name: Annotated[str, AfterValidator(_job_name)] = Field(
        default="pbf-stream",
        description="identity of the job: its checkpoint, its rows and its Kafka group carry it",
    )
    data_dir: FilePath = Field(
        default=Path("pbf-data"), description="folder of checkpoints and embedded stores"
    )


class KafkaSettings(Section):
    """Where the records come from."""

    bootstrap_servers: Annotated[str, BeforeValidator(_join), AfterValidator(_addresses)] = (
        from_environment(
            "KAFKA_BOOTSTRAP_SERVERS", "localhost:9092", "host:port of the brokers, with commas"
        )
    )
    topics: Annotated[
        tuple[str, ...], BeforeValidator(_split), AfterValidator(_topic_names), Field(min_length=1)
    ] = Field(default=("ispm-monitoring",), description="topics that the stream reads")
    group_id: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="consumer group that lag tools see; the job's name if not set",
    )
    client: Annotated[
        dict[Annotated[str, AfterValidator(_client_key)], SecretStr], BeforeValidator(_client)
    ] = Field(
        default_factory=dict,
        description="further librdkafka settings, for example security.protocol, sasl.password",
    )
    dead_letters_topic: Annotated[str, AfterValidator(_copy_topic)] | None = Field(
        default="pbf-dead-letters", description="topic of the copies of dead letters"
    )
    late_records_topic: Annotated[str, AfterValidator(_copy_topic)] | None = Field(
        default="pbf-late-records", description="topic of the copies of late records"
    )
    copies: Literal["on", "off", "required"] = Field(
        default="on",
        description="copies of dead letters and late records: on: a missing topic is a warning; "
        "required: it stops the start",
    )
    read_ahead_mib: Count = Field(
        default=16, description="what a reader may buffer per partition beyond an epoch, MiB"
    )
    connect_timeout_s: PositiveSeconds = Field(
        default=60.0, description="how long to retry before giving up on the broker, s"
    )

    @model_validator(mode="after")
    def _check(self) -> KafkaSettings:
        for key in ("dead_letters_topic", "late_records_topic"):
            if self.copies != "off" and getattr(self, key) in self.topics:
                raise ValueError(
                    f"{key} should not be one of the topics that the stream reads, "
                    "or it would read its own copies for ever"
                )
        return self

    def client_config(self) -> dict[str, str]:
        """The ``kafka.client`` settings in the clear, as librdkafka takes them. Never log it."""
        return {key: value.get_secret_value() for key, value in self.client.items()}


class StreamSettings(Section):
    """What decides the results of the stream, and the size of its steps."""

    mode: Literal["watermark", "strict"] = Field(
        default="watermark",
        description="watermark: rows flow as event time passes; "
        "strict: a layer is held until it closes",
    )
    until_end: bool = Field(
        default=False, description="stop at the end that the topics have at the start"
    )
    # The replaced pipeline started at the latest offset. A job that starts a second after the
    # machine would then lose the first second, silently; only the very first start is concerned,
    # later ones go on from the checkpoint.
    start_from: Literal["earliest", "latest"] = Field(
        default="earliest", description="where a job without a checkpoint starts"
    )
    allowed_lateness_s: Seconds = Field(
        default=5.0, description="how far records may arrive out of order, s of event time"
    )
    layer_gap_s: PositiveSeconds = Field(
        default=60.0, description="a layer closes this long after its last row, s of event time"
    )
    idle_timeout_s: PositiveSeconds = Field(
        default=30.0,
        description="a partition read to its end for this long holds no watermark back, s",
    )
    build_retire_after_s: PositiveSeconds = Field(
        default=604_800.0, description="state of a build is dropped after this long, s"
    )
    max_future_s: PositiveSeconds = Field(
        default=3600.0, description="a timestamp further ahead of the clock is a dead letter, s"
    )
    epoch_max_rows: PositiveCount = Field(default=100_000, description="most records in one epoch")
    epoch_interval_ms: PositiveCount = Field(
        default=500, description="longest wait for an epoch to fill, ms"
    )
    max_epochs_in_flight: Annotated[PositiveCount, Field(le=2)] = Field(
        default=2, description="epochs being worked on at once, 1 or 2"
    )
    pending_rows_limit: PositiveCount = Field(
        default=2_000_000, description="rows waiting for the watermark before reading pauses"
    )
    max_state_bytes: ByteCount = Field(
        default=8 * 2**30, description="most window state, bytes; above it the stream stops"
    )
    malformed: Literal["dead_letter", "drop", "fail"] = Field(
        default="dead_letter", description="what becomes of a corrupt record"
    )
    dedup_key: Annotated[str, AfterValidator(_dedup_key)] | None = Field(
        default=None, description="text field that tells repeats apart, e.g. _metadata.message_id"
    )
    quality_metrics: bool = Field(
        default=True, description="write a row of rolling quality per record"
    )
    accept_loss: bool = Field(
        default=False, description="go on past records that the broker no longer has"
    )
    report_every_s: PositiveSeconds = Field(
        default=30.0, description="how often the running job logs where it stands, s"
    )
    metrics_file: FilePath | None = Field(
        default=None,
        description="file for the textfile collector of Prometheus' node_exporter (*.prom)",
    )
    metrics_port: Annotated[PositiveCount, Field(le=65535)] | None = Field(
        default=None, description="port on 127.0.0.1 that serves the metrics to Prometheus"
    )


class WorkersSettings(Section):
    """How many actors share the work, and how much of the machine each reserves."""

    readers: PositiveCount = Field(default=2, description="reader actors")
    windows: PositiveCount = Field(default=2, description="window actors")
    buckets: PositiveCount = Field(
        default=64, description="hash buckets of (build, layer); fixed for the life of a job"
    )
    max_restarts: Count = Field(
        default=20, description="recoveries without progress before the job gives up"
    )
    reader_cpus: Share = Field(default=0.5, description="CPUs reserved per reader actor")
    window_cpus: Share = Field(default=0.5, description="CPUs reserved per window actor")

    @model_validator(mode="after")
    def _check(self) -> WorkersSettings:
        if self.windows > self.buckets:
            raise ValueError(
                f"windows should be at most buckets ({self.buckets}), for each owns at least one"
            )
        return self


class BuildsSettings(Section):
    """How build files are read."""

    engine: Literal["ray", "local", "spark"] = Field(
        default="ray", description="who reads: Ray Data, threads of this process, or Spark"
    )
    on_damage: Literal["fail", "skip"] = Field(
        default="fail",
        description="fail: a damaged file is left out; skip: its damaged layers are",
    )
    split_bytes: ByteCount = Field(
        default=128 * 2**20, description="bytes of a file that one task reads, about"
    )
    memory_bytes: ByteCount = Field(
        default=64 * 2**20,
        description="remote files up to this are read into memory, larger ones copied to disk",
    )
    spool_bytes: ByteCount = Field(
        default=16 * 2**30, description="most local disk for the copies of one worker, bytes"
    )
    recoat_time_s: Seconds | None = Field(
        default=None, description="time between two layers, which no file says, s"
    )
    point_delay_us: Seconds | None = Field(
        default=None, description="pause after a point, for build styles that state none, us"
    )
    jump_speed_mm_s: PositiveSpeed | None = Field(
        default=None, description="speed of jumps, for build styles that state none, mm/s"
    )
    jump_delay_us: Seconds | None = Field(
        default=None, description="pause after a jump, for build styles that state none, us"
    )


class RulesSettings(Section):
    """Which anomaly rules apply."""

    profile: Annotated[str, AfterValidator(_profile)] = Field(
        default="default", description="name of a shipped rule profile, or path of a TOML file"
    )


class CheckpointSettings(Section):
    """Where progress is kept."""

    path: FilePath | None = Field(
        default=None, description="folder of the checkpoint; <data_dir>/<job>/checkpoint if not set"
    )
    keep: Annotated[Count, Field(ge=2)] = Field(
        default=5, description="committed epochs to keep, at least 2"
    )

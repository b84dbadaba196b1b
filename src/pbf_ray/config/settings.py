"""The settings of pbf_ray, whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import Field, SecretStr, ValidationError

from pbf_ray.config import connections, kafka_clients, pipelines, sections
from pbf_ray.config import stores as store_sections
from pbf_ray.config.fields import Section
from pbf_ray.config.http import HttpSettings
from pbf_ray.config.problems import invalid_value, unknown_key
from pbf_ray.logs import looks_secret

__all__ = ["MASK", "OPEN_PREFIX", "Settings", "describe", "environment_names", "known_keys"]

MASK: Final = "********"
OPEN_PREFIX: Final = "kafka.client."
"""Keys under it are librdkafka's, so they cannot be listed."""


class Settings(Section):
    """All settings; frozen, checked, picklable, and secrets never show in ``repr``.

    Made by :meth:`load` from the file, the environment and the command line, or directly:
    ``Settings(stream={"mode": "strict"})``.

    Raises:
        SettingError: A key is unknown or a value does not fit.
    """

    job: sections.JobSettings = Field(default_factory=sections.JobSettings)
    kafka: sections.KafkaSettings = Field(default_factory=sections.KafkaSettings)
    producer: kafka_clients.ProducerSettings = Field(default_factory=kafka_clients.ProducerSettings)
    consumer: kafka_clients.ConsumerSettings = Field(default_factory=kafka_clients.ConsumerSettings)
    stream: sections.StreamSettings = Field(default_factory=sections.StreamSettings)
    workers: sections.WorkersSettings = Field(default_factory=sections.WorkersSettings)
    ray: sections.RaySettings = Field(default_factory=sections.RaySettings)
    spark: pipelines.SparkSettings = Field(default_factory=pipelines.SparkSettings)
    batch: pipelines.BatchSettings = Field(default_factory=pipelines.BatchSettings)
    builds: sections.BuildsSettings = Field(default_factory=sections.BuildsSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    rules: sections.RulesSettings = Field(default_factory=sections.RulesSettings)
    checkpoint: sections.CheckpointSettings = Field(default_factory=sections.CheckpointSettings)
    stores: store_sections.StoresSettings = Field(default_factory=store_sections.StoresSettings)
    tables: store_sections.TablesSettings = Field(default_factory=store_sections.TablesSettings)
    retention: store_sections.RetentionSettings = Field(
        default_factory=store_sections.RetentionSettings
    )
    postgres: connections.PostgresSettings = Field(default_factory=connections.PostgresSettings)
    mongodb: connections.MongoDBSettings = Field(default_factory=connections.MongoDBSettings)
    mongodb_atlas: connections.MongoDBAtlasSettings = Field(
        default_factory=connections.MongoDBAtlasSettings
    )
    redis: connections.RedisSettings = Field(default_factory=connections.RedisSettings)
    local_s3: connections.LocalS3Settings = Field(default_factory=connections.LocalS3Settings)
    aws: connections.AwsSettings = Field(default_factory=connections.AwsSettings)
    snowflake: connections.SnowflakeSettings = Field(default_factory=connections.SnowflakeSettings)
    bigquery: connections.BigQuerySettings = Field(default_factory=connections.BigQuerySettings)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise invalid_value(error, {}, known_keys(), otherwise="Python") from error

    @classmethod
    def load(
        cls,
        file: Path | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> Settings:
        """The settings of the file, the environment and ``overrides``; see ``load_settings``."""
        from pbf_ray.config.load import load_settings

        return load_settings(file, environ, overrides).settings

    @property
    def group_id(self) -> str:
        """The Kafka consumer group: ``kafka.group_id``, or the name of the job."""
        return self.kafka.group_id or self.job.name

    @property
    def checkpoint_path(self) -> Path:
        """Folder of the checkpoint: ``checkpoint.path``, or in the data folder of the job."""
        return self.checkpoint.path or self.job.data_dir / self.job.name / "checkpoint"

    @property
    def stores_root(self) -> Path:
        """Folder of the embedded stores: ``stores.root``, or the data folder of the job."""
        return self.stores.root or self.job.data_dir / self.job.name

    def replace(self, values: Mapping[str, object]) -> Settings:
        """A copy with other values, checked like the first.

        Args:
            values: New values by dotted key, for example ``{"stream.mode": "strict"}``.

        Raises:
            SettingError: A key is unknown or a value does not fit.
        """
        changed: dict[str, dict[str, Any]] = {
            name: dict(getattr(self, name)) for name in type(self).model_fields
        }
        for key, value in values.items():
            if key.startswith(OPEN_PREFIX):
                client = changed["kafka"]["client"]
                changed["kafka"]["client"] = {**client, key.removeprefix(OPEN_PREFIX): value}
                continue
            section, _, name = key.partition(".")
            if section not in changed or name not in changed[section]:
                raise unknown_key(key, "Python", known_keys())
            changed[section][name] = value
        return type(self)(**changed)

    def to_plain(self, *, mask: bool = True) -> dict[str, dict[str, Any]]:
        """Values by section and key, as JSON and TOML know them.

        Args:
            mask: Write ``********`` for secrets. Without it the result must not be shown.
        """
        return {
            name: {key: _plain(value, mask=mask, secret=True) for key, value in getattr(self, name)}
            for name in type(self).model_fields
        }

    def items(self, *, mask: bool = True) -> Iterator[tuple[str, Any]]:
        """Every dotted key with its plain value; each librdkafka setting on its own."""
        for section, values in self.to_plain(mask=mask).items():
            for key, value in values.items():
                if isinstance(value, dict) and value:
                    for inner, text in value.items():
                        yield f"{section}.{key}.{inner}", text
                else:
                    yield f"{section}.{key}", value


def _plain(value: Any, *, mask: bool, secret: bool) -> Any:
    if isinstance(value, SecretStr):
        return MASK if mask and secret else value.get_secret_value()
    if isinstance(value, dict):
        # Only some of librdkafka's settings are secret; the others are worth seeing.
        return {
            key: _plain(inner, mask=mask, secret=looks_secret(key)) for key, inner in value.items()
        }
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Path):
        return str(value)
    return value


def known_keys() -> tuple[str, ...]:
    """All dotted keys, in the order of the sections (``kafka.client`` stands for all under it)."""
    return tuple(
        f"{section}.{key}"
        for section, field in Settings.model_fields.items()
        for key in _section_type(field.annotation).model_fields
    )


def describe(key: str) -> str:
    """What the setting is, in one line.

    Args:
        key: A dotted key of :func:`known_keys`.
    """
    section, _, name = key.partition(".")
    fields = _section_type(Settings.model_fields[section].annotation).model_fields
    return fields[name].description or ""


def environment_names() -> dict[str, str]:
    """Variables of the replaced pipeline: their name, and the dotted key that each sets."""
    names: dict[str, str] = {}
    for section, section_field in Settings.model_fields.items():
        for key, field in _section_type(section_field.annotation).model_fields.items():
            if isinstance(field.json_schema_extra, dict):
                names[str(field.json_schema_extra["environment"])] = f"{section}.{key}"
    return names


def _section_type(annotation: Any) -> type[Section]:
    if not (isinstance(annotation, type) and issubclass(annotation, Section)):
        raise TypeError(f"{annotation} is not a section of settings")
    return annotation

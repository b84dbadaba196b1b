"""Where results go: the profile, the store of each purpose and kind, the tables, how long."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from pbf_ray.config.fields import FilePath, PositiveCount, Seconds, Section

__all__ = ["PROFILES", "RetentionSettings", "StoresSettings", "TablesSettings"]

PROFILES: Final[dict[str, dict[str, Any]]] = {
    "embedded": {
        "operational_structured": "sqlite",
        "operational_document": "sqlite",
        "operational_cache": "sqlite",
        "operational_blob": "folder",
        "analytics_structured": "delta",
        "analytics_document": "sqlite",
        "analytics_blob": "folder",
        "ml_training": ("folder", "folder"),
        "research_structured": "delta",
        "research_blob": "folder",
    },
    "production": {
        "operational_structured": "postgres",
        "operational_document": "mongodb",
        "operational_cache": "redis",
        "operational_blob": "local_s3",
        "analytics_structured": "snowflake",
        "analytics_document": "mongodb_atlas",
        "analytics_blob": "aws_s3",
        "ml_training": ("local_s3", "aws_s3"),
        "research_structured": "bigquery",
        "research_blob": "aws_s3",
    },
}
"""The store of each route that the settings do not name."""

_Tables = Literal["sqlite", "delta", "postgres", "snowflake", "bigquery"]
_Documents = Literal["sqlite", "mongodb", "mongodb_atlas"]
_Blobs = Literal["folder", "local_s3", "aws_s3"]


class StoresSettings(Section):
    """Which store takes what; routes that are not set are those of the profile."""

    root: FilePath | None = Field(
        default=None, description="folder of the embedded stores; <data_dir>/<job> if not set"
    )
    profile: Literal["embedded", "production"] = Field(
        default="embedded", description="stores of all routes: no server, or the servers' side"
    )
    operational_structured: Literal["sqlite", "postgres"] | None = Field(
        default=None, description="small tables of jobs, own tables: sqlite, postgres"
    )
    operational_document: _Documents | None = Field(
        default=None, description="documents, and layer_quality if a server: sqlite, mongodb"
    )
    operational_cache: Literal["sqlite", "redis", "none"] | None = Field(
        default=None, description="latest state of layers and machines: sqlite, redis, none"
    )
    operational_blob: _Blobs | None = Field(
        default=None, description="images, volumes: folder, local_s3, aws_s3"
    )
    analytics_structured: _Tables | None = Field(
        default=None, description="tables: sqlite, delta, postgres, snowflake, bigquery"
    )
    analytics_document: _Documents | None = Field(
        default=None, description="documents: sqlite, mongodb, mongodb_atlas"
    )
    analytics_blob: _Blobs | None = Field(
        default=None, description="blobs: folder, local_s3, aws_s3"
    )
    ml_training: Annotated[tuple[_Blobs, ...], Field(min_length=1, max_length=4)] | None = Field(
        default=None, description="training sets, a copy in each: folder, local_s3, aws_s3"
    )
    research_structured: _Tables | None = Field(
        default=None, description="tables: sqlite, delta, postgres, snowflake, bigquery"
    )
    research_blob: _Blobs | None = Field(
        default=None, description="all that is not a table: folder, local_s3, aws_s3"
    )
    retry_s: Seconds = Field(
        default=60.0, description="how long to retry a store that does not answer, s"
    )
    compact_files: PositiveCount = Field(
        default=64, description="small files in a lake table before they are merged"
    )

    def chosen(self, route: str) -> Any:
        """The store of a route: the setting, or what the profile says.

        Args:
            route: Name of the setting, for example ``"operational_structured"``.
        """
        given = getattr(self, route)
        return PROFILES[self.profile][route] if given is None else given


_Home = Literal["lake", "structured", "document"]


class TablesSettings(Section):
    """Where a job's output tables go: the lake, or the operational store of a kind."""

    ispm_monitoring: _Home = Field(default="lake", description="every accepted record")
    quality_metrics: _Home = Field(default="lake", description="rolling quality of every record")
    ispm_anomalies: _Home = Field(default="structured", description="records that broke a rule")
    dead_letters: _Home = Field(default="structured", description="what could not be used")
    late_records: _Home = Field(default="structured", description="what came too late")
    layer_quality: Literal["structured", "document"] | None = Field(
        default=None,
        description="running quality of each layer; document if documents go to a server",
    )


class RetentionSettings(Section):
    """How long ``pbf-ray stores prune`` leaves rows, by tier; not set: for ever."""

    raw_days: PositiveCount | None = Field(
        default=None, description="ispm_monitoring, dead_letters, late_records: days"
    )
    features_months: PositiveCount | None = Field(
        default=None, description="quality_metrics, ispm_anomalies: months"
    )
    reports_years: PositiveCount | None = Field(default=None, description="layer_quality: years")

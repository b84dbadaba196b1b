"""Settings of the results over HTTP."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from pbf_ray.config.fields import (
    ByteCount,
    FilePath,
    PositiveCount,
    PositiveSeconds,
    Section,
)

__all__ = ["HttpSettings"]


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    if groups != 1:
        raise ValueError("should have exactly one group: the machine")
    return text


class HttpSettings(Section):
    """How results are served."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="address to listen on; elsewhere than on this machine tokens are required",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8080, description="port to listen on; 0 takes a free one"
    )
    replicas: PositiveCount = Field(default=1, description="processes that answer")
    build_files: FilePath | None = Field(
        default=None,
        description="folder of build files, each named as its build: M01-B001.cli; "
        "<stores.root>/build-files if not set",
    )
    machine_pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        default=r"(.+?)(?:-S\d+)?",
        description="regular expression whose group is the machine in a sensor_id",
    )
    tokens_required: bool = Field(default=False, description="ask for a token on this machine too")
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="further names that the server may be asked by (Host header)"
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(), description="other web pages that may use the API (CORS); none by default"
    )
    max_body_bytes: ByteCount = Field(default=2**20, description="largest body of a request, bytes")
    max_upload_bytes: ByteCount = Field(
        default=256 * 2**20, description="largest build file that is taken, bytes"
    )
    max_points: Annotated[PositiveCount, Field(ge=2)] = Field(
        default=5000, description="most points of a series"
    )
    max_series_rows: PositiveCount = Field(
        default=20_000_000, description="most records that one series is made of"
    )
    max_running: PositiveCount = Field(
        default=64, description="requests of one replica that are worked on at once"
    )
    max_waiting: PositiveCount = Field(
        default=256, description="requests of one replica that wait; more are answered 503"
    )
    max_event_streams: PositiveCount = Field(
        default=100, description="listeners to live events, per replica"
    )
    max_uploads: PositiveCount = Field(
        default=2, description="build files that one replica reads at once"
    )
    requests_per_s: PositiveSeconds = Field(
        default=1000.0, description="requests of one caller, per second; more are answered 429"
    )
    request_timeout_s: PositiveSeconds = Field(
        default=30.0, description="longest time for an answer, s; uploads ten times as long"
    )
    cache_bytes: ByteCount = Field(
        default=128 * 2**20, description="memory of one replica for answers that it keeps, bytes"
    )
    refresh_s: PositiveSeconds = Field(
        default=0.5, description="how often the stores are asked for something new, s"
    )

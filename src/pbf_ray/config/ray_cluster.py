"""Settings of the Ray that jobs run on: where it is, who goes where, what all nodes see."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from pbf_ray.config.fields import (
    FilePath,
    PositiveCount,
    PositiveSeconds,
    Section,
    from_environment,
)

__all__ = ["RaySettings"]


def _address(text: str) -> str:
    # Ray's client keeps the driver, and with it the supervisor, off the cluster.
    if "://" in text:
        raise ValueError(
            "should be auto or HOST:PORT; from a machine outside the cluster use "
            "ray job submit -- pbf-ray ..."
        )
    return text


class RaySettings(Section):
    """Which Ray the job runs on."""

    address: Annotated[str, AfterValidator(_address)] | None = from_environment(
        "RAY_ADDRESS",
        None,
        "address of a running cluster, or auto; a local Ray is started if not set",
    )
    token_path: FilePath | None = Field(default=None, description="file with the cluster's token")
    object_store_mb: Annotated[PositiveCount, Field(ge=75)] | None = Field(
        default=256, description="object store of a local Ray, MB"
    )
    coordinator_resource: Annotated[str, Field(min_length=1)] = Field(
        default="pbf_head",
        description="custom resource of the node for the coordinator; any node if none has it",
    )
    shared_folders: tuple[FilePath, ...] = Field(
        default=(), description="folders of a file system that every node sees at the same path"
    )
    start_timeout_s: PositiveSeconds = Field(
        default=180.0,
        description="how long workers may take to start, s; longer where nodes are made for them",
    )

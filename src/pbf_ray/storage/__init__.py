"""Stores: tables with atomic, idempotent epochs, and the layout that routes tables to them."""

from pbf_ray.storage.base import (
    EpochCommit,
    Sink,
    StagedFile,
    StagedRows,
    StoreCapabilities,
    TableStore,
)
from pbf_ray.storage.layout import JobStores, embedded_stores
from pbf_ray.storage.registry import store_class
from pbf_ray.storage.retry import RetryPolicy, retry_transient

__all__ = [
    "EpochCommit",
    "JobStores",
    "RetryPolicy",
    "Sink",
    "StagedFile",
    "StagedRows",
    "StoreCapabilities",
    "TableStore",
    "embedded_stores",
    "retry_transient",
    "store_class",
]

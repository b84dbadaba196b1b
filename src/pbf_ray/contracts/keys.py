"""Canonical keys: one text per key, never null, the same in every store and every version.

A key is the compact ASCII JSON array of its parts. SQL's UNIQUE treats NULLs as different, so a
null part has to become text: ``["job",null,7]`` is not ``["job","null",7]``.
"""

from __future__ import annotations

import json

__all__ = ["layer_key", "record_key"]


def _canonical(parts: list[str | int | None]) -> str:
    return json.dumps(parts, ensure_ascii=True, separators=(",", ":"))


def record_key(job_id: str, source_id: str, partition: int, offset: int) -> str:
    """Key of one record: where it stands in Kafka, within one job."""
    return _canonical([job_id, source_id, partition, offset])


def layer_key(job_id: str, build_id: str | None, layer: int | None) -> str:
    """Key of one layer of one build, within one job."""
    return _canonical([job_id, build_id, layer])

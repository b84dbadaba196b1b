"""Warehouses in the cloud: one store of tables over Snowflake and BigQuery, and what differs."""

from __future__ import annotations

__all__: list[str] = []

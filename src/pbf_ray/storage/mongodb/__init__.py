"""MongoDB: its client, its errors, names and values, and tables in it."""

from __future__ import annotations

__all__: list[str] = []

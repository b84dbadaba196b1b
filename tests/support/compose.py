"""Compose files as Docker Compose reads them, as far as ``deploy`` uses it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from services.server_settings import read_properties

__all__ = ["environment_of", "read_compose"]

_NOTHING: Mapping[str, str] = MappingProxyType({})
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}")


def read_compose(*files: Path, variables: Mapping[str, str] = _NOTHING) -> dict[str, Any]:
    """The files, later ones on top: variables replaced, mappings merged, lists joined."""
    whole: dict[str, Any] = {}
    for file in files:
        text = _VARIABLE.sub(
            lambda found: variables.get(found[1], found[2] or ""), file.read_text(encoding="utf-8")
        )
        whole = _merged(whole, yaml.safe_load(text))
    return whole


def _merged(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return {
            key: _merged(below[key], above[key])
            if key in below and key in above
            else above.get(key, below.get(key))
            for key in {**below, **above}
        }
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return above


def environment_of(service: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """The environment of a service: its files, and its own variables on top."""
    environment: dict[str, str] = {}
    for name in service.get("env_file", ()):
        environment |= read_properties(folder / name)
    return environment | {name: str(value) for name, value in service["environment"].items()}

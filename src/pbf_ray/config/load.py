"""Loading: defaults < TOML file < environment < overrides, remembering where each came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pbf_ray.config.layers import (
    CONFIG_VARIABLE,
    Sourced,
    from_environ,
    from_file,
    from_overrides,
)
from pbf_ray.config.problems import invalid_value
from pbf_ray.config.settings import OPEN_PREFIX, Settings, known_keys
from pbf_ray.errors import SettingError

__all__ = ["DEFAULT_FILE", "LoadedSettings", "load_settings"]

DEFAULT_FILE: Final = Path("pbf-ray.toml")


@dataclass(frozen=True)
class LoadedSettings:
    """Settings, and where each came from.

    Attributes:
        settings: The checked settings.
        sources: Per dotted key: ``"default"``, ``"file pbf-ray.toml"``, ``"environment
            KAFKA_BOOTSTRAP_SERVERS"``, ``"command line --set"`` and the like.
    """

    settings: Settings
    sources: dict[str, str]


def load_settings(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    override_sources: Mapping[str, str] | None = None,
) -> LoadedSettings:
    """Put the layers of settings together and check the whole.

    Args:
        file: TOML file; else the one that ``PBF_RAY_CONFIG`` names; else ``pbf-ray.toml`` of the
            current folder, if it is there.
        environ: Environment variables; those of the process if not given.
        overrides: Values by dotted key that win over all else; text is converted.
        override_sources: Where an override came from, by dotted key.

    Raises:
        SettingError: A key is unknown or a value does not fit; names the key and its source.
        InputFileError: The file cannot be read.
    """
    variables = os.environ if environ is None else environ
    values: dict[str, Sourced] = {}
    path = _find(file, variables)
    if path is not None:
        values.update(from_file(path))
    values.update(from_environ(variables))
    values.update(from_overrides(overrides or {}, override_sources or {}, otherwise="overrides"))
    sources = {key: sourced.source for key, sourced in values.items()}
    try:
        settings = Settings(**_nested(values))
    except SettingError as error:
        if isinstance(error.__cause__, ValidationError):
            raise invalid_value(
                error.__cause__, sources, known_keys(), otherwise="default"
            ) from error.__cause__
        raise
    return LoadedSettings(settings, {key: _source(key, sources) for key, _ in settings.items()})


def _find(file: Path | None, variables: Mapping[str, str]) -> Path | None:
    if file is not None:
        return file
    if named := variables.get(CONFIG_VARIABLE):
        return Path(named).expanduser()
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def _nested(values: Mapping[str, Sourced]) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    # The whole kafka.client of a file comes first: single keys of later layers go into it.
    for key in sorted(values, key=lambda key: key.startswith(OPEN_PREFIX)):
        section, _, name = key.partition(".")
        table = tables.setdefault(section, {})
        if key.startswith(OPEN_PREFIX):
            client = table.setdefault("client", {})
            if isinstance(client, dict):  # otherwise the check names it
                inner = key.removeprefix(OPEN_PREFIX)
                table["client"] = {**client, inner: values[key].value}
        else:
            table[name] = values[key].value
    return tables


def _source(key: str, sources: Mapping[str, str]) -> str:
    if key in sources:
        return sources[key]
    if key.startswith(OPEN_PREFIX) and (whole := sources.get(OPEN_PREFIX.rstrip("."))):
        return whole
    return "default"

"""The layers that settings come in: TOML text, environment variables, overrides.

Each reader gives a flat mapping from dotted keys to values with their source.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pbf_ray.config.problems import unknown_key
from pbf_ray.config.settings import (
    OPEN_PREFIX,
    Settings,
    environment_names,
    known_keys,
)
from pbf_ray.errors import InputFileError, SettingError

__all__ = ["CONFIG_VARIABLE", "PREFIX", "Sourced", "from_environ", "from_file", "from_overrides"]

PREFIX: Final = "PBF_RAY_"
CONFIG_VARIABLE: Final = "PBF_RAY_CONFIG"
_AT_LINE: Final = re.compile(r" ?\(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True)
class Sourced:
    """A value and where it came from."""

    value: Any
    source: str


def from_file(path: Path) -> dict[str, Sourced]:
    """The settings of a TOML file.

    Raises:
        InputFileError: The file is absent, unreadable, or not TOML; with its line.
        SettingError: It holds an unknown key.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise InputFileError(
            str(path), "there is no such file", advice="check --config and PBF_RAY_CONFIG"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(str(path), f"cannot be read: {error}") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        problem = _AT_LINE.sub("", str(error))
        raise InputFileError(
            str(path),
            f"not TOML: {problem[:1].lower()}{problem[1:]}",
            line=line,
            advice='text stands in quotes, as in mode = "strict"',
        ) from error
    source = f"file {path}"
    values: dict[str, Sourced] = {}
    for section, table in tables.items():
        if section not in Settings.model_fields:
            keys = known_keys()
            whole = section if isinstance(table, dict) else ""
            raise unknown_key(section, source, Settings.model_fields if whole else keys)
        if not isinstance(table, dict):
            raise SettingError(
                section, source, "is a section, not a value", advice=f"write it as [{section}]"
            )
        for name, value in table.items():
            key = _checked(f"{section}.{name}", source)
            values[key] = Sourced(value, source)
    return values


def from_environ(environ: Mapping[str, str]) -> dict[str, Sourced]:
    """The settings in environment variables: our own names win over the replaced pipeline's.

    A variable of the replaced pipeline that is empty counts as not set, as it did there.

    Raises:
        SettingError: A variable begins with ``PBF_RAY_`` and a section, but names no setting.
    """
    values: dict[str, Sourced] = {}
    for name, key in environment_names().items():
        if text := environ.get(name):
            values[key] = Sourced(text, f"environment {name}")
    flat_names = {key.replace(".", "_"): key for key in known_keys()}
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        source = f"environment {name}"
        rest = name.removeprefix(PREFIX)
        section, divided, key_name = rest.lower().partition("__")
        if not divided:
            if meant := flat_names.get(rest.lower()):
                right = PREFIX + meant.upper().replace(".", "__")
                raise SettingError(
                    meant,
                    source,
                    "needs two underscores after the section",
                    advice=f"write {right}",
                )
            continue
        if f"{section}.{key_name}".startswith(f"{OPEN_PREFIX[:-1]}__"):
            inner = key_name.removeprefix("client__").replace("_", ".")
            values[OPEN_PREFIX + inner] = Sourced(environ[name], source)
            continue
        key = _checked(f"{section}.{key_name}", source)
        values[key] = _from_text(key, environ[name], source)
    return values


def from_overrides(
    overrides: Mapping[str, object], sources: Mapping[str, str], *, otherwise: str
) -> dict[str, Sourced]:
    """The settings given by dotted key, on the command line or in Python.

    Raises:
        SettingError: A key is unknown.
    """
    values: dict[str, Sourced] = {}
    for key, value in overrides.items():
        source = sources.get(key, otherwise)
        _checked(key, source)
        values[key] = (
            _from_text(key, value, source) if isinstance(value, str) else Sourced(value, source)
        )
    return values


def _checked(key: str, source: str) -> str:
    if key in known_keys() or (key.startswith(OPEN_PREFIX) and len(key) > len(OPEN_PREFIX)):
        return key
    raise unknown_key(key, source, known_keys())


def _from_text(key: str, text: str, source: str) -> Sourced:
    # Text has no null of its own: empty text unsets what may be unset.
    section, _, name = key.partition(".")
    field = Settings.model_fields[section].annotation.model_fields.get(name)  # type: ignore[union-attr]
    optional = field is not None and field.default is None
    return Sourced(None if optional and not text else text, source)

"""Kinds of setting values: what each accepts, in words that a user can act on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "ByteCount",
    "Count",
    "FilePath",
    "PositiveCount",
    "PositiveSeconds",
    "PositiveSpeed",
    "Seconds",
    "Section",
    "Share",
    "from_environment",
]

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?i?B?)", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS: Final = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


class Section(BaseModel):
    """Base of all sections of settings: frozen, unknown keys refused, input never printed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("should be a number")  # noqa: TRY004 - pydantic reports ValueError
    return value


def _bytes_of(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("should be a number of bytes, for example 8589934592, '8 GiB' or '500 MB'")
    number, unit = match.groups()
    scale = unit.lower().removesuffix("b")
    return int(float(number) * (_BINARY_UNITS.get(scale) or _UNITS[scale]))


def _absolute(path: Path) -> Path:
    # Absolute at once: workers may run in another folder than the program that read the setting.
    return path.expanduser().absolute()


Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=0)]
PositiveCount = Annotated[int, BeforeValidator(_no_bool), Field(gt=0)]
Seconds = Annotated[float, BeforeValidator(_no_bool), Field(ge=0)]
PositiveSeconds = Annotated[float, BeforeValidator(_no_bool), Field(gt=0)]
PositiveSpeed = Annotated[float, BeforeValidator(_no_bool), Field(gt=0)]
Share = Annotated[float, BeforeValidator(_no_bool), Field(ge=0)]
"""CPUs that Ray reserves for one actor; 0 reserves none."""
ByteCount = Annotated[int, BeforeValidator(_no_bool), BeforeValidator(_bytes_of), Field(gt=0)]
FilePath = Annotated[Path, AfterValidator(_absolute)]
"""A path; ``~`` is expanded, and it is absolute from the moment it is read."""


def from_environment(name: str, default: Any, description: str) -> Any:
    """A field that an environment variable of the replaced pipeline sets as well.

    Args:
        name: Variable name, for example ``"POSTGRES_HOST"``.
        default: Default value.
        description: One line for listings.
    """
    return Field(default=default, description=description, json_schema_extra={"environment": name})

"""From a wrong value or key to an error that names the key, its source and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from pbf_ray.errors import SettingError
from pbf_ray.logs import looks_secret

__all__ = ["invalid_value", "unknown_key"]

_PLAIN_TYPES: Final = (str, int, float, bool, type(None))
_EXPECTED: Final = {
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "string_type": "should be text",
    "dict_type": "should be a table",
    "tuple_type": "should be a list",
    "path_type": "should be a path",
}


def unknown_key(key: str, source: str, known: Iterable[str]) -> SettingError:
    """The error for a key that no setting has, with the nearest one that exists."""
    names = list(known)
    nearest = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    if not nearest:
        # The right name in the wrong section is the other common slip.
        last = key.rpartition(".")[2]
        by_last = {name.rpartition(".")[2]: name for name in names}
        nearest = [by_last[near] for near in difflib.get_close_matches(last, by_last, n=1)]
    advice = f"did you mean {nearest[0]}?" if nearest else "pbf-ray config show lists all settings"
    return SettingError(key, source, "there is no such setting", advice=advice)


def invalid_value(
    error: ValidationError, sources: Mapping[str, str], known: Iterable[str], *, otherwise: str
) -> SettingError:
    """The error for values that do not fit.

    Args:
        error: What pydantic found.
        sources: Where each dotted key came from.
        known: All dotted keys.
        otherwise: The source of keys that ``sources`` does not have.

    Returns:
        The error of the first wrong key; the others are named in its advice.
    """
    problems = error.errors(include_url=False, include_context=False)
    keys = [_key(problem) for problem in problems]
    first, key = problems[0], keys[0]
    source = sources.get(key, otherwise)
    if first["type"] == "extra_forbidden":
        return unknown_key(key, source, known)
    expected = _expected(first, key)
    value = first["input"]
    shown = isinstance(value, _PLAIN_TYPES) and not looks_secret(key)
    problem = f"{value!r} {expected}" if shown else expected
    others = sorted(set(keys) - {key})
    advice = f"also wrong: {', '.join(others)}" if others else ""
    return SettingError(key, source, problem, advice=advice)


def _key(problem: Mapping[str, Any]) -> str:
    location = [str(part) for part in problem["loc"]]
    if location[:2] == ["kafka", "client"]:
        return ".".join(location[:3])
    if len(location) == 1 and (name := _named_first(problem)):
        return f"{location[0]}.{name}"
    return ".".join(location[:2])


def _named_first(problem: Mapping[str, Any]) -> str:
    # A check across the keys of a section begins its message with the key.
    name, _, _ = _message(problem).partition(" should be ")
    return name if problem["type"] == "value_error" and name.isidentifier() else ""


def _message(problem: Mapping[str, Any]) -> str:
    return str(problem["msg"]).removeprefix("Value error, ")


def _expected(problem: Mapping[str, Any], key: str) -> str:
    if problem["type"] in _EXPECTED:
        return _EXPECTED[problem["type"]]
    message = _message(problem).removeprefix(f"{key.rpartition('.')[2]} ")
    return message.replace("Input should", "should").removeprefix("String ")

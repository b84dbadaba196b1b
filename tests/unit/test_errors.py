"""Every error pickles, tells its facts, and stands in the drawn tree."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from pbf_ray import errors
from pbf_ray.errors import PbfRayError

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, BaseException)
}
VALUES = {
    "dict[str, int]": {"consumed": 3, "accepted": 2},
    "int": 7,
    "int | None": 9,
    "float": 1.5,
    "str": "something\n  with a break",
    "Any": ["anything"],
}


def _made(cls: type[PbfRayError]) -> PbfRayError:
    """An error with a value for every parameter."""
    positional, named = [], {}
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            named["fact"] = VALUES["Any"]
        elif parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = VALUES[parameter.annotation]
        else:
            positional.append(VALUES[parameter.annotation])
    return cls(*positional, **named)


def test_all_is_sorted_and_whole() -> None:
    assert errors.__all__ == sorted(errors.__all__)
    assert set(errors.__all__) == set(CLASSES)


@pytest.mark.parametrize("name", errors.__all__)
def test_it_survives_pickling_with_its_facts(name: str) -> None:
    error = _made(CLASSES[name])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is CLASSES[name]
    assert str(again) == str(error)
    assert (again.what, again.advice, again.facts) == (error.what, error.advice, error.facts)
    assert again.transient == error.transient
    for fact, value in error.facts.items():
        assert getattr(again, fact) == value


@pytest.mark.parametrize("name", errors.__all__)
def test_it_is_one_line_that_says_something(name: str) -> None:
    error = _made(CLASSES[name])
    assert len(str(error).splitlines()) == 1
    assert error.what
    assert not error.what.endswith((".", " "))
    with pytest.raises(AttributeError, match="no_such_fact"):
        _ = error.no_such_fact


def test_it_stands_in_the_drawn_tree_below_its_base() -> None:
    # Each level is four characters further in; a line is branches, a name, and what it means.
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ((?:│   |    )*(?:├── |└── )?)(\w+Error)\b", line)
        if not found:
            continue
        depth = len(found[1]) // 4
        above[depth:] = [found[2]]
        drawn[found[2]] = above[depth - 1] if depth else "Exception"
    assert drawn == {name: cls.__base__.__name__ for name, cls in CLASSES.items()}


def test_only_what_may_pass_by_itself_is_transient() -> None:
    transient = {name for name, cls in CLASSES.items() if cls.transient}
    assert transient == {"BrokerUnavailableError", "BufferFullError", "StoreUnavailableError"}


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (errors.InputFileError("a.log", "is odd", line=3), "a.log, line 3: is odd"),
        (errors.InputFileError("a.bin", "is odd", byte_offset=9), "a.bin, byte 9: is odd"),
        (errors.InputFileError("a.log", "is odd"), "a.log: is odd"),
        (
            errors.OffsetsVanishedError("ispm", 4, wanted=10, first=20, last=29),
            "ispm/4: offset 10 is gone, it has 20..29",
        ),
        (
            errors.OffsetsVanishedError("ispm", 4, wanted=10, first=20),
            "ispm/4: offset 10 is gone, the broker has 20 and later",
        ),
        (
            errors.BrokerUnavailableError("h:1", "refused", waited_s=2.0),
            "no Kafka broker answers at h:1 for 2 s: refused",
        ),
        (
            errors.MalformedRecordError("is odd", index=3, position="ispm/0 offset 7"),
            "malformed record at ispm/0 offset 7: is odd",
        ),
        (
            errors.MalformedRecordError("is odd", index=3),
            "malformed record at value 3 of the batch: is odd",
        ),
    ],
)
def test_it_names_the_place(error: PbfRayError, where: str) -> None:
    assert error.what == where

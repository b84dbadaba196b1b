"""Every item of the list of semantics has a test that shows it, or a reason why it needs none."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from semantics_items import marked_tests

ITEMS = set(range(1, 73))


@pytest.fixture(scope="module")
def said(repository: Path) -> dict[str, dict[str, str]]:
    text = (repository / "docs" / "semantics_items.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@pytest.fixture(scope="module")
def marked() -> dict[int, list[str]]:
    return marked_tests()


def test_all_items_have_their_line_and_no_others(said: dict[str, dict[str, str]]) -> None:
    assert [int(item) for item in said["items"]] == sorted(ITEMS)
    for part in ("differs", "argued", "sections"):
        assert said[part].keys() <= said["items"].keys(), part


def test_every_item_is_tested_or_argued(
    said: dict[str, dict[str, str]], marked: dict[int, list[str]]
) -> None:
    assert marked.keys() <= ITEMS, "a mark names an item that there is not"
    argued = {int(item) for item in said["argued"]}
    assert ITEMS - marked.keys() == argued


def test_what_records_become_is_asked_of_spark_item_by_item(marked: dict[int, list[str]]) -> None:
    test = "test_decoding::test_items_of_the_list"
    asked = {item for item, tests in marked.items() if test in tests}
    assert asked == {*range(1, 34), *range(62, 73)}

"""The documentation is well-formed, linked, and says what the code says."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from pbf_ray import errors
from pbf_ray.cli.main import cli
from pbf_ray.config import load_settings
from pbf_ray.monitoring.rules import RuleProfile
from pbf_ray.simulate import load_mapping
from support.pages import LANGUAGES, REPOSITORY, Block, blocks, commands, pages, title_of

each_page = pytest.mark.parametrize("page", pages(), ids=title_of)
ALL_BLOCKS = [block for page in pages() for block in blocks(page)]


def _of(language: str) -> list[Block]:
    return [block for block in ALL_BLOCKS if block.language == language]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", REPOSITORY / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each_page
def test_generated_tables_are_up_to_date(page: Path, generate: ModuleType) -> None:
    text = page.read_text(encoding="utf-8")
    assert generate.renewed(text) == text, "run: make docs"
    assert text.count("<!-- generated: ") == text.count("<!-- end -->")


def test_every_generated_table_stands_somewhere(generate: ModuleType) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in pages())
    for name in generate.TABLES:
        assert text.count(f"<!-- generated: {name} -->") == 1, name


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if path.startswith("https://"):
            continue
        file = page.parent / path if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in headings}
            assert anchor in slugs, f"{page.name}: {target}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    missing = [title_of(page) for page in pages()[1:] if f"({title_of(page)})" not in readme]
    assert not missing


def test_the_readme_fits_on_one_screen() -> None:
    lines = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 60


@each_page
def test_blocks_are_of_a_kind_that_tests_know(page: Path) -> None:
    fences = re.findall(r"^ *(?:```|~~~).*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(blocks(page)), "an odd fence"
    assert {block.language for block in blocks(page)} <= LANGUAGES


@pytest.mark.parametrize("block", _of("python"), ids=str)
def test_python_blocks_parse(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", _of("toml"), ids=str)
def test_toml_blocks_are_what_they_say(block: Block, tmp_path: Path) -> None:
    assert block.file_name, f"{block}: its first line is to name the file"
    document = tomllib.loads(block.text)
    file = tmp_path / block.file_name
    file.write_text(block.text, encoding="utf-8")
    if "fields" in document:
        assert load_mapping(file).fields
    elif isinstance(document.get("rules"), list):
        profile = RuleProfile.from_toml(block.text, source=block.file_name)
        assert RuleProfile.from_toml(profile.to_toml()) == profile
    else:
        loaded = load_settings(file, environ={})
        changed = {key for key, source in loaded.sources.items() if source != "default"}
        assert changed


@pytest.mark.parametrize("block", _of("console"), ids=str)
def test_commands_exist_with_their_options(block: Block) -> None:
    for command in commands(block):
        words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]
        assert words[0] in {"make", "pbf-ray", "export", "source"}, command
        if words[0] == "pbf-ray":
            # Parses as the program does, but runs nothing.
            assert not _problem(words[1:]), command


def _problem(words: list[str]) -> str:
    import click

    command: click.Command = cli
    while isinstance(command, click.Group):
        names = [index for index, word in enumerate(words) if command.get_command(None, word)]  # type: ignore[arg-type]
        if not names and command.invoke_without_command:
            break
        if not names:
            return "" if set(words) <= {"--help", "--version"} else f"no command in {words}"
        found = command.get_command(None, words[names[0]])  # type: ignore[arg-type]
        assert found is not None
        command, words = found, words[names[0] + 1 :]
    known = {name for option in command.params for name in option.opts} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word not in known]
    return f"unknown: {unknown}" if unknown else ""


def test_every_error_has_its_line_in_troubleshooting() -> None:
    page = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    rows = "".join(line.partition(" | ")[0] for line in page.splitlines() if line.startswith("| `"))
    named = re.findall(r"`(\w+)`", rows)
    assert sorted(named) == sorted(errors.__all__)


def test_the_floors_of_the_pages_are_those_that_are_kept() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    kept = [[name.strip().removeprefix("pbf_ray.") for name in row.split("|")] for row in layers]
    for name in ("docs/architecture.md", "CONTRIBUTING.md"):
        drawn = [
            re.split(r" · ", re.split(r"  +", line)[0])
            for block in blocks(REPOSITORY / name)
            if block.text.startswith("cli  ")
            for line in block.text.splitlines()
        ]
        assert drawn == kept, name

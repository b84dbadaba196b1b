"""What the documentation tells people to type, they can type: README first, then every page.

All pages see one broker, and the data folder that README's commands have filled. The blocks of a
page run in order, in a folder of the page's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pbf_ray import Results, Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.kafka.embedded import EmbeddedBroker
from support.pages import REPOSITORY, Block, blocks, commands, pages, title_of

PLACEHOLDER = "localhost:9092"
"""The broker of the pages; the one of the tests takes its place."""


@dataclass
class Reader:
    """Somebody who does what the pages say."""

    folder: Path
    servers: str

    @property
    def settings(self) -> Settings:
        """Settings of the job that README runs."""
        return Settings(job={"data_dir": self.folder / "pbf-data"})

    def follow(self, page: Path) -> None:
        """Run every block of a page."""
        place = self.folder / page.stem
        place.mkdir()
        for name in ("examples", "tests"):
            (place / name).symlink_to(REPOSITORY / name)
        for number, block in enumerate(blocks(page)):
            if block.file_name:
                (place / block.file_name).write_text(block.text, encoding="utf-8")
            elif block.language == "python":
                script = place / f"block_{number}.py"
                script.write_text(block.text, encoding="utf-8")
                self._run(block, [sys.executable, str(script)], place)
            elif block.language == "console":
                script = place / f"block_{number}.sh"
                script.write_text(self._script(block), encoding="utf-8")
                self._run(block, ["bash", "-euo", "pipefail", str(script)], place)

    def _script(self, block: Block) -> str:
        lines = []
        for command in commands(block):
            if command.startswith("make "):
                # This very test runs under make test; that make knows the target is what counts.
                command = f"make -n -C {REPOSITORY} {command.removeprefix('make ')}"
            lines.append(command.replace(PLACEHOLDER, self.servers))
        return "\n".join(lines)

    def _run(self, block: Block, command: list[str], place: Path) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("PBF_RAY_")
        }
        done = subprocess.run(
            command,
            cwd=place,
            env={
                **environment,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "KAFKA_BOOTSTRAP_SERVERS": self.servers,
                "PBF_RAY_JOB__DATA_DIR": str(self.folder / "pbf-data"),
                "PYTHONWARNINGS": "error::DeprecationWarning:__main__",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        said = f"{block}\n{block.text}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, said
        assert "Traceback" not in done.stderr, said


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader who has just done what README says."""
    folder = tmp_path_factory.mktemp("docs")
    with EmbeddedBroker(folder / "broker") as broker:
        newcomer = Reader(folder, broker.bootstrap_servers)
        newcomer.follow(REPOSITORY / "README.md")
        yield newcomer


def test_what_readme_shows_gives_results(reader: Reader) -> None:
    by_command = Results(reader.settings)
    by_program = Results(reader.settings.replace({"job.name": "from-python"}))
    assert by_command.count("layer_quality") == 10  # two machines, five layers
    assert by_command.books() == {**by_program.books(), **_identity(by_command)}
    for name in OUTPUT_TABLES:
        assert by_command.count(name) == by_program.count(name)


def _identity(results: Results) -> dict[str, object]:
    books = results.books()
    return {name: books[name] for name in ("job_id", "epoch")}


TO_FOLLOW = [
    page
    for page in pages()[1:]
    if {block.language for block in blocks(page)} & {"console", "python"}
]


@pytest.mark.parametrize("page", TO_FOLLOW, ids=title_of)
def test_a_page_can_be_followed(reader: Reader, page: Path) -> None:
    wants_java = any("spark_session" in block.text for block in blocks(page))
    if wants_java and shutil.which("java") is None and os.environ.get("CI") != "true":
        pytest.skip("a block of this page needs Java 17")
    reader.follow(page)

"""Python environments of servers that cannot share the project's: made by pip, by name.

fakesnow needs another botocore than the S3 store, local-bigquery needs Python 3.13 and DuckDB 1.5.
Each lives in ``${PBF_RAY_CACHE:-~/.cache/pbf_ray}/<name>-<hash of its list>/`` with exactly what
its list in this folder names. A second run finds it; two runs at once wait for each other.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from services.fetch import FetchError, cache_folder

__all__ = ["FAKESNOW", "LOCAL_BIGQUERY", "Environment", "make_environments"]

_STAMP = "made"
_VERSION = "import ensurepip, sys, venv; sys.exit(sys.version_info < ({}, {}))"


@dataclass(frozen=True)
class Environment:
    """One environment.

    Attributes:
        name: Its list is ``<name>.txt`` beside this file.
        least: The oldest Python that will do.
        extensions: Extensions of DuckDB that it holds as wheels; they are put where DuckDB
            looks for them, below the environment.
    """

    name: str
    least: tuple[int, int]
    extensions: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it is, or would be."""
        mark = hashlib.sha256(self.wanted.read_bytes()).hexdigest()[:12]
        return cache_folder() / f"{self.name}-{mark}"

    @property
    def wanted(self) -> Path:
        """The list of its packages."""
        return Path(__file__).with_name(f"{self.name}.txt")

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def home(self) -> Path:
        """What its processes take for their home folder: DuckDB looks for extensions there."""
        return self.folder / "home"

    def missing(self) -> str:
        """Why nothing can be run in it; empty if it can."""
        if (self.folder / _STAMP).is_file() and self.python.exists():
            return ""
        return f"the environment of {self.name} is not made (make services)"

    def make(self) -> Path:
        """Make it unless it is there.

        Raises:
            FetchError: There is no Python for it, or pip fails.
        """
        cache_folder().mkdir(parents=True, exist_ok=True)
        with (cache_folder() / f"{self.folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.missing():
                shutil.rmtree(self.folder, ignore_errors=True)
                self._run([self._base_python(), "-m", "venv", str(self.folder)])
                pip = [str(self.python), "-m", "pip", "install", "--quiet"]
                pip += ["--disable-pip-version-check", "--no-deps", "-r", str(self.wanted)]
                self._run(pip)
                self.home.mkdir()
                code = "import sys; from duckdb_extensions import import_extension as give\n"
                code += "for name in sys.argv[1:]: give(name)"
                if self.extensions:
                    self._run([str(self.python), "-c", code, *self.extensions])
                (self.folder / _STAMP).touch()
        return self.folder

    def _base_python(self) -> str:
        for name in _interpreters(self.least):
            code = _VERSION.format(*self.least)
            ran = subprocess.run([name, "-c", code], capture_output=True, check=False)
            if ran.returncode == 0:
                return name
        wanted = ".".join(map(str, self.least))
        raise FetchError(f"{self.name} needs Python {wanted} or newer with its venv module")

    def _run(self, command: list[str]) -> None:
        environment = {**os.environ, "HOME": str(self.home)} if self.home.exists() else None
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if ran.returncode:
            tail = "\n".join((ran.stdout + ran.stderr).strip().splitlines()[-10:])
            raise FetchError(f"the environment of {self.name} cannot be made:\n{tail}")


FAKESNOW = Environment("fakesnow", (3, 11))
LOCAL_BIGQUERY = Environment("local-bigquery", (3, 13), ("ducklake", "icu", "json", "spatial"))


def make_environments() -> Iterator[str]:
    """Make all; says of each that cannot be made why."""
    for environment in (FAKESNOW, LOCAL_BIGQUERY):
        try:
            environment.make()
        except FetchError as error:
            yield str(error)


def _interpreters(least: tuple[int, int]) -> Iterator[str]:
    """Interpreters that may be new enough: this one, those on PATH, those of pyenv and uv."""
    yield sys.executable
    for minor in range(least[1], 16):
        found = shutil.which(f"python3.{minor}")
        if found is not None:
            yield found
    places = (Path.home() / ".pyenv" / "versions", Path.home() / ".local/share/uv/python")
    for place in places:
        for minor in range(least[1], 16):
            yield from map(str, sorted(place.glob(f"*3.{minor}*/bin/python3")))


def main() -> int:
    """Make all; what cannot be made is said, and its tests say so again."""
    for problem in make_environments():
        sys.stderr.write(f"environments: {problem}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What ``doctor`` looks at on this machine: programs, packages, memory, disk."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pbf_ray.cli.checks import Check

__all__ = ["machine_checks"]

_GIB: Final = 2**30
_PYTHON: Final = (3, 11)
_JAVA: Final = 17
_NEEDED: Final = (
    "numpy",
    "numba",
    "pyarrow",
    "polars",
    "deltalake",
    "confluent_kafka",
    "pydantic",
    "structlog",
    "rich",
    "ray",
)
_IMPORT: Final = """
import importlib, importlib.metadata, json, sys
for name in sys.argv[1:]:
    print(json.dumps({"name": name}), flush=True)
    try:
        importlib.import_module(name)
        found = importlib.metadata.version(name.replace("_", "-"))
        print(json.dumps({"version": found}), flush=True)
    except BaseException as error:
        print(json.dumps({"problem": f"{type(error).__name__}: {error}"}), flush=True)
"""


def machine_checks(data_dir: Path, object_store_mb: int | None) -> Iterator[Check]:
    """Look at this machine and its programs.

    Args:
        data_dir: Where the job will write.
        object_store_mb: What Ray will take of the shared memory.
    """
    yield _python(sys.version_info[:3])
    yield _program(
        "C++ compiler",
        [os.environ.get("CXX", ""), "c++", "g++", "clang++"],
        "--version",
        "install one (Debian: g++) to build pbf_ray from source; wheels need none",
    )
    yield _program(
        "make", ["make", "gmake"], "--version", "install make, for make demo and make test"
    )
    yield _java()
    yield _program(
        "Maven", ["mvn"], "--version", "install maven to test against Apache Kafka; else not needed"
    )
    yield from _packages(_NEEDED)
    yield _embedded_broker()
    yield _memory()
    yield _shared_memory(object_store_mb)
    yield _disk(data_dir)
    yield _writable(data_dir)


def _python(version: tuple[int, ...]) -> Check:
    text = ".".join(map(str, version))
    if version[:2] < _PYTHON:
        needed = ".".join(map(str, _PYTHON))
        return Check("Python", "fail", text, f"install Python {needed} or newer")
    return Check("Python", "ok", f"{text} at {sys.executable}")


def _program(name: str, candidates: list[str], option: str, advice: str) -> Check:
    for candidate in filter(None, candidates):
        path = shutil.which(candidate)
        if path is None:
            continue
        try:
            done = subprocess.run(
                [path, option],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Check(name, "warn", f"{path} does not run: {error}", advice)
        said = re.sub(r"\x1b\[[0-9;]*m", "", f"{done.stdout}\n{done.stderr}").strip()
        return Check(name, "ok", said.partition("\n")[0] or path)
    return Check(name, "warn", "not found", advice)


def _java() -> Check:
    advice = f"install Java {_JAVA} or newer to test against Apache Kafka; else not needed"
    found = _program("Java", ["java"], "-version", advice)
    number = re.search(r'version "(\d+)', found.found)
    if found.status == "ok" and (number is None or int(number[1]) < _JAVA):
        return Check("Java", "warn", found.found, advice)
    return found


def _packages(names: tuple[str, ...]) -> Iterator[Check]:
    # In a process of its own: a broken binary kills the process that imports it.
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT, *names],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    advice = "pip install --force-reinstall pbf_ray"
    for index in range(0, len(answers), 2):
        name = answers[index]["name"]
        if index + 1 == len(answers):
            problem = f"the import ended Python with {done.returncode}"
            yield Check(name, "fail", problem, advice)
        elif "problem" in answers[index + 1]:
            yield Check(name, "fail", answers[index + 1]["problem"], advice)
        else:
            yield Check(name, "ok", answers[index + 1]["version"])


def _embedded_broker() -> Check:
    from importlib.util import find_spec

    if find_spec("noida_db") is None:
        return Check(
            "embedded broker",
            "warn",
            "not installed",
            "pip install 'pbf_ray[embedded]', for pbf-ray demo",
        )
    return Check("embedded broker", "ok", "installed (for demos, never for production)")


def _memory() -> Check:
    free = _available_memory()
    if free is None:
        return Check("memory", "warn", "this system does not tell how much is free")
    text = f"{free / _GIB:.1f} GiB available"
    if free < 1.5 * _GIB:
        return Check("memory", "warn", text, "an idle Ray takes 0.7 GiB: close other programs")
    return Check("memory", "ok", text)


def _available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that may still be taken: of the machine, or of the container if that is less."""
    try:
        text = (root / "proc/meminfo").read_text()
    except OSError:
        return None
    match = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    if match is None:
        return None
    free = int(match[1]) * 1024
    group = root / "sys/fs/cgroup"
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return min(free, max(0, int(limit) - used)) if limit.isdigit() else free


def _shared_memory(object_store_mb: int | None, place: Path = Path("/dev/shm")) -> Check:  # noqa: S108
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        return Check("shared memory", "warn", f"there is no {place}", "Ray falls back to files")
    text = f"{free / 2**20:.0f} MB in {place}"
    if object_store_mb is not None and free < object_store_mb * 2**20:
        return Check(
            "shared memory",
            "warn",
            text,
            f"Ray wants {object_store_mb} MB: give the container more (docker: --shm-size), "
            "or set ray.object_store_mb",
        )
    return Check("shared memory", "ok", text)


def _nearest(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _disk(data_dir: Path) -> Check:
    free = shutil.disk_usage(_nearest(data_dir)).free
    text = f"{free / _GIB:.1f} GiB free for {data_dir}"
    if free < 0.2 * _GIB:
        return Check("disk", "fail", text, "make room, or set job.data_dir")
    if free < 2 * _GIB:
        return Check("disk", "warn", text, "make room, or set job.data_dir")
    return Check("disk", "ok", text)


def _writable(data_dir: Path) -> Check:
    place = _nearest(data_dir)
    if not place.is_dir():
        problem = f"{place} is not a folder"
        return Check("data folder", "fail", problem, "set job.data_dir to a folder")
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".pbf-ray-doctor-"):
            pass
    except OSError as error:
        return Check(
            "data folder",
            "fail",
            f"cannot write in {place}: {error.strerror}",
            "set job.data_dir to a folder that this user may write",
        )
    made = "" if place == data_dir else " (will be made)"
    return Check("data folder", "ok", f"{data_dir}{made}")

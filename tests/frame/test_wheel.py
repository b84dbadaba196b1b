"""The wheel is whole, and works where there is no source tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

# The C++ is compiled: minutes where others work as well.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

NOT_SOURCE = shutil.ignore_patterns(
    ".venv", ".git", ".*_cache", ".hypothesis", "__pycache__", "build", "dist", "*.egg-info",
    "pbf-data", "*.so", "node_modules",
)  # fmt: skip


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=1100,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def packages(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source package, built from a copy of the source tree."""
    place = tmp_path_factory.mktemp("wheel")
    shutil.copytree(repository, place / "source", ignore=NOT_SOURCE)
    # The source package first, and the wheel from it: so both are whole.
    _run(
        sys.executable, "-m", "build", "--no-isolation", "--outdir", place / "dist", ".",
        cwd=place / "source",
    )  # fmt: skip
    return place / "dist"


@pytest.fixture(scope="module")
def wheel(packages: Path) -> Path:
    """The one wheel."""
    (found,) = packages.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment with the wheel; the dependencies are those of the tests."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    _run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps",
        "--no-index", wheel,
        cwd=place,
    )  # fmt: skip
    # A path file names the packages of the tests' environment, behind those of this one. Their
    # own path files, and with them the source tree, are not read.
    mine = _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place)
    theirs = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(mine.strip()) / "dependencies.pth").write_text("\n".join(sorted(theirs)))
    return place / "bin"


def test_the_wheel_has_what_it_needs_and_nothing_else(wheel: Path, repository: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    source = repository / "src"
    wanted = {
        str(file.relative_to(source))
        for kind in ("*.py", "*.pyi", "*.toml", "py.typed")
        for file in (source / "pbf_ray").rglob(kind)
    }
    assert "pbf_ray/py.typed" in wanted
    page = source / "pbf_ray" / "http" / "page"
    wanted |= {str(file.relative_to(source)) for file in page.rglob("*") if file.is_file()}
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    wanted |= {f"{stub.removesuffix('.pyi')}{suffix}" for stub in wanted if stub.endswith(".pyi")}
    assert {name for name in names if name.startswith("pbf_ray/")} == wanted
    others = {name for name in names if not name.startswith("pbf_ray/")}
    assert all(".dist-info/" in name for name in others), others
    assert any(name.endswith("licenses/LICENSE") for name in others)


def test_the_source_package_builds_and_has_the_licence(packages: Path) -> None:
    (found,) = packages.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "setup.py", "README.md", "LICENSE"} <= names
    assert "src/pbf_ray/py.typed" in names
    assert {"native/core/byte_reader.hpp", "native/bind/module.cpp"} <= names
    assert not [name for name in names if name.endswith((".so", ".o"))]


def test_it_is_the_wheel_that_is_imported(installed: Path, tmp_path: Path) -> None:
    code = (
        "import pbf_ray, pbf_ray.cli.main, pbf_ray.formats; print(pbf_ray.__file__)\n"
        "assert all(hasattr(pbf_ray, name) for name in pbf_ray.__all__)"
    )
    said = _run(installed / "python", "-W", "error", "-c", code, cwd=tmp_path)
    assert Path(said.strip()).is_relative_to(installed.parent)


def test_the_command_works(installed: Path, tmp_path: Path, wheel: Path) -> None:
    version = wheel.name.split("-")[1]
    assert _run(installed / "pbf-ray", "--version", cwd=tmp_path) == f"pbf-ray {version}\n"
    shown = json.loads(_run(installed / "pbf-ray", "config", "show", "--json", cwd=tmp_path))
    assert shown["settings"]["stream.mode"] == {"value": "watermark", "source": "default"}


def test_a_stream_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    # Kernels are compiled once per installation; ahead, or every worker would do it at once.
    code = "from pbf_ray.kernels.loading import load_kernels; load_kernels()"
    _run(installed / "python", "-c", code, cwd=tmp_path)
    demo = ("demo", "--json", "--no-serve", "--seconds=2", "--layers=4")
    result = json.loads(_run(installed / "pbf-ray", *demo, cwd=tmp_path).splitlines()[-1])
    assert result["outcome"] == "finished"
    assert result["layers"] == 8
    assert result["consumed"] > 0

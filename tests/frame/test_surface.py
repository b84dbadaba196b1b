"""What every module exports, and what ``pbf_ray`` itself does."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import pbf_ray

FOUND = [
    module
    for module in pkgutil.walk_packages(pbf_ray.__path__, "pbf_ray.")
    if module.name != "pbf_ray.__main__"
]
MODULES = [module.name for module in FOUND]
PACKAGES = [module.name for module in FOUND if module.ispkg]


def _exported(module: ModuleType) -> list[str]:
    # A package that only holds its modules together exports nothing, and need not say so.
    if module.__name__ in PACKAGES:
        return list(getattr(module, "__all__", []))
    return list(module.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_exports_and_has_it(name: str) -> None:
    module = importlib.import_module(name)
    exported = _exported(module)
    assert len(set(exported)) == len(exported), "a name stands twice in __all__"
    missing = [item for item in exported if not hasattr(module, item)]
    assert not missing, f"{name}.__all__ names what is not there: {missing}"
    assert (module.__doc__ or "").strip(), f"{name} does not say what it is"


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_defines_is_private_or_exported(name: str) -> None:
    module = importlib.import_module(name)
    defined = {
        item
        for item, value in vars(module).items()
        if isinstance(value, type | FunctionType)
        and value.__module__ == name
        and not item.startswith("_")
    }
    assert defined <= set(_exported(module)), "name it in __all__, or begin it with _"


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_exports_all_that_it_brings_together(name: str) -> None:
    package = importlib.import_module(name)
    brought = {
        item
        for item, value in vars(package).items()
        if not item.startswith("_")
        and not isinstance(value, ModuleType)
        and item not in {"annotations", "TYPE_CHECKING"}
    }
    assert brought == set(_exported(package))


def test_the_public_surface() -> None:
    assert sorted(pbf_ray.__all__) == pbf_ray.__all__
    assert dir(pbf_ray) == pbf_ray.__all__
    for name in pbf_ray.__all__:
        assert getattr(pbf_ray, name) is not None
    namespace: dict[str, object] = {}
    exec("from pbf_ray import *", namespace)  # noqa: S102
    assert set(pbf_ray.__all__) <= set(namespace)
    with pytest.raises(AttributeError, match="no attribute 'NoSuchName'"):
        _ = pbf_ray.NoSuchName


def test_type_checkers_see_what_programs_get() -> None:
    # What stands under TYPE_CHECKING in pbf_ray/__init__.py, and where it is loaded from.
    tree = ast.parse(Path(str(pbf_ray.__file__)).read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pbf_ray")
        for alias in node.names
    }
    assert typed == pbf_ray._HOMES
    assert {*typed, "__version__"} == set(pbf_ray.__all__)


HEAVY = {
    "ray", "numba", "numpy", "pyarrow", "polars", "pandas", "confluent_kafka", "deltalake",
    "llvmlite", "pydantic", "rich", "structlog",
}  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import pbf_ray; dir(pbf_ray); pbf_ray.__version__", set()),
        ("from pbf_ray import PbfRayError", set()),
        ("from pbf_ray import Settings, load_settings; load_settings(environ={})", {"pydantic"}),
        ("from pbf_ray.cli.main import cli", set()),
    ],
)
def test_imports_are_light(statement: str, allowed: set[str]) -> None:
    code = f"{statement}\nimport sys\nprint(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == allowed


def test_streaming_does_not_need_ray() -> None:
    code = (
        "import pbf_ray, pbf_ray.streaming.pipeline, sys\n"
        "pbf_ray.StreamJob, pbf_ray.Results, pbf_ray.TableStore\n"
        "print('ray' in sys.modules, 'numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]

"""What all tests share: the broker, real data, Hypothesis profiles, marks by folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = [
    "support.brokers",
    "support.databases",
    "support.fuzzing",
    "support.sharing_out",
]

REPOSITORY = Path(__file__).resolve().parent.parent
CI = os.environ.get("CI") == "true"

# Hypothesis has a profile "ci" of its own, which always tries the same examples: not ours.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=False, print_blob=True)
settings.register_profile("fast", deadline=None, max_examples=20)
settings.register_profile("long", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if CI else "dev"))


def pytest_report_header() -> str:
    """Says which profile Hypothesis runs with."""
    return f"hypothesis profile of this run: {settings.get_current_profile_name()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts servers or Ray by its folder, and run it last.

    A Ray that one test started lives to the end of the session: no unit test is to see it.
    """
    for item in items:
        if _folder(item) in {"integration", "chaos", "cluster", "soak"}:
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.slow)
    order = ("unit", "frame", "conformance", "integration", "chaos", "cluster", "soak")
    items.sort(key=lambda item: order.index(_folder(item)))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(REPOSITORY / "tests").parts[0]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that is too large for the source tree: ``../shared/data``, or PBF_RAY_SHARED."""
    place = os.environ.get("PBF_RAY_SHARED")
    folder = (Path(place) if place else REPOSITORY.parent / "shared") / "data"
    if folder.is_dir():
        return folder
    missing = f"the real data is not in {folder}; PBF_RAY_SHARED may name its folder"
    if CI:
        pytest.fail(f"CI needs it: {missing}")
    pytest.skip(missing)

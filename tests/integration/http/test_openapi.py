"""The API does what its OpenAPI says, whatever is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from pbf_ray.http.app import create_app
from pbf_ray.http.queries import Queries
from support.http_results import WrittenJob, small_job
from support.small_builds import ascii_cli

ENDLESS = "/api/v1/events"
EXAMPLES = 20
UNDESCRIBED = {"bad-cursor", "too-wide", "unknown-field", "bad-build-file"}
"""What no OpenAPI can describe: a cursor is opaque, a series needs one of three parameters,
and a body of bytes may be no build file."""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> WrittenJob:
    folder = tmp_path_factory.mktemp("openapi")
    files = folder / "files"
    files.mkdir()
    (files / "M01-B001.cli").write_bytes(ascii_cli(4))
    # The name by which the client in the process asks.
    return small_job(folder, build_files=files, refresh_s=0.5, allowed_hosts=("testserver",))


@pytest.fixture(scope="module")
def schema(job: WrittenJob) -> Iterator[Any]:
    queries = Queries(job.settings)
    yield schemathesis.openapi.from_asgi("/api/v1/openapi.json", create_app(queries))
    queries.close()


def test_every_answer_is_as_described(schema: Any, subtests: pytest.Subtests) -> None:
    names = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == ENDLESS:
            continue
        names.append(operation.label)
        with subtests.test(operation.label):
            _ask(operation)
    assert len(names) >= 18


def _ask(operation: Any) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        answer = case.call()
        told = answer.json().get("type", "") if answer.status_code in {400, 422} else ""
        undescribed = told.removeprefix("urn:pbf-ray:problem:") in UNDESCRIBED
        case.validate_response(
            answer, excluded_checks=[positive_data_acceptance] if undescribed else []
        )

    ask()

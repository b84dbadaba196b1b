"""One Ray and one small Spark for all integration tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pbf_ray.batch.spark import spark_session
from pbf_ray.engine.cluster import connect, disconnect
from pbf_ray.errors import MissingDependencyError, PbfRayError
from support.taking_turns import start_alone


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A local Ray that the jobs of this process use.

    Its CPUs are shares that actors reserve: enough for the largest crew of any test.
    """
    token = tmp_path_factory.mktemp("ray") / "token"
    with start_alone():
        connected = connect(
            address=None, token_path=token, cpus_needed=4, object_store_mb=512, forward_logs=True
        )
    yield
    if connected:
        disconnect()


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A Spark session of two threads, in UTC; a skip where there is no Java, in CI a failure."""
    conf = {
        "spark.driver.memory": "512m",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
    }
    with ExitStack() as stack:
        try:
            session = stack.enter_context(spark_session("local[2]", app_name="tests", conf=conf))
        except PbfRayError as error:
            nothing_to_run_on = isinstance(error, MissingDependencyError) or "needed" in error.facts
            if not nothing_to_run_on:
                raise
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI needs Spark: {error}")
            pytest.skip(str(error))
        yield session

"""One small Spark for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pbf_ray.batch.spark import spark_session


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A Spark session of two threads."""
    conf = {"spark.driver.memory": "512m", "spark.sql.shuffle.partitions": "2"}
    with spark_session("local[2]", app_name="tests", conf=conf) as session:
        yield session

"""A Spark session, or one line that says what is missing for one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pbf_ray.batch.spark.warned import without_pandas_warning
from pbf_ray.errors import PbfRayError
from pbf_ray.optional import require

__all__ = ["JAVA_NEEDED", "spark_session"]

JAVA_NEEDED: Final = 17
"""The oldest Java that PySpark 4 runs on."""

_QUIET: Final = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}


@contextmanager
def spark_session(
    master: str, *, app_name: str = "pbf_ray", conf: Mapping[str, str] | None = None
) -> Iterator[Any]:
    """A Spark session that is stopped at the end; one that runs already is used and left.

    Args:
        master: ``local[*]``, ``local[2]``, ``spark://host:port``, ``yarn``, ``sc://host``, ...
        app_name: What Spark calls the job.
        conf: Further Spark settings; they win over those made here.

    Raises:
        MissingDependencyError: PySpark is not installed.
        PbfRayError: There is no Java, or none that is new enough; or Spark does not start.
    """
    with without_pandas_warning():
        sql = require("pyspark.sql", extra="spark", purpose="the Spark engine")
    running = sql.SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    if master.startswith("sc://"):
        # A client of Spark Connect needs no Java, and cannot set up the server.
        builder = sql.SparkSession.builder.remote(master)
        conf = {key: value for key, value in (conf or {}).items() if key.startswith("spark.sql.")}
        with _started(master, builder, conf) as session:
            yield session
        return
    _check_java()
    # Workers are to run the Python that runs here, with the same packages.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {**_QUIET, "spark.master": master, "spark.app.name": app_name}
    if master.startswith("local"):
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    with _started(master, sql.SparkSession.builder, {**settings, **(conf or {})}) as session:
        yield session


@contextmanager
def _started(master: str, builder: Any, conf: Mapping[str, str]) -> Iterator[Any]:
    for key, value in conf.items():
        builder = builder.config(key, value)
    try:
        with without_pandas_warning():
            session = builder.getOrCreate()
    except Exception as error:
        line = next((text for text in str(error).splitlines() if text.strip()), "no reason given")
        raise PbfRayError(
            f"Spark does not start with master {master}: {line}", advice="check spark.master"
        ) from error
    try:
        yield session
    finally:
        session.stop()


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    said = ""
    if java is not None and Path(java).exists():
        said = subprocess.run(
            [java, "-version"], capture_output=True, text=True, check=False, timeout=60
        ).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if found is None or int(found[1]) < JAVA_NEEDED:
        version = f"Java {found[1]} was found" if found else "none was found"
        raise PbfRayError(
            f"the Spark engine needs Java {JAVA_NEEDED} or newer, and {version}",
            advice=f"install Java {JAVA_NEEDED} and set JAVA_HOME, or use --engine ray",
            needed=JAVA_NEEDED,
        )

"""Fetches the servers that the integration tests run: ``python tests/services/fetch.py``.

Apache Kafka, its command line tools, what Spark needs to read from it, and a server that speaks
MongoDB's protocol come as jars from a Maven repository, through ``mvn`` and its own settings, into
``${PBF_RAY_CACHE:-~/.cache/pbf_ray}/<name>-<version>/``. A second run finds them and does nothing;
two runs at once wait for each other.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "KAFKA_VERSION",
    "MONGO_SERVER_VERSION",
    "SPARK_KAFKA_VERSION",
    "FetchError",
    "cache_folder",
    "fetch_apache_kafka",
    "fetch_kafka_tools",
    "fetch_mongo_server",
    "fetch_spark_kafka",
    "find_apache_kafka",
    "find_kafka_tools",
    "find_mongo_server",
    "find_spark_kafka",
]

KAFKA_VERSION = os.environ.get("PBF_RAY_KAFKA_VERSION", "4.4.0")

# The newest that works with the pyspark of requirements-dev.lock.
SPARK_KAFKA_VERSION = os.environ.get("PBF_RAY_SPARK_KAFKA_VERSION", "4.2.0")

MONGO_SERVER_VERSION = os.environ.get("PBF_RAY_MONGO_SERVER_VERSION", "1.47.0")

# Kafka 4 logs through slf4j 1.7 and brings log4j-api and log4j-core of this version.
_LOG4J_VERSION = "2.25.5"
_DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_STAMP = "fetched.json"

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>pbf_ray.tests</groupId>
  <artifactId>fetched</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>{dependencies}</dependencies>
</project>
"""

_DEPENDENCY = """
    <dependency>
      <groupId>{}</groupId>
      <artifactId>{}</artifactId>
      <version>{}</version>
    </dependency>
"""


@dataclass(frozen=True)
class _Jars:
    """Jars that belong together; the main one is the first that Maven is asked for."""

    name: str
    title: str
    version: str
    wanted: tuple[tuple[str, str, str], ...]

    @property
    def folder_name(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def main_jar(self) -> str:
        _, artifact, version = self.wanted[0]
        return f"{artifact}-{version}.jar"


_KAFKA = _Jars(
    "apache-kafka",
    "Apache Kafka",
    KAFKA_VERSION,
    (
        ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
        ("org.apache.logging.log4j", "log4j-slf4j-impl", _LOG4J_VERSION),
    ),
)
_KAFKA_TOOLS = _Jars(
    "kafka-tools",
    "Apache Kafka's command line tools",
    KAFKA_VERSION,
    (
        ("org.apache.kafka", "kafka-tools", KAFKA_VERSION),
        ("org.apache.logging.log4j", "log4j-slf4j-impl", _LOG4J_VERSION),
    ),
)
_SPARK_KAFKA = _Jars(
    "spark-kafka",
    "Spark's Kafka source",
    SPARK_KAFKA_VERSION,
    (("org.apache.spark", "spark-sql-kafka-0-10_2.13", SPARK_KAFKA_VERSION),),
)

_MONGO_SERVER = _Jars(
    "mongo-java-server",
    "the server with MongoDB's protocol",
    MONGO_SERVER_VERSION,
    (("de.bwaldvogel", "mongo-java-server-h2-backend", MONGO_SERVER_VERSION),),
)


class FetchError(RuntimeError):
    """A server cannot be fetched; the message says what to do."""


def cache_folder() -> Path:
    """Where fetched servers live."""
    named = os.environ.get("PBF_RAY_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "pbf_ray"


def find_apache_kafka() -> Path | None:
    """The folder of jars if an earlier run fetched all of them, else None."""
    return _find(_KAFKA)


def find_kafka_tools() -> Path | None:
    """The folder of jars of Kafka's command line tools; as ``find_apache_kafka``."""
    return _find(_KAFKA_TOOLS)


def find_spark_kafka() -> Path | None:
    """The folder of jars of Spark's Kafka source; as ``find_apache_kafka``."""
    return _find(_SPARK_KAFKA)


def find_mongo_server() -> Path | None:
    """The folder of jars of the server with MongoDB's protocol; as ``find_apache_kafka``."""
    return _find(_MONGO_SERVER)


def fetch_apache_kafka() -> Path:
    """Fetch the jars of Apache Kafka unless they are there.

    Returns:
        The folder that holds them.

    Raises:
        FetchError: If java or mvn is absent, or Maven fails.
    """
    return _fetch(_KAFKA)


def fetch_kafka_tools() -> Path:
    """Fetch the jars of Kafka's command line tools; as ``fetch_apache_kafka``."""
    return _fetch(_KAFKA_TOOLS)


def fetch_spark_kafka() -> Path:
    """Fetch the jars of Spark's Kafka source; as ``fetch_apache_kafka``."""
    return _fetch(_SPARK_KAFKA)


def fetch_mongo_server() -> Path:
    """Fetch the jars of the server with MongoDB's protocol; as ``fetch_apache_kafka``."""
    return _fetch(_MONGO_SERVER)


def _find(jars: _Jars) -> Path | None:
    folder = cache_folder() / jars.folder_name
    try:
        stamp = json.loads((folder / _STAMP).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    sizes = stamp.get("jars", {})
    for name, size in sizes.items():
        jar = folder / name
        if not jar.is_file() or jar.stat().st_size != size:
            return None
    return folder if sizes else None


def _fetch(jars: _Jars) -> Path:
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / jars.folder_name
    with (cache / f"{jars.folder_name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _find(jars)
        if found is not None:
            return found
        _require("java", "Debian: apt-get install openjdk-17-jre-headless (Kafka 4 needs 17)")
        _require("mvn", "Debian: apt-get install maven")
        work = Path(tempfile.mkdtemp(prefix=f"{jars.folder_name}-", dir=cache))
        try:
            _copy_jars(jars, work)
            shutil.rmtree(target, ignore_errors=True)
            work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target


def _require(program: str, advice: str) -> None:
    if shutil.which(program) is None:
        raise FetchError(f"{program} is not on PATH; {advice}")


def _copy_jars(wanted: _Jars, work: Path) -> None:
    pom = work / "pom.xml"
    dependencies = "".join(_DEPENDENCY.format(*one) for one in wanted.wanted)
    pom.write_text(_POM.format(dependencies=dependencies))
    command = [
        "mvn",
        "--batch-mode",
        "--quiet",
        "--file",
        str(pom),
        f"{_DEPENDENCY_PLUGIN}:copy-dependencies",
        f"-DoutputDirectory={work}",
        "-DincludeScope=runtime",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    jars = {jar.name: jar.stat().st_size for jar in sorted(work.glob("*.jar"))}
    if ran.returncode != 0 or wanted.main_jar not in jars:
        tail = "\n".join((ran.stdout + ran.stderr).strip().splitlines()[-15:])
        raise FetchError(f"mvn could not fetch {wanted.title} {wanted.version}:\n{tail}")
    (work / _STAMP).write_text(json.dumps({wanted.name: wanted.version, "jars": jars}, indent=1))


def main() -> int:
    """Fetch all; the exit code is 1 if Apache Kafka could not be fetched.

    Without one of the others its tests say so, and in CI fail.
    """
    try:
        folder = fetch_apache_kafka()
    except FetchError as error:
        sys.stderr.write(f"fetch: {error}\n")
        return 1
    sys.stdout.write(f"Apache Kafka {KAFKA_VERSION}: {folder}\n")
    for fetch in (fetch_kafka_tools, fetch_spark_kafka, fetch_mongo_server):
        try:
            fetch()
        except FetchError as error:
            sys.stderr.write(f"fetch: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Fetches the servers that the integration tests run: ``python tests/services/fetch.py``.

Apache Kafka comes as jars from a Maven repository, through ``mvn`` and its own settings, into
``${PBF_RAY_CACHE:-~/.cache/pbf_ray}/apache-kafka-<version>/``. A second run finds them and does
nothing; two runs at once wait for each other.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = [
    "KAFKA_VERSION",
    "FetchError",
    "cache_folder",
    "fetch_apache_kafka",
    "find_apache_kafka",
]

KAFKA_VERSION = os.environ.get("PBF_RAY_KAFKA_VERSION", "4.4.0")

# Kafka 4 logs through slf4j 1.7 and brings log4j-api and log4j-core of this version.
_LOG4J_VERSION = "2.25.5"
_DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_STAMP = "fetched.json"

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>pbf_ray.tests</groupId>
  <artifactId>apache-kafka</artifactId>
  <version>{kafka}</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{kafka}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>{log4j}</version>
    </dependency>
  </dependencies>
</project>
"""


class FetchError(RuntimeError):
    """A server cannot be fetched; the message says what to do."""


def cache_folder() -> Path:
    """Where fetched servers live."""
    named = os.environ.get("PBF_RAY_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "pbf_ray"


def find_apache_kafka() -> Path | None:
    """The folder of jars if an earlier run fetched all of them, else None."""
    folder = cache_folder() / f"apache-kafka-{KAFKA_VERSION}"
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


def fetch_apache_kafka() -> Path:
    """Fetch the jars of Apache Kafka unless they are there.

    Returns:
        The folder that holds them.

    Raises:
        FetchError: If java or mvn is absent, or Maven fails.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"apache-kafka-{KAFKA_VERSION}"
    with (cache / f"apache-kafka-{KAFKA_VERSION}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = find_apache_kafka()
        if found is not None:
            return found
        _require("java", "Debian: apt-get install openjdk-17-jre-headless (Kafka 4 needs 17)")
        _require("mvn", "Debian: apt-get install maven")
        work = Path(tempfile.mkdtemp(prefix=f"apache-kafka-{KAFKA_VERSION}-", dir=cache))
        try:
            _copy_jars(work)
            shutil.rmtree(target, ignore_errors=True)
            work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target


def _require(program: str, advice: str) -> None:
    if shutil.which(program) is None:
        raise FetchError(f"{program} is not on PATH; {advice}")


def _copy_jars(work: Path) -> None:
    pom = work / "pom.xml"
    pom.write_text(_POM.format(kafka=KAFKA_VERSION, log4j=_LOG4J_VERSION))
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
    if ran.returncode != 0 or f"kafka_2.13-{KAFKA_VERSION}.jar" not in jars:
        tail = "\n".join((ran.stdout + ran.stderr).strip().splitlines()[-15:])
        raise FetchError(f"mvn could not fetch Apache Kafka {KAFKA_VERSION}:\n{tail}")
    (work / _STAMP).write_text(json.dumps({"kafka": KAFKA_VERSION, "jars": jars}, indent=1))


def main() -> int:
    """Fetch all servers; the exit code is 1 if one of them could not be fetched."""
    try:
        folder = fetch_apache_kafka()
    except FetchError as error:
        sys.stderr.write(f"fetch: {error}\n")
        return 1
    sys.stdout.write(f"Apache Kafka {KAFKA_VERSION}: {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

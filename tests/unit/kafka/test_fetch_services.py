"""The fetching of the test broker, with a Maven that only pretends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from services import fetch

MAVEN = """\
#!/bin/sh
echo called >> "{calls}"
for argument in "$@"; do
  case "$argument" in -DoutputDirectory=*) folder="${{argument#-DoutputDirectory=}}";; esac
done
[ -e "{broken}" ] && {{ echo "[ERROR] could not resolve"; exit 1; }}
echo jar > "$folder/kafka_2.13-{version}.jar"
echo jar > "$folder/kafka-tools-{version}.jar"
echo jar > "$folder/spark-sql-kafka-0-10_2.13-{spark}.jar"
echo jar > "$folder/mongo-java-server-h2-backend-{mongo}.jar"
echo other > "$folder/other.jar"
"""


class Maven:
    """A program ``mvn`` that writes a few jars and counts its calls."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.broken = folder / "broken"
        self._calls = folder / "calls"
        script = MAVEN.format(
            calls=self._calls,
            broken=self.broken,
            version=fetch.KAFKA_VERSION,
            spark=fetch.SPARK_KAFKA_VERSION,
            mongo=fetch.MONGO_SERVER_VERSION,
        )
        for name, text in (("mvn", script), ("java", "#!/bin/sh\n")):
            (self.programs / name).write_text(text)
            (self.programs / name).chmod(0o755)

    @property
    def calls(self) -> int:
        return self._calls.read_text().count("called") if self._calls.exists() else 0


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PBF_RAY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def maven(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> Maven:
    pretended = Maven(tmp_path)
    monkeypatch.setenv("PATH", f"{pretended.programs}:/usr/bin:/bin")
    return pretended


def leftovers(cache: Path) -> list[str]:
    kept = {f"apache-kafka-{fetch.KAFKA_VERSION}", f"apache-kafka-{fetch.KAFKA_VERSION}.lock"}
    return sorted({path.name for path in cache.iterdir()} - kept)


def test_fetching_is_done_once(cache: Path, maven: Maven) -> None:
    assert fetch.find_apache_kafka() is None
    folder = fetch.fetch_apache_kafka()
    assert folder.parent == cache
    assert fetch.find_apache_kafka() == folder
    assert fetch.fetch_apache_kafka() == folder
    assert maven.calls == 1
    assert leftovers(cache) == []


@pytest.mark.parametrize("damage", ["missing", "short", "stamp"])
def test_a_damaged_folder_is_fetched_again(cache: Path, maven: Maven, damage: str) -> None:
    folder = fetch.fetch_apache_kafka()
    if damage == "missing":
        (folder / "other.jar").unlink()
    elif damage == "short":
        (folder / "other.jar").write_text("")
    else:
        (folder / "fetched.json").write_text("{")
    assert fetch.find_apache_kafka() is None
    assert fetch.fetch_apache_kafka() == folder
    assert fetch.find_apache_kafka() == folder
    assert maven.calls == 2


def test_two_runs_at_once_fetch_once(cache: Path, maven: Maven) -> None:
    script = Path(fetch.__file__ or "")
    runs = [
        subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert said == {f"Apache Kafka {fetch.KAFKA_VERSION}: {fetch.find_apache_kafka()}\n"}
    assert maven.calls == 4, (
        "once for Kafka, its tools, Spark's source of it, and MongoDB's protocol"
    )
    assert None not in (fetch.find_kafka_tools(), fetch.find_spark_kafka())


def test_a_failing_maven_is_quoted_and_leaves_nothing(cache: Path, maven: Maven) -> None:
    maven.broken.touch()
    with pytest.raises(fetch.FetchError, match="could not resolve"):
        fetch.fetch_apache_kafka()
    assert fetch.find_apache_kafka() is None
    assert leftovers(cache) == []
    maven.broken.unlink()
    assert fetch.fetch_apache_kafka() == fetch.find_apache_kafka()


@pytest.mark.parametrize("program", ["mvn", "java"])
def test_an_absent_program_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, cache: Path, maven: Maven, program: str
) -> None:
    (maven.programs / program).unlink()
    monkeypatch.setenv("PATH", str(maven.programs))
    with pytest.raises(fetch.FetchError, match=rf"^{program} is not on PATH; Debian: apt-get"):
        fetch.fetch_apache_kafka()
    ran = subprocess.run(
        [sys.executable, str(fetch.__file__)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"{program} is not on PATH" in ran.stderr

"""The same inputs on every engine give the same output, to the byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pbf_ray.batch import read_builds
from pbf_ray.batch.builds import Engine, ReadingOptions, parse_builds
from pbf_ray.batch.builds.inputs import find_inputs
from pbf_ray.batch.builds.parsing import rows_of
from pbf_ray.batch.builds.tasks import split
from pbf_ray.batch.local import LocalEngine
from pbf_ray.batch.ray import RayEngine
from pbf_ray.batch.spark import SparkEngine
from pbf_ray.batch.spark import read_builds as read_builds_on_spark
from pbf_ray.config import Settings
from pbf_ray.contracts import BUILD_OUTPUTS
from pbf_ray.errors import BuildFileError, PbfRayError
from pbf_ray.jobs.builds import BuildsJob
from support.small_builds import ascii_cli, damaged_cli, output_digest, output_table

SPLIT = 40_000

# Ray Data warns of its own defaults when its context is made.
# PySpark warns of pandas 3 when rows come back as Arrow.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> list[Path]:
    """Some real files, and made ones of which some are bad; the made ones first."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "long.cli").write_bytes(ascii_cli(200))
    (folder / "bad.cli").write_bytes(damaged_cli(200, 150))
    (folder / "worse.cli").write_bytes(damaged_cli(90, 10).replace(b"$$LAYER/3.00", b"$$LAYR/3"))
    (folder / "none.sli").write_bytes(b"EOS 1993 SLI FILE" + bytes(20))
    (folder / "part.rea").write_bytes(b"\x01\x02\x03")
    (folder / "a b=c%.cli").write_bytes(ascii_cli(3))
    (folder / "notes.txt").write_text("no build")
    real = shared_data / "build_files"
    return [folder, real / "ovf", real / "amsxml"]


@pytest.fixture(scope="module")
def all_inputs(inputs: list[Path], shared_data: Path) -> list[Path]:
    """The same, and all real files."""
    return [inputs[0], shared_data / "build_files"]


@dataclass(frozen=True)
class Expected:
    """What one thread of this process makes of some inputs."""

    inputs: list[Path]
    options: ReadingOptions
    output: Path


@pytest.fixture(scope="module", params=["fail", "skip"])
def expected(
    request: pytest.FixtureRequest,
    inputs: list[Path],
    all_inputs: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Expected:
    """All inputs where bad files are left out, some where damaged layers are."""
    paths = {"fail": all_inputs, "skip": inputs}[request.param]
    options = ReadingOptions(on_damage=request.param)
    out = tmp_path_factory.mktemp("local")
    parsed = parse_builds(paths, out, engine=LocalEngine(1), options=options, split_bytes=SPLIT)
    status = {row["build"]: row["status"] for row in parsed.files.to_pylist()}
    assert status["long"] == status["a b=c%"] == "read"
    assert status["bad"] == {"fail": "failed", "skip": "partial"}[request.param]
    assert status["none"] == status["part"] == "failed"
    assert parsed.tasks > len(status) - 5
    return Expected(paths, options, out)


@pytest.mark.parametrize("name", ["local", "ray", "spark"])
def test_every_engine_writes_the_same_bytes(
    name: str, expected: Expected, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    engine: Engine
    if name == "ray":
        request.getfixturevalue("ray_cluster")
        engine = RayEngine()
    elif name == "spark":
        engine = SparkEngine(request.getfixturevalue("spark"))
    else:
        engine = LocalEngine(3)
    parse_builds(
        expected.inputs, tmp_path, engine=engine, options=expected.options, split_bytes=SPLIT
    )
    for table in BUILD_OUTPUTS:
        assert output_table(tmp_path, table).equals(output_table(expected.output, table)), table
    assert output_digest(tmp_path) == output_digest(expected.output)


@pytest.mark.parametrize("on_damage", ["fail", "skip"])
def test_how_files_are_split_changes_no_row(
    on_damage: Any, inputs: list[Path], tmp_path: Path, ray_cluster: None
) -> None:
    largest = max(file.size for file in find_inputs(inputs).files)
    options = ReadingOptions(on_damage=on_damage)
    for parts in (1, 2, 5):
        out = tmp_path / str(parts)
        size = -(-largest // parts)
        parse_builds(inputs, out, engine=RayEngine(), options=options, split_bytes=size)
        for table in BUILD_OUTPUTS:
            rows = output_table(out, table).to_pylist()
            assert rows == output_table(tmp_path / "1", table).to_pylist(), (parts, table)


@pytest.fixture(scope="module")
def rows(inputs: list[Path]) -> Callable[[str], pa.Table]:
    """The rows that the tasks give, one after another."""

    def read(what: Any) -> pa.Table:
        options = ReadingOptions(on_damage="skip")
        tasks = split(find_inputs(inputs).files, options, split_bytes=SPLIT)
        return pa.concat_tables([table for task in tasks for table in rows_of(task, what)])

    return read


ROWS_OF = ("vectors", "layers", "layer_exposures", "build_styles", "models", "metadata", "errors")


@pytest.mark.parametrize("what", ROWS_OF)
def test_datasets_of_ray_and_frames_of_spark_have_the_same_rows(
    what: Any, inputs: list[Path], rows: Callable[[str], pa.Table], ray_cluster: None, spark: Any
) -> None:
    wanted = rows(what)
    options = ReadingOptions(on_damage="skip")
    dataset = read_builds(inputs, what, options=options, split_bytes=SPLIT)
    batches = list(dataset.iter_batches(batch_format="pyarrow", batch_size=None))
    found = pa.concat_tables(batches)
    assert found.schema.names == wanted.schema.names
    assert _canonical(found) == _canonical(wanted)
    frame = read_builds_on_spark(spark, inputs, what, options=options, split_bytes=SPLIT)
    assert frame.columns == wanted.schema.names
    assert _canonical(frame.toArrow()) == _canonical(wanted)


def _canonical(table: pa.Table) -> list[str]:
    def plain(value: Any) -> Any:
        # Spark gives maps as lists of pairs, or as dictionaries, by its version.
        return dict(value) if value and isinstance(value, list) and _pairs(value) else value

    return sorted(
        repr({name: plain(value) for name, value in row.items()}) for row in table.to_pylist()
    )


def _pairs(values: list[Any]) -> bool:
    return all(isinstance(value, tuple) and len(value) == 2 for value in values)


def test_a_dataset_stops_at_a_bad_file_unless_told_otherwise(
    inputs: list[Path], ray_cluster: None
) -> None:
    with pytest.raises(BuildFileError, match=r"bad\.cli, byte \d+"):
        read_builds([inputs[0] / "bad.cli"]).count()
    assert read_builds([inputs[0] / "long.cli"]).count() == 2 * 199


class _DyingRay(RayEngine):
    """Kills the first process that has done a task, before it can say so."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def run(self, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        mark = self._mark

        def dies_once(task: Any) -> Any:
            receipt = work(task)
            try:
                mark.touch(exist_ok=False)
            except FileExistsError:
                return receipt
            os.kill(os.getpid(), signal.SIGKILL)
            return receipt

        yield from super().run(dies_once, tasks)


def test_a_worker_that_is_killed_changes_nothing(
    inputs: list[Path], tmp_path: Path, ray_cluster: None
) -> None:
    parse_builds(inputs, tmp_path / "calm", engine=LocalEngine(1), split_bytes=SPLIT)
    mark = tmp_path / "died"
    parse_builds(inputs, tmp_path / "out", engine=_DyingRay(mark), split_bytes=SPLIT)
    assert mark.exists()
    assert output_digest(tmp_path / "out") == output_digest(tmp_path / "calm")


@pytest.mark.parametrize("name", ["ray", "spark"])
def test_what_a_task_raises_comes_back_as_it_was(
    name: str, inputs: list[Path], request: pytest.FixtureRequest
) -> None:
    engine: Any = RayEngine()
    if name == "ray":
        request.getfixturevalue("ray_cluster")
    else:
        engine = SparkEngine(request.getfixturevalue("spark"))

    def fail(_task: Any) -> Any:
        raise PbfRayError("the disk is full", advice="make room", free_bytes=0)

    with pytest.raises(PbfRayError, match="the disk is full") as caught:
        list(engine.run(fail, [1, 2, 3]))
    assert (type(caught.value), caught.value.free_bytes) == (PbfRayError, 0)
    with pytest.raises(PbfRayError, match="a task failed: ZeroDivisionError") as unexpected:
        list(engine.run(lambda task: task // 0, [1, 2, 3]))
    assert "task // 0" in unexpected.value.traceback


def test_the_job_runs_as_the_settings_say(
    inputs: list[Path], tmp_path: Path, ray_cluster: None, spark: Any
) -> None:
    results = {}
    for engine in ("local", "ray", "spark"):
        builds = {"engine": engine, "split_bytes": SPLIT, "recoat_time_s": 9.0}
        job = BuildsJob(Settings(builds=builds))
        results[engine] = job.run(inputs, tmp_path / engine)
        assert results[engine].engine == engine
    assert output_digest(tmp_path / "ray") == output_digest(tmp_path / "spark")
    assert output_digest(tmp_path / "ray") == output_digest(tmp_path / "local")
    assert not results["ray"].whole
    assert spark.range(3).count() == 3, "a session that ran before still runs"


def test_the_command_starts_an_engine_of_its_own(inputs: list[Path], tmp_path: Path) -> None:
    words = ["builds", "parse", str(inputs[0] / "long.cli"), "--output", "out", "--json"]
    environment = {key: value for key, value in os.environ.items() if "RAY" not in key}
    done = subprocess.run(
        [sys.executable, "-m", "pbf_ray", *words],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert '"engine": "ray"' in done.stdout.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]

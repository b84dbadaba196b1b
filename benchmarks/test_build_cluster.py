"""Two hundred build files: Ray Data, Spark with the same parser, a pool of processes.

All write the same bytes, which is asserted before anything is timed. Results go to
``benchmarks/results/build_cluster.json``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from benchmarks.build_files import write_blocks, write_fragments
from benchmarks.comparison import compare, recorded

from pbf_ray.batch.builds import Engine, parse_builds
from pbf_ray.batch.ray import RayEngine
from pbf_ray.batch.spark import SparkEngine, spark_session
from pbf_ray.engine.cluster import connect, disconnect
from support.small_builds import output_digest

FILES = 200
ROUNDS = int(os.environ.get("PBF_RAY_BENCH_ROUNDS", "5"))
CORES = 2

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
    pytest.mark.timeout(3600),
]


class PoolEngine:
    """Does tasks in a pool of processes, which is what one writes without a cluster."""

    name = "pool"
    in_process = False

    def __init__(self) -> None:
        self.pool = ProcessPoolExecutor(CORES, mp_context=get_context("spawn"))

    def run(self, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        """The receipts, as they come."""
        yield from self.pool.map(work, tasks)


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Any]]:
    packages = ("pyarrow", "ray", "pyspark")
    with recorded("build_cluster", packages, files=FILES, rounds=ROUNDS) as found:
        yield found


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("builds")
    for number in range(FILES):
        file = folder / f"part-{number:03d}.cli"
        if number % 2:
            write_blocks(file, layers=10, vectors=4_000)
        else:
            write_fragments(file, layers=10, contours=600)
    return folder


def test_build_cluster(results: dict[str, Any], builds: Path, tmp_path: Path) -> None:
    megabytes = sum(file.stat().st_size for file in builds.iterdir()) / 1e6
    connected = connect(
        address=None,
        token_path=tmp_path / "token",
        cpus_needed=CORES,
        object_store_mb=256,
        forward_logs=False,
    )
    pool = PoolEngine()
    try:
        with spark_session(f"local[{CORES}]", conf={"spark.driver.memory": "2g"}) as session:
            engines: dict[str, Engine] = {
                "ray": RayEngine(),
                "spark": SparkEngine(session),
                "pool": pool,
            }
            calls = {name: _job(builds, tmp_path / name, each) for name, each in engines.items()}
            for call in calls.values():
                call()
            digest = output_digest(tmp_path / "ray")
            for name in ("spark", "pool"):
                assert output_digest(tmp_path / name) == digest, name
            peers = {name: calls[name] for name in ("spark", "pool")}
            compare(
                results, "build_cluster", megabytes, calls["ray"], peers, unit="mb_per_s",
                rounds=ROUNDS,
            )  # fmt: skip
    finally:
        pool.pool.shutdown()
        if connected:
            disconnect()


def _job(builds: Path, output: Path, engine: Engine) -> Callable[[], None]:
    def run() -> None:
        assert parse_builds([builds], output, engine=engine).by_status["read"] == FILES

    return run

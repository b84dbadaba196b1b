"""The batch form of the main job gives the same on every engine, and what the oracle says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from pbf_ray.batch.local import LocalEngine
from pbf_ray.batch.quality import QualityEngine, QualityOptions, TaskQuality, run_quality
from pbf_ray.batch.ray import RayEngine
from pbf_ray.batch.spark import SparkQuality
from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import MalformedRecordError
from pbf_ray.jobs.quality import QualityJob
from pbf_ray.monitoring.rules import Rule, RuleProfile
from support.oracle import assert_table
from support.quality_inputs import QualityInputs, output_tables, write_inputs
from support.small_builds import output_digest

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
]

SPLIT = 40_000
PROFILE = RuleProfile(
    name='two of "one" type',
    rules=(
        Rule("scan_speed", ">=", 1.2, 'fast "ü"', "warning"),
        Rule("temperature", "<=", 1600.0, "cool"),
        Rule("laser_power", ">", 200.0, "cool"),
    ),
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> QualityInputs:
    return write_inputs(tmp_path_factory.mktemp("records") / "in", "job")


@pytest.fixture(scope="module", params=["local", "ray", "spark"])
def engine(request: pytest.FixtureRequest) -> QualityEngine:
    if request.param == "spark":
        return SparkQuality(request.getfixturevalue("spark"))
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
        return TaskQuality(RayEngine())
    return TaskQuality(LocalEngine(2))


def test_every_engine_gives_what_the_oracle_says_to_the_bit(
    engine: QualityEngine, inputs: QualityInputs, tmp_path: Path
) -> None:
    options = QualityOptions(job_id="job", split_bytes=SPLIT, table_format="delta")
    made = run_quality([inputs.folder], tmp_path / "out", engine=engine, options=options)
    for name, table in output_tables(tmp_path / "out").items():
        assert_table(name, table, inputs.wanted.tables[name])
        assert made.rows[name] == table.num_rows
        lake = DeltaTable(tmp_path / "out" / name)
        files = {Path(uri).name for uri in lake.file_uris()}
        assert files == {path.name for path in (tmp_path / "out" / name).glob("*.parquet")}
        assert_table(name, _as_in_contract(name, lake), inputs.wanted.tables[name])
    assert inputs.wanted.books.items() <= made.books.to_plain().items()
    flags = [row["flagged"] for row in inputs.wanted.tables["ispm_monitoring"].values()]
    assert made.books.flagged == sum(flags)
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert (manifest["state"], manifest["books"]) == ("complete", made.books.to_plain())
    if engine.name == "ray":
        again = TaskQuality(LocalEngine(1))
        run_quality([inputs.folder], tmp_path / "local", engine=again, options=options)
        for name, table in output_tables(tmp_path / "local").items():
            key = OUTPUT_TABLES[name].key
            mine = output_tables(tmp_path / "out")[name]
            assert mine[key].to_pylist() == table[key].to_pylist(), f"{name}: another order"


def test_every_engine_knows_profiles_modes_and_empty_input(
    engine: QualityEngine, inputs: QualityInputs, tmp_path: Path
) -> None:
    options = QualityOptions(
        job_id="job", malformed="drop", quality_metrics=False, profile_toml=PROFILE.to_toml()
    )
    odd = inputs.folder / "odd.ndjson"
    made = run_quality([odd], tmp_path / "out", engine=engine, options=options)
    void = [
        row for row in inputs.wanted.tables["dead_letters"].values() if row["topic"] == odd.name
    ]
    kept = [row for row in void if row["reason"] == "unstorable"]
    assert len(kept) == 2
    assert (made.books.dead_letters, made.books.dropped) == (2, len(void) - 2)
    assert not (tmp_path / "out" / "quality_metrics").exists()
    other = run_quality(
        [odd], tmp_path / "local", engine=TaskQuality(LocalEngine(1)), options=options
    )
    assert made.books == other.books
    assert set(made.books.anomalies_by_type) == {'fast "ü"', "cool"}
    found, wanted = (
        {
            row["layer_key"]: row["anomalies_by_type"]
            for row in _read(folder, "layer_quality").to_pylist()
        }
        for folder in (tmp_path / "out", tmp_path / "local")
    )
    assert found == wanted
    empty = run_quality([inputs.folder / "empty.jsonl"], tmp_path / "out", engine=engine)
    assert empty.books.consumed == 0
    assert {name: table.num_rows for name, table in output_tables(tmp_path / "out").items()} == (
        empty.rows
    )
    with pytest.raises(MalformedRecordError, match=r"odd\.ndjson/0 offset \d+"):
        run_quality(
            [odd], tmp_path / "out", engine=engine, options=QualityOptions(malformed="fail")
        )
    assert _read(tmp_path / "out", "ispm_monitoring").num_rows == 0, "nothing was replaced"


def _as_in_contract(name: str, lake: DeltaTable) -> pa.Table:
    return lake.to_pyarrow_table().cast(OUTPUT_TABLES[name].schema)


def _read(folder: Path, table: str) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(folder / table)


def test_the_job_runs_as_the_settings_say(
    inputs: QualityInputs, tmp_path: Path, ray_cluster: None
) -> None:
    digests = []
    for name in ("local", "ray"):
        job = QualityJob(Settings(batch={"engine": name}, job={"name": "job"}))
        result = job.run([inputs.folder / "columns.parquet"], tmp_path / name)
        assert (result.engine, result.job_id) == (name, "job")
        assert result.books["consumed"] == result.books["accepted"] > 300
        digests.append({path.partition("/")[0] for path in output_digest(tmp_path / name)})
    assert digests[0] == digests[1]

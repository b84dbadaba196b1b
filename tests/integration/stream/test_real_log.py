"""The real 1501-layer machine log, from file to layer results, by the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pbf_ray.config import Settings
from pbf_ray.jobs.results import Results

ROOT = Path(__file__).parents[3]
MAPPING = ROOT / "examples/mappings/lpbf_layer_log.toml"
PROFILE = ROOT / "examples/profiles/lpbf_layer_log.toml"
LAYERS = 1501


def run(*arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "pbf_ray", *arguments],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def burn_log(shared_data: Path) -> Path:
    return shared_data / "process" / "13.02.2025_burn.log"


def test_1501_layers_from_file_to_results(
    burn_log: Path, kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic = make_topic(partitions=12)
    sent = run(
        "replay", str(burn_log), "--mapping", str(MAPPING), "--topic", topic,
        "--bootstrap-servers", kafka_broker, "--speed", "max", "--json",
    )  # fmt: skip
    assert (sent["sent"], sent["failed"]) == (LAYERS, 0)

    def stream(job: str, *more: str) -> tuple[dict, Results]:
        result = run(
            "stream", "--until-end", "--job", job, "--topic", topic, "--data-dir", str(tmp_path),
            "--bootstrap-servers", kafka_broker, "--json", *more,
        )  # fmt: skip
        return result, Results(Settings(job={"name": job, "data_dir": tmp_path}))

    result, results = stream("default-rules")
    assert result["consumed"] == result["accepted"] == result["layers"] == LAYERS
    assert (result["dead_letters"], result["late"], result["duplicates"]) == (0, 0, 0)
    # The default profile takes 1.0 bar for the upper limit; this healthy machine runs above it.
    assert result["anomalies_by_type"] == {"high_pressure": LAYERS}

    layers = results.polars("layer_quality").sort("layer")
    assert layers["layer"].to_list() == list(range(LAYERS))
    assert layers["n"].unique().to_list() == [1]
    assert layers["pressure_min"].min() == 1.0023
    assert layers["pressure_max"].max() == 1.0144
    assert layers["pressure_avg"].to_list()[:2] == [1.0036, 1.0123]
    # One record a layer: no deviation, hence the lowest score ("not enough data").
    assert layers["pressure_std"].null_count() == LAYERS
    assert layers["quality_score"].unique().to_list() == [0.4]
    for channel in ("temperature", "laser_power", "scan_speed"):
        assert layers[f"{channel}_n"].sum() == 0, "the log has none"
    first, last = layers["first_timestamp"].to_list()[0], layers["last_timestamp"].to_list()[-1]
    assert last - first == (27 - 14) * 3600 + (0 - 37) * 60 + (49 - 11), "over midnight"
    assert results.count("quality_metrics") == results.count("ispm_monitoring") == LAYERS

    suited, _ = stream("suited-rules", "--profile", str(PROFILE))
    assert suited["layers"] == LAYERS
    assert suited["anomalies_by_type"] == {}


def test_layers_of_one_record_are_shown_as_not_enough_data(
    kafka_broker: str, make_topic: Callable[..., str], tmp_path: Path
) -> None:
    topic = make_topic(partitions=3)
    excerpt = ROOT / "tests/data/process/lpbf_layer_log_excerpt.log"
    run(
        "replay", str(excerpt), "--mapping", str(MAPPING), "--topic", topic,
        "--bootstrap-servers", kafka_broker, "--speed", "max", "--json",
    )  # fmt: skip
    shown = subprocess.run(
        [
            sys.executable, "-m", "pbf_ray", "stream", "--until-end", "--topic", topic,
            "--data-dir", str(tmp_path), "--bootstrap-servers", kafka_broker,
        ],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "not enough data" in shown.stdout

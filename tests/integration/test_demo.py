"""``make demo``: two at once, which never mix."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pbf_ray import Results, Settings
from pbf_ray.contracts import OUTPUT_TABLES

WANTED = {
    "consumed", "accepted", "dead_letters", "late", "anomalies", "layers", "seconds", "outputs",
}  # fmt: skip


def _start(folder: Path, seed: int) -> subprocess.Popen[str]:
    options = ["--json", "--no-serve", "--seconds=4", "--layers=6", f"--seed={seed}"]
    return subprocess.Popen(
        [sys.executable, "-m", "pbf_ray", "demo", *options],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _result(demo: subprocess.Popen[str]) -> dict[str, Any]:
    said, told = demo.communicate(timeout=240)
    assert demo.returncode == 0, f"{said}\n{told}"
    result = json.loads(said.splitlines()[-1])
    assert result.keys() >= WANTED
    return dict(result)


def test_two_demos_at_once(tmp_path: Path) -> None:
    demos = [_start(tmp_path, seed) for seed in (1, 2)]
    try:
        found = [_result(demo) for demo in demos]
    finally:
        for demo in demos:
            demo.kill()
    assert found[0]["job_id"] != found[1]["job_id"]
    for result in found:
        _assert_whole(result, tmp_path / "pbf-data")


def _assert_whole(result: dict[str, Any], data_dir: Path) -> None:
    assert result["outcome"] == "finished"
    assert result["layers"] == 12  # of two machines
    assert result["anomalies"] > 0
    assert result["pending"] == 0
    assert result["consumed"] == sum(
        result[name] for name in ("accepted", "dead_letters", "late", "dropped", "duplicates")
    )
    # What was sent is what was read, and nobody else's records are among it.
    truth = json.loads(Path(result["outputs"]["ground truth"]).read_text(encoding="utf-8"))
    assert truth["sent"] == result["consumed"]
    results = Results(Settings(job={"name": result["job_id"], "data_dir": data_dir}))
    for table, count in (
        ("ispm_monitoring", result["accepted"]),
        ("quality_metrics", result["accepted"]),
        ("layer_quality", result["layers"]),
        ("ispm_anomalies", result["anomalies"]),
        ("dead_letters", result["dead_letters"]),
        ("late_records", result["late"]),
    ):
        assert results.count(table) == count, table
    assert set(OUTPUT_TABLES) < set(result["outputs"])

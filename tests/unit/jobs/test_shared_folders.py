"""What may be a folder on a cluster of several machines, and what the refusal says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pbf_ray.config import Settings
from pbf_ray.errors import SettingError
from pbf_ray.jobs.shared_folders import (
    batch_folders,
    require_shared,
    serve_folders,
    stream_folders,
)

SHARED = Path("/mnt/pbf")


def settings(**stores: Any) -> Settings:
    return Settings(
        job={"data_dir": "/srv/pbf"}, stores=stores, ray={"shared_folders": [str(SHARED)]}
    )


def refused(made: Settings) -> list[str]:
    """Keys that are refused, one after the other."""
    keys = []
    for use in stream_folders(made):
        try:
            require_shared([use], made.ray.shared_folders, several=True)
        except SettingError as error:
            keys.append(error.facts["key"])
    return keys


def test_the_embedded_profile_is_for_one_machine() -> None:
    made = settings()
    require_shared(stream_folders(made), (), several=False)
    assert refused(made) == [
        "checkpoint.path",
        "stores.root",
        "stores.operational_structured",
        "stores.operational_cache",
    ]


def test_a_shared_file_system_and_servers_will_do() -> None:
    made = settings(operational_structured="postgres", operational_cache="none").replace(
        {"job.data_dir": SHARED / "jobs"}
    )
    assert refused(made) == []


def test_sqlite_is_refused_on_a_shared_file_system_too() -> None:
    made = settings(root=SHARED / "stores").replace({"checkpoint.path": SHARED / "checkpoint"})
    assert refused(made) == ["stores.operational_structured", "stores.operational_cache"]


def test_tables_that_go_elsewhere_need_no_folder() -> None:
    made = settings(profile="production").replace(
        {
            "checkpoint.path": SHARED / "checkpoint",
            "tables.ispm_monitoring": "structured",
            "tables.quality_metrics": "document",
        }
    )
    assert refused(made) == []


@pytest.mark.parametrize("path", ["/mnt/pbf2/checkpoint", "/mnt", "/mnt/other/pbf"])
def test_a_folder_whose_name_only_looks_alike_is_not_shared(path: str) -> None:
    made = settings().replace({"checkpoint.path": path})
    assert "checkpoint.path" in refused(made)


def test_the_message_says_what_to_use() -> None:
    made = settings()
    with pytest.raises(SettingError) as caught:
        require_shared(stream_folders(made), made.ray.shared_folders, several=True)
    text = str(caught.value)
    assert "several nodes" in text
    assert "/srv/pbf" in text
    assert "ray.shared_folders" in text


def test_serving_keeps_its_ledger_on_one_machine() -> None:
    made = settings(root=SHARED, operational_structured="postgres")
    with pytest.raises(SettingError, match="ledger"):
        require_shared(serve_folders(made), made.ray.shared_folders, several=True)


@pytest.mark.parametrize(
    ("inputs", "output", "problem"),
    [
        (["s3://bucket/in", "kafka://ispm-monitoring?end=latest"], "s3://bucket/out", None),
        ([SHARED / "in.jsonl", "/mnt/pbf/*.cli"], "file:///mnt/pbf/out", None),
        (["file:///srv/in"], "s3://bucket/out", "the input"),
        (["s3://bucket/in"], "out", "the output"),
    ],
)
def test_batches_read_and_write_what_all_nodes_see(
    inputs: list[str | Path], output: str, problem: str | None
) -> None:
    uses = list(batch_folders(inputs, output))
    require_shared(uses, (SHARED,), several=False)
    if problem is None:
        require_shared(uses, (SHARED,), several=True)
    else:
        with pytest.raises(SettingError, match=problem):
            require_shared(uses, (SHARED,), several=True)

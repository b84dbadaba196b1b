"""The files for ``ray up`` and for KubeRay: what Ray takes, and what pbf_ray needs on each node."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import (
    _derive_autoscaling_config_from_ray_cr,
)
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import start

from pbf_ray.config import Settings
from pbf_ray.jobs.shared_folders import require_shared, stream_folders
from support.pages import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "cluster"
LAUNCHED = ["cluster.yaml", "aws.yaml"]


def read(name: str) -> dict[str, Any]:
    folder = REPOSITORY if name == "cluster.yaml" else FOLDER
    made: dict[str, Any] = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
    return made


def started(command: str) -> dict[str, Any]:
    """The options of a ``ray start``, parsed by Ray's own command."""
    words = shlex.split(command.partition("/ray start ")[2].partition(" && ")[0])
    parsed: dict[str, Any] = start.make_context("start", words, resilient_parsing=False).params
    return parsed


@pytest.mark.parametrize("name", LAUNCHED)
def test_ray_up_takes_it(name: str) -> None:
    validate_config(prepare_config(read(name)))


@pytest.mark.parametrize("name", LAUNCHED)
def test_every_node_starts_with_token_limits_and_spilling(name: str) -> None:
    config = read(name)
    for role in ("head", "worker"):
        stop, command = config[f"{role}_start_ray_commands"]
        assert stop.endswith("/ray stop")
        assert "ulimit -n 65536;" in command
        assert "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=~/.pbf-ray/token;" in command
        options = started(command)
        assert options["object_store_memory"] >= 10**9
        if role == "head":
            assert options["num_cpus"] == 0
            assert json.loads(options["resources"]) == {Settings().ray.coordinator_resource: 1}
            assert options["dashboard_host"] == "127.0.0.1"
        else:
            assert options["address"] == "$RAY_HEAD_IP:6379"
            assert options["object_spilling_directory"]
    assert list(config["file_mounts"]) == ["~/.pbf-ray/token"]


def test_the_autoscaler_of_kuberay_takes_it() -> None:
    cluster = read("kuberay.yaml")
    cluster["metadata"]["namespace"] = "default"
    config = _derive_autoscaling_config_from_ray_cr(cluster)
    validate_config(config)
    head = config["available_node_types"][config["head_node_type"]]
    assert head["resources"]["CPU"] == 0
    assert head["resources"][Settings().ray.coordinator_resource] == 1
    assert config["available_node_types"]["workers"]["max_workers"] == 8
    assert cluster["spec"]["authOptions"] == {"mode": "token"}


def test_its_settings_are_allowed_on_several_machines() -> None:
    settings = Settings.load(FOLDER / "settings.toml", {})
    require_shared(stream_folders(settings), settings.ray.shared_folders, several=True)

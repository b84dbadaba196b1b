"""What ``serve deploy`` is given: a file that Serve takes, and an app that asks for tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from pbf_ray.errors import SettingError
from pbf_ray.http import deployment


@pytest.fixture
def description(repository: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((repository / "deploy" / "serve.yaml").read_text())
    return found


def test_the_shipped_file_is_one_that_serve_takes(description: dict[str, Any]) -> None:
    schema = ServeDeploySchema.model_validate(description)
    (application,) = schema.applications
    module, _, name = application.import_path.partition(":")
    assert (module, getattr(deployment, name)) == (deployment.__name__, deployment.build)
    (settings,) = application.deployments
    assert settings.name == "results"


def test_its_arguments_are_settings(
    description: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(deployment, "application", lambda settings: settings)
    (application,) = description["applications"]
    settings: Any = deployment.build(application["args"])
    assert settings.http.max_running == 64
    # Serve listens where it was told, which the application cannot know.
    assert settings.http.tokens_required
    file = tmp_path / "hall.toml"
    file.write_text('[job]\nname = "hall"\n[http]\ntokens_required = false\n')
    settings = deployment.build({"config": str(file)})
    assert (settings.job.name, settings.http.tokens_required) == ("hall", True)
    with pytest.raises(SettingError, match=r"http\.nonsense"):
        deployment.build({"http.nonsense": 1})


def test_a_replica_has_room_for_all_that_it_may_hold() -> None:
    from pbf_ray.config import Settings

    http = {"replicas": 3, "max_running": 5, "max_waiting": 7, "max_event_streams": 11}
    bound: Any = deployment.application(Settings(http=http))
    found = bound._bound_deployment
    assert found.num_replicas == 3
    assert found.max_ongoing_requests == found.max_queued_requests == 23

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from pbf_ray.config import Settings


@dataclass
class Served:
    settings: Settings
    address: str = "http://127.0.0.1:1/"
    calls: list[str] = field(default_factory=list)

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Served]:
    made: list[Served] = []

    def serve(settings: Settings, *, or_any_port: bool) -> Served:
        assert not or_any_port
        made.append(Served(settings))
        return made[-1]

    class Told:
        """As if Ctrl-C had come at once."""

        class asked:  # noqa: N801
            @staticmethod
            def wait(_: float) -> bool:
                return True

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

        def renew(self) -> None: ...

    monkeypatch.setattr("pbf_ray.http.serving.serve_results", serve)
    monkeypatch.setattr("pbf_ray.cli.signals.StopSignals", Told)
    return made


def test_it_says_where_and_ends_at_a_signal(run: Any, served: list[Served]) -> None:
    result = run("serve", "--job", "hall", "--port", 0, "--replicas", 2)
    assert result.exit_code == 0, result.stderr
    assert "serving job hall at http://127.0.0.1:1/\n" in result.stdout
    assert "token" not in result.stderr
    (one,) = served
    assert one.calls == ["close"]
    assert (one.settings.http.port, one.settings.http.replicas) == (0, 2)
    assert one.settings.http.host == "127.0.0.1"
    plain = json.loads(run("serve", "--json").stdout)
    assert plain == {"address": "http://127.0.0.1:1/", "job_id": "pbf-stream"}


def test_elsewhere_it_speaks_of_tokens(run: Any, served: list[Served]) -> None:
    assert "serve token add" in run("serve", "--host", "0.0.0.0").stderr  # noqa: S104
    assert len(served) == 1


def test_tokens_from_the_command_line(run: Any) -> None:
    made = run("serve", "token", "add", "anna", "--scope", "decide")
    assert made.exit_code == 0
    assert made.stdout.startswith("pbf_")
    assert "not shown again" in made.stderr
    (listed,) = json.loads(run("serve", "token", "list", "--json").stdout)["tokens"]
    assert (listed["name"], listed["scope"]) == ("anna", "decide")
    assert made.stdout.strip() not in run("serve", "token", "list").stdout
    again = run("serve", "token", "add", "anna")
    assert (again.exit_code, "already" in again.stderr) == (1, True)
    assert run("serve", "token", "revoke", "anna").exit_code == 0
    assert run("serve", "token", "list").stdout == "there are no tokens\n"
    assert run("serve", "token", "add", "x", "--scope", "all").exit_code == 2

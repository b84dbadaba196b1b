"""The embedded broker without its package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pbf_ray.errors import BrokerError, MissingDependencyError
from pbf_ray.kafka.embedded import EmbeddedBroker


def test_without_the_package_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "noida_db", None)
    with pytest.raises(MissingDependencyError, match=r"pbf_ray\[embedded\]") as caught:
        EmbeddedBroker(tmp_path)
    assert caught.value.extra == "embedded"


def test_there_is_no_address_before_the_start(tmp_path: Path) -> None:
    pytest.importorskip("noida_db", reason="needs the extra: pip install 'pbf_ray[embedded]'")
    broker = EmbeddedBroker(tmp_path)
    with pytest.raises(BrokerError, match="not started"):
        _ = broker.bootstrap_servers
    broker.stop()

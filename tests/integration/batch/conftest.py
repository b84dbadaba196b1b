"""One Ray for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pbf_ray.engine.cluster import connect, disconnect


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A local Ray, or the one that this process is connected to already."""
    token: Path = tmp_path_factory.mktemp("ray") / "token"
    connected = connect(
        address=None, token_path=token, cpus_needed=2, object_store_mb=256, forward_logs=False
    )
    yield
    if connected:
        disconnect()

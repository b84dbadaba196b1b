"""One Ray for all integration tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pbf_ray.engine.cluster import connect, disconnect


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A local Ray that the jobs of this process use.

    Its CPUs are shares that actors reserve: enough for the largest crew of any test.
    """
    token = tmp_path_factory.mktemp("ray") / "token"
    connected = connect(
        address=None, token_path=token, cpus_needed=4, object_store_mb=512, forward_logs=True
    )
    yield
    if connected:
        disconnect()

"""One Ray for all tests of this folder."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pbf_ray.engine.cluster import connect, disconnect
from pbf_ray.kafka.client import client_config


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A local Ray that the jobs of this process use."""
    token: Path = tmp_path_factory.mktemp("ray") / "token"
    connected = connect(
        address=None, token_path=token, cpus_needed=4, object_store_mb=512, forward_logs=True
    )
    yield
    if connected:
        disconnect()


@pytest.fixture(scope="module")
def make_module_topic(kafka_broker: str, request: pytest.FixtureRequest) -> Callable[..., str]:
    """As ``make_topic``, for fixtures that a module shares."""
    admin = AdminClient(client_config(kafka_broker))

    def make(partitions: int = 1) -> str:
        name = f"{request.module.__name__.rpartition('.')[2]}-{uuid.uuid4().hex[:8]}"
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result()
        return name

    return make

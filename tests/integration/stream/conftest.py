"""Topics that the tests of a module share."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pbf_ray.kafka.client import client_config


@pytest.fixture(scope="module")
def make_module_topic(kafka_broker: str, request: pytest.FixtureRequest) -> Callable[..., str]:
    """As ``make_topic``, for fixtures that a module shares."""
    admin = AdminClient(client_config(kafka_broker))

    def make(partitions: int = 1) -> str:
        name = f"{request.module.__name__.rpartition('.')[2]}-{uuid.uuid4().hex[:8]}"
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result()
        return name

    return make

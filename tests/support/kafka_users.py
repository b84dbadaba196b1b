"""Users and their rights on the secure cluster of the tests, made as an operator makes them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Final

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.topics import TopicSpec, create_topics, delete_topics, describe_topics

__all__ = ["PASSWORD", "STREAM_RIGHTS", "add_scram_user", "allow"]

PASSWORD: Final = "right-password"  # noqa: S105 - of a broker that lives as long as a test

STREAM_RIGHTS: Final = ("topic READ", "topic DESCRIBE", "group READ")
"""What docs/kafka-cluster.md says the stream needs."""


def add_scram_user(bootstrap_servers: str, user: str, password: str = PASSWORD) -> None:
    """Make a user that both SCRAM mechanisms know."""
    admin = AdminClient(client_config(bootstrap_servers))
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        # The broker takes one change of a user a request.
        change = UserScramCredentialUpsertion(
            user, ScramCredentialInfo(mechanism, 4096), password.encode()
        )
        for answer in admin.alter_user_scram_credentials([change]).values():
            answer.result(30)
    _await_all_brokers(bootstrap_servers)


def allow(
    bootstrap_servers: str, user: str, rights: Iterable[str], *, topic: str, group: str = ""
) -> None:
    """Give a user rights, written as ``"topic READ"`` or ``"group READ"``."""
    admin = AdminClient(client_config(bootstrap_servers))
    bindings = []
    for right in rights:
        kind, operation = right.split()
        bindings.append(
            AclBinding(
                ResourceType[kind.upper()],
                topic if kind == "topic" else group,
                ResourcePatternType.LITERAL,
                f"User:{user}",
                "*",
                AclOperation[operation],
                AclPermissionType.ALLOW,
            )
        )
    for answer in admin.create_acls(bindings).values():
        answer.result(30)
    _await_all_brokers(bootstrap_servers)


def _await_all_brokers(bootstrap_servers: str) -> None:
    """Wait until every broker has applied what was changed before.

    Brokers hear of changes from the controller, in order, each when it comes to it. So whoever
    answers as the leader of a partition that is made now knows all that came before.
    """
    config = client_config(bootstrap_servers)
    topic, brokers = f"after-{uuid.uuid4().hex[:8]}", len(bootstrap_servers.split(","))
    create_topics(config, [TopicSpec(topic, brokers)])
    ClusterView(bootstrap_servers, [topic]).ends([(topic, number) for number in range(brokers)])
    (made,) = describe_topics(config, [topic])
    assert len({partition.leader for partition in made.partitions}) == brokers
    delete_topics(config, [topic])

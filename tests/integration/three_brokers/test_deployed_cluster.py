"""``deploy/kafka``: what users start is what the tests start, and what the topics count on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from pbf_ray.kafka.client import client_config, wait_for_broker
from pbf_ray.kafka.topics import ALL_TOPICS, create_topics, delete_topics, describe_topics
from services.fetch import KAFKA_VERSION, find_apache_kafka
from services.kafka_cluster import NODES, KafkaCluster
from services.server_settings import DEPLOYED, property_name, read_env, read_properties
from support.compose import environment_of, read_compose

SERVICE_KEYS = {
    "image", "restart", "stop_grace_period", "networks", "hostname", "ports", "volumes",
    "environment", "env_file",
}  # fmt: skip
PLAIN = [DEPLOYED / "compose.yaml"]
SECURE = [*PLAIN, DEPLOYED / "compose.secure.yaml"]


@pytest.fixture(scope="module")
def properties() -> dict[str, str]:
    return read_properties(DEPLOYED / "server.properties")


@pytest.mark.parametrize("files", [PLAIN, SECURE], ids=["plain", "secure"])
def test_the_compose_files_start_three_nodes_that_find_each_other(
    files: list[Path], properties: dict[str, str]
) -> None:
    whole = read_compose(*files, variables={"PBF_KAFKA_HOST": "kafka.example.org"})
    assert {key for key in whole if not key.startswith("x-")} == {
        "name", "services", "networks", "volumes",
    }  # fmt: skip
    services: dict[str, Any] = whole["services"]
    assert list(services) == [f"broker-{number}" for number in NODES]
    voters, published, clusters = [], set(), set()
    for number, (name, service) in zip(NODES, services.items(), strict=True):
        assert service.keys() <= SERVICE_KEYS
        assert service["image"] == f"apache/kafka:{KAFKA_VERSION}", "what the tests run"
        assert service["hostname"] == name
        assert set(service["networks"]) <= whole["networks"].keys()
        mounts = dict(mount.split(":")[:2] for mount in service["volumes"])
        assert mounts["./server.properties"] == "/mnt/shared/config/server.properties"
        assert mounts[f"data-{number}"] == properties["log.dirs"]
        assert f"data-{number}" in whole["volumes"]
        if files == SECURE:
            assert mounts[f"./secrets/{name}"] == "/etc/kafka/secrets"
        own = environment_of(service, DEPLOYED)
        clusters.add(own["CLUSTER_ID"])
        assert own["KAFKA_NODE_ID"] == str(number)
        listeners = dict(one.split("://") for one in own["KAFKA_LISTENERS"].split(","))
        told = dict(one.split("://") for one in own["KAFKA_ADVERTISED_LISTENERS"].split(","))
        assert told["BROKER"] == name + listeners["BROKER"]
        (port,) = service["ports"]
        outside, inside = port.split(":")
        published.add(outside)
        assert told["CLIENT"] == f"kafka.example.org:{outside}"
        assert listeners["CLIENT"] == f":{inside}"
        voters.append(f"{number}@{name}{listeners['CONTROLLER']}")
        security = own.get("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP")
        map_of = security or properties["listener.security.protocol.map"]
        assert {one.split(":")[0] for one in map_of.split(",")} == listeners.keys()
        assert ("PLAINTEXT" in map_of) == (files == PLAIN)
    assert properties["controller.quorum.voters"] == ",".join(voters)
    assert len(published) == 3
    assert len(clusters) == 1


def test_what_a_record_needs_is_what_the_topics_count_on(properties: dict[str, str]) -> None:
    for spec in ALL_TOPICS:
        assert properties["default.replication.factor"] == str(spec.replication)
        assert properties["min.insync.replicas"] == str(spec.min_insync_replicas)
    assert properties["num.partitions"] == str(max(spec.partitions for spec in ALL_TOPICS))
    assert properties["unclean.leader.election.enable"] == "false"
    inner = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    assert {properties[f"{name}.replication.factor"] for name in inner} == {"3"}
    assert properties["log.retention.bytes"] == "-1", "a week is a week, however much comes"
    assert not properties.keys() & read_env(DEPLOYED / "secure.env").keys() - {
        "listener.security.protocol.map"
    }


def test_the_running_cluster_has_these_settings(
    kafka_cluster: KafkaCluster, topic_name: str, properties: dict[str, str]
) -> None:
    config = client_config(kafka_cluster.bootstrap_servers)
    assert wait_for_broker(config, 30) == 3
    admin = AdminClient(config)
    overridden = {"controller.quorum.voters", "log.dirs", "listener.security.protocol.map",
                  "num.network.threads", "num.io.threads"}  # fmt: skip
    for number in NODES:
        resource = ConfigResource(ResourceType.BROKER, str(number))
        told = admin.describe_configs([resource])[resource].result(30)
        found = {key: entry.value for key, entry in told.items()}
        for key, value in properties.items():
            if key not in overridden and key in found:
                assert found[key] == value, key
    # A topic that somebody makes without any settings is as safe as ours.
    admin.create_topics([NewTopic(topic_name)])[topic_name].result(30)
    kafka_cluster.await_in_sync()
    (state,) = describe_topics(config, [topic_name])
    assert (len(state.partitions), state.replication) == (12, 3)
    assert state.config["min.insync.replicas"] == "2"
    assert state.config["unclean.leader.election.enable"] == "false"
    assert (state.config["retention.ms"], state.config["retention.bytes"]) == ("604800000", "-1")
    assert state.config["compression.type"] == "snappy"
    delete_topics(config, [topic_name])


def test_all_topics_as_specified_with_nothing_clamped(kafka_cluster: KafkaCluster) -> None:
    config = client_config(kafka_cluster.bootstrap_servers)
    made = create_topics(config, ALL_TOPICS)
    assert [(one.created, one.replication, one.clamped) for one in made] == [
        (True, 3, False)
    ] * len(ALL_TOPICS)
    assert all(not one.differences for one in create_topics(config, ALL_TOPICS))
    delete_topics(config, [spec.name for spec in ALL_TOPICS])


@pytest.mark.parametrize("files", [PLAIN, SECURE], ids=["plain", "secure"])
def test_the_official_images_own_set_up_takes_the_files(
    files: list[Path], needs_apache_kafka: None, tmp_path: Path
) -> None:
    # What the container runs before the broker: it joins the mounted file and the environment,
    # and formats the storage. Only the folders are ours.
    jars = find_apache_kafka()
    assert jars is not None
    service = read_compose(*files)["services"]["broker-2"]
    own = environment_of(service, DEPLOYED) | {"KAFKA_LOG_DIRS": str(tmp_path / "data")}
    for name in ("defaults", "mounted", "final"):
        (tmp_path / name).mkdir()
    shared = (DEPLOYED / "server.properties").read_text(encoding="utf-8")
    (tmp_path / "mounted" / "server.properties").write_text(shared, encoding="utf-8")
    folders = [
        part
        for name, option in (("defaults", "default"), ("mounted", "mounted"), ("final", "final"))
        for part in (f"--{option}-configs-dir", str(tmp_path / name))
    ]
    done = subprocess.run(
        ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*", "kafka.docker.KafkaDockerWrapper",
         "setup", *folders],
        env={**os.environ, **own}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    final: dict[str, str] = {}
    for line in (tmp_path / "final" / "server.properties").read_text().splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            final[key] = value  # the last one counts, as in Java
    wanted = read_properties(DEPLOYED / "server.properties") | {
        property_name(name): value
        for name, value in own.items()
        if name.startswith("KAFKA_") and name != "KAFKA_HEAP_OPTS"
    }
    assert {key: final.get(key) for key in wanted} == wanted
    meta = read_properties(tmp_path / "data" / "meta.properties")
    assert (meta["node.id"], meta["cluster.id"]) == ("2", own["CLUSTER_ID"])

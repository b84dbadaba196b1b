"""The test broker itself: a cluster of three, credentials, and the death of its owner."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pbf_ray.errors import AccessDeniedError
from pbf_ray.kafka.client import client_config, wait_for_broker
from services.apache_kafka import ApacheKafka, free_ports

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("needs_apache_kafka")]

OWNER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from services.apache_kafka import ApacheKafka
broker = ApacheKafka(Path(sys.argv[1]))
broker.start(wait=False)
print(broker.pid, flush=True)
time.sleep(300)
"""


def test_it_dies_with_its_owner(tmp_path: Path) -> None:
    tests = Path(__file__).resolve().parents[2]
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "kafka"), str(tests)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert owner.stdout is not None
        stat = Path(f"/proc/{int(owner.stdout.readline())}/stat")
        assert stat.exists()
    finally:
        owner.kill()
        owner.communicate()
    deadline = time.monotonic() + 30
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "the broker outlived its owner"
        time.sleep(0.02)


@pytest.mark.slow
def test_wrong_credentials_are_told_apart_from_an_absent_broker(tmp_path: Path) -> None:
    def login(password: str) -> dict[str, str]:
        return {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": "admin",
            "sasl.password": password,
        }

    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    with ApacheKafka(
        tmp_path / "kafka",
        listener="SASL_PLAINTEXT",
        properties={
            "sasl.enabled.mechanisms": "SCRAM-SHA-256",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-256",
            "listener.name.client.scram-sha-256.sasl.jaas.config": (
                f'{module} required username="admin" password="right";'
            ),
        },
        format_arguments=["--add-scram", "SCRAM-SHA-256=[name=admin,password=right]"],
        client=login("right"),
    ) as broker:
        assert wait_for_broker(client_config(broker.bootstrap_servers, login("right")), 30) == 1
        with pytest.raises(AccessDeniedError, match="invalid credentials") as caught:
            wait_for_broker(client_config(broker.bootstrap_servers, login("wrong")), 30)
        assert "wrong" not in str(caught.value)


@pytest.mark.slow
def test_three_nodes_make_one_cluster(tmp_path: Path) -> None:
    ports = free_ports(6)
    voters = ",".join(f"{node}@127.0.0.1:{ports[node + 2]}" for node in (1, 2, 3))
    nodes = [
        ApacheKafka(
            tmp_path / str(node),
            node_id=node,
            port=ports[node - 1],
            controller_port=ports[node + 2],
            voters=voters,
            heap="256m",
        )
        for node in (1, 2, 3)
    ]
    try:
        for node in nodes:
            node.start(wait=False)
        for node in nodes:
            node.wait_ready(brokers=3)
    finally:
        for node in nodes:
            node.close()

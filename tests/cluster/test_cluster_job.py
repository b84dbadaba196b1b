"""The main job on a Ray cluster of several machines: nodes die and join, the head is lost."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from cluster.forwarding import Forwarder
from cluster.ray_up import ON_HEAD, ray_up
from pbf_ray.config import Settings
from pbf_ray.jobs.status import job_status
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.offsets import ClusterView
from services.apache_kafka import ApacheKafka, free_ports
from services.machines import Machine, MachineNetwork
from services.postgres import PostgresServer
from services.server_settings import one_node
from support.oracle import ExpectedTables, Raw, expected
from support.pages import REPOSITORY
from support.stream_runs import assert_results, committed
from support.workload import Workload, produce

PARTITIONS = 12
WORKLOAD = Workload(30_000, seed=11, rows_per_layer=700)
JOB = "equality"


@dataclass
class Hall:
    """Machines, the broker and the database outside of the cluster, and the records."""

    network: MachineNetwork
    broker: str
    postgres: PostgresServer
    topic: str
    messages: list[tuple[bytes | None, bytes | None]]
    sent: list[Raw] = field(default_factory=list)

    def send(self, count: int) -> None:
        """Send further records of the workload."""
        first = len(self.sent)
        ends = {raw.partition: raw.offset + 1 for raw in self.sent}
        part = iter(self.messages[first : first + count])
        self.sent += produce(self.broker, self.topic, part, PARTITIONS, first_offsets=ends)

    def wanted(self) -> ExpectedTables:
        """The tables of the undisturbed run: the oracle's answer over all that was sent."""
        source = ClusterView(self.broker, [self.topic]).describe().topics[self.topic].source_id
        sources = {self.topic: source}
        return ExpectedTables(expected(self.sent, job_id=JOB, sources=sources, clock_s=time.time()))

    def settings(self, folder: Path) -> Settings:
        """The job's settings, as seen from here or from the machines."""
        return Settings(
            job={"name": JOB, "data_dir": folder / "jobs"},
            kafka={"bootstrap_servers": self.broker, "topics": [self.topic]},
            stream={"epoch_interval_ms": 100, "epoch_max_rows": 1_000},
            workers={"readers": 2, "windows": 2},
            stores={"operational_structured": "postgres", "operational_cache": "none"},
            postgres=self.postgres.settings,
        )


@pytest.fixture(scope="module")
def hall() -> Iterator[Hall]:
    with MachineNetwork(REPOSITORY / ".venv") as network:
        port, controller = free_ports(2)
        properties = one_node(1, port, controller) | {
            "listeners": f"CLIENT://0.0.0.0:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"CLIENT://{network.gateway}:{port}",
        }
        kafka = ApacheKafka(port=port, controller_port=controller, settings=properties)
        postgres = PostgresServer()
        try:
            kafka.start()
            postgres.start()
            broker = f"{network.gateway}:{port}"
            topic = "cluster"
            admin = AdminClient(client_config(broker))
            admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
            with Forwarder(network.gateway, postgres.port):
                yield Hall(network, broker, postgres, topic, list(WORKLOAD.in_time()))
        finally:
            kafka.close()
            postgres.close()


def _submit(hall: Hall, head: Machine, name: str, *arguments: str) -> None:
    hall.network.run(
        head,
        f"{ON_HEAD} ray job submit --no-wait --submission-id {name} -- "
        f"~/pbf-env/bin/pbf-ray --config /mnt/pbf/job.toml stream {' '.join(arguments)}",
    )


def _status(hall: Hall, head: Machine, name: str) -> str:
    said = hall.network.run(head, f"{ON_HEAD} ray job status {name}")
    found = re.search(r"\b(PENDING|RUNNING|STOPPED|SUCCEEDED|FAILED)\b|succeeded|failed", said)
    assert found, said
    return found.group().upper()


def _logs(hall: Hall, head: Machine, name: str) -> str:
    return hall.network.run(head, f"{ON_HEAD} ray job logs {name}")


def _await(what: Callable[[], bool], told: Callable[[], str], deadline_s: float = 300.0) -> None:
    end = time.monotonic() + deadline_s
    while not what():
        assert time.monotonic() < end, told()
        time.sleep(0.2)


def _actors(hall: Hall, head: Machine) -> dict[str, str]:
    """Address of the machine of each living actor, by its kind and number."""
    program = (
        "import ray, json; ray.init(address='auto', logging_level=50); "
        "from ray.util.state import list_actors, list_nodes; "
        "at = {n.node_id: n.node_ip for n in list_nodes()}; "
        "print(json.dumps([[a.name, at[a.node_id]] for a in "
        "list_actors(filters=[('state', '=', 'ALIVE')]) if a.name.startswith('equality/')]))"
    )
    said = hall.network.run(
        head, f'{ON_HEAD} unset RAY_ADDRESS; ~/pbf-env/bin/python -c "{program}"'
    )
    pairs: list[list[str]] = json.loads(said.strip().splitlines()[-1])
    return {name.split("/")[1]: address for name, address in pairs}


def test_nodes_die_and_join_and_the_head_is_lost(hall: Hall) -> None:
    network = hall.network
    _write_settings(hall)
    here = hall.settings(network.shared)
    head, one, two = (network.machine() for _ in range(3))
    ray_up(network, head, [one, two])
    _await_nodes(hall, head, 3)

    hall.send(10_000)
    _submit(hall, head, "first")
    _await(lambda: committed(here) >= 5_000, lambda: _logs(hall, head, "first"))
    homes = _actors(hall, head)
    assert homes["coordinator"] == head.address
    assert homes["reader-0"] == homes["window-0"]
    assert homes["reader-1"] == homes["window-1"]
    assert {homes["reader-0"], homes["reader-1"]} == {one.address, two.address}

    one.kill()
    hall.send(10_000)
    three = network.machine()
    ray_up(network, head, [two, three], "--no-restart")
    _await(lambda: committed(here) >= 15_000, lambda: _logs(hall, head, "first"))
    assert job_status(here, ask_broker=False).status.progress.restarts >= 1
    assert _status(hall, head, "first") == "RUNNING"

    head.kill()
    hall.send(len(hall.messages))
    another = network.machine()
    ray_up(network, another, [two, three])
    _await_nodes(hall, another, 3)
    _submit(hall, another, "second", "--until-end")
    _await(
        lambda: _status(hall, another, "second") not in {"PENDING", "RUNNING"},
        lambda: _logs(hall, another, "second"),
    )
    assert _status(hall, another, "second") == "SUCCEEDED", _logs(hall, another, "second")
    assert_results(here, hall.wanted())


def _await_nodes(hall: Hall, head: Machine, count: int) -> None:
    def alive() -> str:
        return hall.network.run(
            head,
            f'{ON_HEAD} unset RAY_ADDRESS; ~/pbf-env/bin/python -c "import ray; '
            "ray.init(address='auto', logging_level=50); "
            "print(sum(n['Alive'] for n in ray.nodes()))\"",
        )

    said = [""]

    def enough() -> bool:
        said[0] = alive()
        return said[0].strip().splitlines()[-1] == str(count)

    _await(enough, lambda: said[0])


def _write_settings(hall: Hall) -> None:
    on_machines: dict[str, dict[str, Any]] = {
        section: {key: value for key, value in values.items() if value != default[key]}
        for (section, values), default in zip(
            hall.settings(Path("/mnt/pbf")).to_plain(mask=False).items(),
            Settings().to_plain(mask=False).values(),
            strict=True,
        )
    }
    on_machines["postgres"]["host"] = hall.network.gateway
    on_machines["ray"] = {"address": "auto", "shared_folders": ["/mnt/pbf"]}
    text = ""
    for section, values in on_machines.items():
        if values:
            lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
            text += f"[{section}]\n" + "\n".join(lines) + "\n"
    (hall.network.shared / "job.toml").write_text(text, encoding="utf-8")

"""TLS, passwords and rights on real brokers: what fits works, what does not says what to mend.

The brokers are those of ``deploy/kafka`` with ``secure.env``; a certificate is good for 127.0.0.1
and not for localhost. No message, log line or listing ever shows the password.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from pbf_ray.errors import AccessDeniedError, BrokerError, SettingError, TlsError
from pbf_ray.kafka.client import client_config, wait_for_broker
from pbf_ray.kafka.listener import addresses, look_at_listener
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.partition_reader import PartitionReader
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.topics import TopicSpec, create_topics, describe_topics, list_topics
from services.kafka_cluster import KafkaCluster
from services.server_settings import DEPLOYED
from support.kafka_users import PASSWORD, STREAM_RIGHTS, add_scram_user, allow
from support.pages import REPOSITORY, blocks
from support.read_back import read_back
from support.stream_runs import settings_for, start_driver

WRONG = "wrong-password"
DOCUMENTED: dict[str, str] = next(
    tomllib.loads(block.text)["kafka"]["client"]
    for block in blocks(REPOSITORY / "docs" / "kafka-cluster.md")
    if block.file_name == "pbf-ray.toml"
)
"""What the page tells users to set."""


@dataclass
class Secure:
    """The cluster as a client with a name and a password knows it."""

    cluster: KafkaCluster
    stranger_ca: Path

    @property
    def servers(self) -> str:
        return self.cluster.secure_servers

    def client(self, **changes: str | None) -> dict[str, str]:
        """Settings that work, with changes: underscores for dots, None takes one away."""
        right: dict[str, str | None] = {
            **DOCUMENTED,
            "sasl.password": PASSWORD,
            "ssl.ca.location": str(self.cluster.ca_file),
        }
        right |= {name.replace("_", "."): value for name, value in changes.items()}
        return {name: value for name, value in right.items() if value is not None}

    def topic(self, name: str) -> str:
        """A topic that the user pbf may read, write and describe."""
        plain = self.cluster.bootstrap_servers
        create_topics(client_config(plain), [TopicSpec(name, 2)])
        rights = (*STREAM_RIGHTS, "topic WRITE", "topic DESCRIBE_CONFIGS")
        allow(plain, "pbf", rights, topic=name, group="secure-stream")
        return name


@pytest.fixture(scope="module")
def stranger_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority that the brokers have nothing to do with."""
    folder = tmp_path_factory.mktemp("stranger")
    program = str(DEPLOYED / "certificates.py")
    subprocess.run([sys.executable, program, str(folder), "node=127.0.0.1"], check=True)
    return folder / "ca.pem"


@cache
def _add_user_once(servers: str) -> None:
    add_scram_user(servers, "pbf")


@pytest.fixture
def secure(kafka_cluster: KafkaCluster, stranger_ca: Path) -> Secure:
    _add_user_once(kafka_cluster.bootstrap_servers)
    return Secure(kafka_cluster, stranger_ca)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
def test_every_client_comes_in_with_the_right_settings(
    mechanism: str, secure: Secure, topic_name: str
) -> None:
    topic = secure.topic(topic_name)
    client = secure.client(sasl_mechanism=mechanism)
    config = client_config(secure.servers, client)
    assert wait_for_broker(config, 30) == 3
    assert topic in list_topics(config)
    assert describe_topics(config, [topic])[0].config["min.insync.replicas"] == "2"
    with RecordProducer(secure.servers, client) as producer:
        for number in range(20):
            producer.send(topic, b"%d" % number, b"record")
    assert producer.sent == 20
    view = ClusterView(secure.servers, [topic], client)
    ranges = view.ranges(view.describe().partitions)
    with PartitionReader(secure.servers, client) as reader:
        assert len(reader.read(ranges, timeout_s=30)) == 20
    ends = {key: end for key, (_, end) in ranges.items()}
    assert view.commit_group("secure-stream", ends).result(60) is None
    assert len(read_back(secure.cluster.bootstrap_servers, topic)) == 20


MISTAKES: dict[str, tuple[dict[str, str | None], type[BrokerError], str]] = {
    "a wrong password": (
        {"sasl_password": WRONG},
        AccessDeniedError,
        "invalid credentials.*check sasl.username, sasl.password",
    ),
    "an unknown user": ({"sasl_username": "nobody"}, AccessDeniedError, "invalid credentials"),
    "another mechanism": (
        {"sasl_mechanism": "OAUTHBEARER", "sasl_oauthbearer_config": "principal=pbf",
         "enable_sasl_oauthbearer_unsecure_jwt": "true"},
        AccessDeniedError,
        "sasl.mechanism is OAUTHBEARER, but it offers PLAIN, SCRAM-SHA-256, SCRAM-SHA-512",
    ),
    "no password where one is asked for": (
        {"security_protocol": "SSL"},
        AccessDeniedError,
        'asks for a name and a password.*security.protocol to "SASL_SSL"',
    ),
    "an authority that did not sign": (
        {"ssl_ca_location": "STRANGER"},
        TlsError,
        "certificate is not accepted.*ssl.ca.location",
    ),
    "no authority": (
        {"ssl_ca_location": None}, TlsError, "certificate is not accepted.*ssl.ca.location"
    ),
    "no TLS where it is spoken": (
        {"security_protocol": "SASL_PLAINTEXT"},
        TlsError,
        'speaks TLS, but.* is SASL_PLAINTEXT .*security.protocol to "SASL_SSL"',
    ),
    "neither TLS nor a password": (
        {"security_protocol": None, "sasl_mechanism": None},
        TlsError,
        'speaks TLS, but.* is PLAINTEXT .*security.protocol to "SASL_SSL"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_says_what_to_mend(
    mistake: str, secure: Secure, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    changes, kind, words = MISTAKES[mistake]
    if changes.get("ssl_ca_location") == "STRANGER":
        changes = {**changes, "ssl_ca_location": str(secure.stranger_ca)}
    config = client_config(secure.servers, secure.client(**changes))
    began_s = time.monotonic()
    with pytest.raises(kind, match=words) as caught:
        wait_for_broker(config, 120)
    assert time.monotonic() - began_s < 100, "it was clear at once that waiting is no use"
    assert type(caught.value) is kind
    assert not caught.value.transient
    said = f"{caught.value} {caught.value!r} {caught.value.facts} {caplog.text}"
    assert PASSWORD not in said
    assert WRONG not in said
    assert "\n" not in str(caught.value)


def test_a_host_name_that_is_not_the_certificates(secure: Secure) -> None:
    _, port = addresses(secure.servers)[0]
    by_name = client_config(f"localhost:{port}", secure.client())
    with pytest.raises(TlsError, match=r"not valid for 'localhost'.*kafka.bootstrap_servers"):
        wait_for_broker(by_name, 120)
    unchecked = secure.client(ssl_endpoint_identification_algorithm="none")
    assert wait_for_broker(client_config(f"localhost:{port}", unchecked), 30) == 3


def test_a_plain_listener_says_that_it_is_one(secure: Secure) -> None:
    plain = secure.cluster.bootstrap_servers
    with pytest.raises(TlsError, match=r'does not speak TLS.*to "PLAINTEXT"'):
        wait_for_broker(client_config(plain, secure.client()), 120)
    sasl = secure.client(security_protocol="SASL_PLAINTEXT")
    with pytest.raises(AccessDeniedError, match=r'takes no password.*to "PLAINTEXT"'):
        wait_for_broker(client_config(plain, sasl), 120)


def test_a_client_certificate(secure: Secure) -> None:
    brokers = secure.cluster.broker_servers
    listener = look_at_listener(*addresses(brokers)[0])
    assert listener is not None
    assert (listener.protocol, listener.client_certificate) == ("SSL", True)
    ca = {"security.protocol": "SSL", "ssl.ca.location": str(secure.cluster.ca_file)}
    with pytest.raises(TlsError, match=r"certificate of the client.*ssl.certificate.location"):
        wait_for_broker(client_config(brokers, ca), 120)
    node = str(secure.cluster.node_file(2))
    mutual = {**ca, "ssl.certificate.location": node, "ssl.key.location": node}
    assert wait_for_broker(client_config(brokers, mutual), 30) == 3


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"ssl_ca_location": "/no/such.pem"}, "ssl.ca.location", "no such file"),
        ({"ssl_ca_location": __file__}, "ssl.ca.location", "PEM"),
        ({"sasl_mechanism": "SCRAMBLE"}, "sasl.mechanism", "SCRAM-SHA-512"),
        ({"sasl_mechanism": None}, "sasl.mechanism", "is not set"),
        ({"sasl_password": None}, "sasl.password", "is not set"),
        ({"security_protocol": "SASLSSL"}, "security.protocol", "'SASLSSL'"),
        ({"sasl_pasword": PASSWORD}, "sasl.pasword", "no such setting"),
    ],
)  # fmt: skip
def test_a_setting_that_librdkafka_refuses_is_named(
    changes: dict[str, str | None], key: str, words: str, secure: Secure
) -> None:
    with pytest.raises(SettingError, match=words) as caught:
        RecordProducer(secure.servers, secure.client(**changes))
    assert caught.value.key == f"kafka.client.{key}"
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None, "librdkafka's own message may show a secret"


def test_a_user_without_the_right_is_told_so(secure: Secure, topic_name: str) -> None:
    plain = secure.cluster.bootstrap_servers
    create_topics(client_config(plain), [TopicSpec(topic_name, 1)])
    allow(plain, "pbf", ["topic DESCRIBE"], topic=topic_name)
    client = secure.client()
    with (
        pytest.raises(AccessDeniedError, match="add an ACL") as caught,
        RecordProducer(secure.servers, client) as producer,
    ):
        producer.send(topic_name, b"k", b"v")
    assert topic_name in str(caught.value)
    with RecordProducer(plain) as producer:
        producer.send(topic_name, b"k", b"v")
    with (
        PartitionReader(secure.servers, client) as reader,
        pytest.raises(AccessDeniedError, match=topic_name),
    ):
        reader.read({(topic_name, 0): (0, 1)}, timeout_s=30)
    view = ClusterView(secure.servers, [topic_name], client, timeout_s=3.0)
    problem = view.commit_group("nobodys-group", {(topic_name, 0): 1}).result(60)
    assert isinstance(problem, AccessDeniedError)
    with pytest.raises(AccessDeniedError, match="add an ACL"):
        create_topics(client_config(secure.servers, client), [TopicSpec(f"{topic_name}-b", 1)])


def run(
    secure: Secure, folder: Path, *arguments: str, password: str = PASSWORD
) -> subprocess.CompletedProcess[str]:
    """A command with its settings in a file, and the password in the environment."""
    settings = [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in
                secure.client(sasl_password=None).items()]  # fmt: skip
    file = folder / "pbf-ray.toml"
    file.write_text(
        f"[kafka]\nbootstrap_servers = {json.dumps(secure.servers)}\n"
        "[kafka.client]\n" + "\n".join(settings) + "\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pbf_ray", *arguments],
        env={**os.environ, "PBF_RAY_KAFKA__CLIENT__SASL_PASSWORD": password},
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert password not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_doctor_and_the_settings(secure: Secure, topic_name: str, tmp_path: Path) -> None:
    topic = secure.topic(topic_name)
    shown = run(secure, tmp_path, "config", "show", "kafka")
    assert shown.returncode == 0
    assert "sasl.password" in shown.stdout
    assert "********" in shown.stdout
    well = run(secure, tmp_path, "--set", f"kafka.topics={topic}", "doctor", "--json")
    checks = {check["name"]: check for check in json.loads(well.stdout)["checks"]}
    assert (checks["broker"]["status"], checks["topics"]["status"]) == ("ok", "ok"), checks
    ill = run(secure, tmp_path, "doctor", password=WRONG)
    assert ill.returncode == 1
    assert "invalid credentials" in ill.stdout
    assert "check sasl.username, sasl.password" in ill.stdout
    sent = run(secure, tmp_path, "--log-level", "debug", "simulate", "--topic", topic,
               "--layers", "1", "--json", password=WRONG)  # fmt: skip
    assert sent.returncode == 1
    assert "invalid credentials" in sent.stdout + sent.stderr


def test_the_stream_with_no_more_rights_than_it_needs(
    secure: Secure, topic_name: str, tmp_path: Path
) -> None:
    plain = secure.cluster.bootstrap_servers
    create_topics(client_config(plain), [TopicSpec(topic_name, 2)])
    add_scram_user(plain, "stream")
    allow(plain, "stream", STREAM_RIGHTS, topic=topic_name, group="secure-stream")
    with RecordProducer(plain) as producer:
        for number in range(500):
            record = {"timestamp": 1.75e9 + number, "build_id": "B", "layer": number // 100}
            producer.send(topic_name, b"%d" % (number % 7), json.dumps(record))
    settings = settings_for(secure.servers, topic_name, tmp_path, job="secure-stream").replace(
        {
            f"kafka.client.{key}": value
            for key, value in secure.client(sasl_username="stream").items()
        }
    )
    assert PASSWORD not in repr(settings)
    driver = start_driver(settings, "--until-end", "--json", before=["--log-level", "debug"])
    output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 0, output
    result = json.loads(next(line for line in output.splitlines() if '"outcome"' in line))
    assert (result["consumed"], result["accepted"], result["layers"]) == (500, 500, 5)
    assert PASSWORD not in output
    assert "was not reported" not in output, "the group's progress was refused"

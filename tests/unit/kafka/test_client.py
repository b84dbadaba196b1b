"""Settings and errors of librdkafka in our terms."""

from __future__ import annotations

import logging
import pickle

import pytest
from confluent_kafka import KafkaError, KafkaException

from pbf_ray.errors import (
    AccessDeniedError,
    BrokerError,
    BrokerUnavailableError,
    OffsetsVanishedError,
    RecordRefusedError,
    SettingError,
    TopicMissingError,
)
from pbf_ray.kafka.client import ClientErrors, client_config, translate_error

ADDRESS = "broker:9092"


def test_the_user_overrides_defaults_and_nobody_overrides_what_is_fixed() -> None:
    user = {"linger.ms": "7", "acks": "all"}
    config = client_config(
        ADDRESS,
        user,
        defaults={"linger.ms": "5", "retry.backoff.ms": "100"},
        fixed={"acks": "all"},
    )
    assert config["linger.ms"] == "7"
    assert config["retry.backoff.ms"] == "100"
    assert config["bootstrap.servers"] == ADDRESS
    assert user == {"linger.ms": "7", "acks": "all"}
    with pytest.raises(SettingError) as caught:
        client_config(ADDRESS, {"acks": "1"}, fixed={"acks": "all"})
    assert caught.value.key == "kafka.client.acks"
    with pytest.raises(SettingError):
        client_config(" ")


def test_log_lines_of_librdkafka_become_log_records(caplog: pytest.LogCaptureFixture) -> None:
    log = client_config(ADDRESS)["logger"].log
    with caplog.at_level(logging.DEBUG, logger="pbf_ray.kafka.librdkafka"):
        log(logging.WARNING, "%s [%s] %s", "MAXPOLL", "rdkafka#1", "too slow")
        log(logging.ERROR, "%s [%s] %s", "FAIL", "rdkafka#1", "refused")
    levels = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert levels == [
        (logging.WARNING, "MAXPOLL [rdkafka#1] too slow"),
        # A refused connection is tried many times a second, and told by ClientErrors.
        (logging.DEBUG, "FAIL [rdkafka#1] refused"),
    ]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError._TRANSPORT, BrokerUnavailableError),
        (KafkaError._ALL_BROKERS_DOWN, BrokerUnavailableError),
        (KafkaError._TIMED_OUT, BrokerUnavailableError),
        (KafkaError._MSG_TIMED_OUT, BrokerUnavailableError),
        (KafkaError.NOT_LEADER_FOR_PARTITION, BrokerUnavailableError),
        (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, BrokerUnavailableError),
        (KafkaError.UNKNOWN_LEADER_EPOCH, BrokerUnavailableError),
        (KafkaError.NOT_ENOUGH_REPLICAS, BrokerUnavailableError),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, TopicMissingError),
        (KafkaError._UNKNOWN_TOPIC, TopicMissingError),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, AccessDeniedError),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, AccessDeniedError),
        (KafkaError._AUTHENTICATION, AccessDeniedError),
        (KafkaError.SASL_AUTHENTICATION_FAILED, AccessDeniedError),
        (KafkaError.OFFSET_OUT_OF_RANGE, OffsetsVanishedError),
        (KafkaError._AUTO_OFFSET_RESET, OffsetsVanishedError),
        (KafkaError.MSG_SIZE_TOO_LARGE, RecordRefusedError),
        (KafkaError.INVALID_RECORD, RecordRefusedError),
        (KafkaError.INVALID_PARTITIONS, BrokerError),
    ],
)
@pytest.mark.parametrize("wrap", [KafkaError, lambda code: KafkaException(KafkaError(code))])
def test_every_kind_of_error_has_its_place_and_pickles(code, kind, wrap) -> None:
    error = translate_error(wrap(code), address=ADDRESS, topic="t", partition=3, offset=42)
    assert type(error) is kind
    assert error.transient is (kind is BrokerUnavailableError)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made one line above
    assert type(again) is kind
    assert str(again) == str(error)
    assert again.facts == error.facts


def test_errors_carry_their_facts() -> None:
    vanished = translate_error(
        KafkaError(KafkaError.OFFSET_OUT_OF_RANGE),
        address=ADDRESS,
        topic="t",
        partition=3,
        offset=42,
    )
    assert (vanished.topic, vanished.partition, vanished.wanted) == ("t", 3, 42)
    other = translate_error(KafkaError(KafkaError.INVALID_PARTITIONS), address=ADDRESS, topic="t")
    assert other.code == "INVALID_PARTITIONS"
    denied = translate_error(
        KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED), address=ADDRESS, resource="group g"
    )
    assert denied.resource == "group g"
    # Without a topic there is no topic to be missing.
    assert type(translate_error(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), address="a")) in {
        BrokerError,
        BrokerUnavailableError,
    }


def test_the_reason_is_kept_when_all_brokers_are_down(caplog: pytest.LogCaptureFixture) -> None:
    errors = ClientErrors("reader")
    assert errors.text("nothing came") == "nothing came"
    refused = KafkaError(KafkaError._TRANSPORT, "connection refused")
    with caplog.at_level(logging.WARNING, logger="pbf_ray.kafka.librdkafka"):
        for _ in range(50):
            errors(refused)
            errors(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    assert len(caplog.records) == 1
    assert errors.last is refused
    assert "connection refused" in errors.text("nothing came")
    errors.clear()
    assert errors.last is None

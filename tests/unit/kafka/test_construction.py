"""A setting that librdkafka does not take is an error that names it, and shows no secret."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from pbf_ray.errors import SettingError
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.construction import connection_settings, new_client

SECRET = "open-sesame"  # noqa: S105 - opens nothing
SASL = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "PLAIN",
    "sasl.username": "pbf",
    "sasl.password": SECRET,
}


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ({"no.such.key": SECRET}, "no.such.key", "knows no such setting"),
        ({"compression.type": "rar"}, "compression.type", "'rar' is none"),
        ({"linger.ms": "soon"}, "linger.ms", "'soon' is none"),
        ({"linger.ms": "-5"}, "linger.ms", "'-5' is not within 0..900000"),
        ({"log.connection.close": "maybe"}, "log.connection.close", "'maybe' is none"),
        ({**SASL, "sasl.mechanism": "SCRAMBLE"}, "sasl.mechanism", "'SCRAMBLE' is not supported"),
        ({**SASL, "sasl.username": ""}, "sasl.username", "is not set"),
        ({"security.protocol": "SSL", "ssl.ca.location": "/no/ca"}, "ssl.ca.location", "no such"),
        ({"security.protocol": "SSL", "ssl.key.pem": SECRET}, "ssl.key.pem", ""),
    ],
)
@pytest.mark.parametrize("kind", [Producer, Consumer])
def test_the_setting_is_named(kind: Any, settings: dict[str, str], key: str, words: str) -> None:
    config = client_config("127.0.0.1:1", settings) | {"group.id": "g"}
    with pytest.raises(SettingError) as caught:
        new_client(kind, config)
    assert caught.value.key == f"kafka.client.{key}"
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__, "a traceback would show librdkafka's own message"


def test_what_nobody_foresaw_is_told_with_secrets_masked() -> None:
    def kind(_config: dict[str, Any]) -> object:
        raise KafkaException(
            KafkaError(KafkaError._INVALID_ARG, f"strange: sasl.password={SECRET}")
        )

    with pytest.raises(SettingError, match="strange") as caught:
        new_client(kind, {})
    assert caught.value.key == "kafka.client"
    assert SECRET not in str(caught.value)


def test_good_settings_make_a_client() -> None:
    config = client_config("127.0.0.1:1", SASL)
    assert isinstance(new_client(Producer, config), Producer)


def test_a_client_beside_another_connects_as_that_one_does() -> None:
    config = client_config("127.0.0.1:1", SASL | {"linger.ms": "5"})
    beside = connection_settings(config)
    assert beside == {key: value for key, value in config.items() if key != "linger.ms"}

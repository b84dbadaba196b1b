"""The settings of librdkafka in the words of Spark's Kafka source, which is a Java client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from pbf_ray.batch.quality.topic_ranges import TopicRecords
from pbf_ray.errors import PbfRayError

__all__ = ["kafka_options"]

_SAME: Final = frozenset(
    {"security.protocol", "client.id", "ssl.endpoint.identification.algorithm"}
)
_RENAMED: Final = {
    "sasl.mechanism": "sasl.mechanism",
    "sasl.mechanisms": "sasl.mechanism",
    "ssl.ca.location": "ssl.truststore.location",
}
_LOGINS: Final = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
_LOGIN_KEYS: Final = frozenset({"sasl.username", "sasl.password"})


def kafka_options(source: TopicRecords) -> dict[str, str]:
    """Options of ``spark.read.format("kafka")`` that read exactly these ranges.

    Args:
        source: The ranges, and how their brokers are reached.

    Raises:
        PbfRayError: A setting of ``kafka.client`` has no counterpart that is known here.
    """
    begins: dict[str, dict[str, int]] = {}
    ends: dict[str, dict[str, int]] = {}
    for (topic, partition), (begin, end) in source.ranges.items():
        begins.setdefault(topic, {})[str(partition)] = begin
        ends.setdefault(topic, {})[str(partition)] = end
    partitions = {topic: sorted(map(int, offsets)) for topic, offsets in begins.items()}
    return {
        "kafka.bootstrap.servers": source.bootstrap_servers,
        "assign": json.dumps(partitions),
        "startingOffsets": json.dumps(begins),
        "endingOffsets": json.dumps(ends),
        "failOnDataLoss": "true",
        "kafka.isolation.level": "read_committed",
        **{f"kafka.{key}": value for key, value in _java_client(source.client).items()},
    }


def _java_client(client: Mapping[str, str]) -> dict[str, str]:
    java: dict[str, str] = {}
    for key, value in client.items():
        if key in _SAME:
            java[key] = value
        elif key in _RENAMED:
            java[_RENAMED[key]] = value
        elif key not in _LOGIN_KEYS:
            raise PbfRayError(
                f"kafka.client.{key} has no counterpart in Spark's Kafka source that is known here",
                advice="use --engine ray or local for this cluster",
                key=key,
            )
    if "security.protocol" in java:
        java["security.protocol"] = java["security.protocol"].upper()
    if "ssl.truststore.location" in java:
        java["ssl.truststore.type"] = "PEM"
    if java.get("ssl.endpoint.identification.algorithm") == "none":
        java["ssl.endpoint.identification.algorithm"] = ""
    if "sasl.username" in client:
        mechanism = java.setdefault("sasl.mechanism", "PLAIN").upper()
        java["sasl.mechanism"] = mechanism
        if mechanism not in _LOGINS:
            raise PbfRayError(
                f"kafka.client.sasl.mechanism {mechanism} is not known to the Spark engine",
                advice=f"it knows {', '.join(_LOGINS)}; or use --engine ray",
                key="sasl.mechanism",
            )
        user, word = _quoted(client["sasl.username"]), _quoted(client.get("sasl.password", ""))
        java["sasl.jaas.config"] = f"{_LOGINS[mechanism]} required username={user} password={word};"
    return java


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

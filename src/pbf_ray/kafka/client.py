"""Settings, logs and errors of librdkafka, in one place.

Every client of this package is built from ``client_config``, and every ``KafkaError`` becomes an
error of ``pbf_ray.errors`` in ``translate_error``.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from pbf_ray.errors import (
    AccessDeniedError,
    BrokerError,
    BrokerUnavailableError,
    OffsetsVanishedError,
    RecordRefusedError,
    SettingError,
    TlsError,
    TopicMissingError,
)
from pbf_ray.kafka.construction import new_client
from pbf_ray.kafka.refusal import explain_refusal

__all__ = [
    "NO_SETTINGS",
    "ClientErrors",
    "client_config",
    "kafka_error",
    "partition_missing",
    "translate_error",
    "wait_for_broker",
]

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})

_log = logging.getLogger("pbf_ray.kafka.librdkafka")

_CONNECTION = re.compile(r"^(?:\w+://)?[\w.\[\]:-]+/\w+: ")
_WHEN = re.compile(r" \(after \d+ms in state \w+.*\)$")


class _Log:
    """Takes the log lines of librdkafka, as the ``log`` method of a logger.

    Failed connections are tried, and logged, many times a second; they also come to
    ``ClientErrors``, which says them once. The lines themselves are for debugging.
    """

    def log(self, level: int, message: str, *args: object) -> None:
        said_elsewhere = bool(args) and args[0] in {"FAIL", "ERROR"}
        _log.log(logging.DEBUG if said_elsewhere else level, message, *args)


_DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        # librdkafka would leave a broker that is back alone for up to 10 s.
        "reconnect.backoff.max.ms": "2000",
        # Where it connects only on demand, a request that needs one broker (offsets its leader, a
        # description the controller) demands again at every failure: without a pause, thousands
        # of times a second, as long as that broker is away. Connected to all, it keeps the pause.
        "enable.sparse.connections": "false",
    }
)

_UNAVAILABLE = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001 - librdkafka's own codes start with an underscore
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
        KafkaError._MSG_TIMED_OUT,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)
_TOPIC_MISSING = frozenset(
    {
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
    }
)
_DENIED = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
_REFUSED = frozenset(
    {
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
    }
)
_NOT_AUTHENTICATED = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
_LOGIN_ADVICE = (
    "check sasl.username, sasl.password and sasl.mechanism in kafka.client, and that the broker "
    "knows the user"
)
_RIGHTS_ADVICE = "the user lacks the right: add an ACL on the broker (docs/kafka-cluster.md)"
_OUT_OF_RANGE = frozenset(
    {
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001
        KafkaError.OFFSET_OUT_OF_RANGE,
    }
)


class ClientErrors:
    """Remembers the last error that a client reported outside of any call.

    Connection errors come to ``error_cb``, on a thread of librdkafka's choosing; a call that
    then times out tells its user this error instead of "timed out".

    Args:
        where: Name of the client for the log, for example ``"reader"``.
        level: Level at which a new kind of error is logged; its repetitions are for debugging.
        ignored: Codes of errors that mean nothing to this client.
    """

    def __init__(
        self,
        where: str,
        *,
        level: int = logging.WARNING,
        ignored: Collection[int] = (),
    ) -> None:
        self._where = where
        self._level = level
        self._ignored = frozenset(ignored)
        self._lock = threading.Lock()
        self._last: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        """Take an error; the signature of librdkafka's ``error_cb``."""
        if error.code() in self._ignored:
            return
        with self._lock:
            last = self._last
            # "All brokers are down" follows the error that says why: keep the reason.
            if last is not None and error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
                return
            self._last = error
        again = last is not None and last.code() == error.code()
        _log.log(logging.DEBUG if again else self._level, "%s: %s", self._where, error.str())

    @property
    def last(self) -> KafkaError | None:
        """The last error, None if there was none since ``clear``."""
        with self._lock:
            return self._last

    def clear(self) -> None:
        """Forget: the client has made progress."""
        with self._lock:
            self._last = None

    def text(self, otherwise: str) -> str:
        """The last error as text."""
        last = self.last
        return otherwise if last is None else f"{otherwise}; last error: {last.str()}"


def client_config(
    bootstrap_servers: str,
    client: Mapping[str, str] = NO_SETTINGS,
    *,
    defaults: Mapping[str, Any] = NO_SETTINGS,
    fixed: Mapping[str, Any] = NO_SETTINGS,
) -> dict[str, Any]:
    """Build the settings of one librdkafka client.

    Args:
        bootstrap_servers: Comma-separated ``host:port``.
        client: The user's librdkafka settings (``kafka.client``): security, buffers, time-outs.
        defaults: Settings of the caller that the user's override.
        fixed: Settings without which the caller would be wrong.

    Returns:
        A new dict for ``Producer``, ``Consumer`` or ``AdminClient``. The logs of librdkafka go
        to the logger ``pbf_ray.kafka.librdkafka``.

    Raises:
        SettingError: If the user sets a fixed setting to another value, or no server is named.
    """
    if not bootstrap_servers.strip():
        raise SettingError("kafka.bootstrap_servers", "caller", "is empty", advice="host:port")
    for key, value in client.items():
        if key in fixed and _text(value) != _text(fixed[key]):
            raise SettingError(
                f"kafka.client.{key}",
                "kafka.client",
                f"is {value!r}, but exactly-once reading and writing need {_text(fixed[key])!r}",
                advice="remove it",
            )
    built: dict[str, Any] = {"logger": _Log(), **_DEFAULTS, **defaults, **client, **fixed}
    built["bootstrap.servers"] = bootstrap_servers
    return built


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def kafka_error(error: KafkaError | KafkaException) -> KafkaError:
    """The ``KafkaError`` within an exception of confluent-kafka."""
    if isinstance(error, KafkaException):
        inner = error.args[0]
        assert isinstance(inner, KafkaError)  # noqa: S101 - for the type checker
        return inner
    return error


def translate_error(
    error: KafkaError | KafkaException,
    *,
    address: str,
    topic: str = "",
    partition: int = -1,
    offset: int = -1,
    resource: str = "",
    waited_s: float = 0.0,
) -> BrokerError:
    """Turn an error of librdkafka into ours.

    Args:
        error: What librdkafka said.
        address: The bootstrap servers.
        topic: The topic concerned, if one is.
        partition: The partition concerned, -1 if none.
        offset: The offset that was asked for, -1 if none.
        resource: What was asked for, in words; the topic where empty.
        waited_s: How long it was tried.

    Returns:
        The error to raise; its fact ``code`` (where it is a plain ``BrokerError``) is Kafka's
        name of the error.
    """
    told = kafka_error(error)
    code = told.code()
    what = resource or (f"topic {topic}" if topic else "the cluster")
    if code in _DENIED:
        unknown = code in _NOT_AUTHENTICATED
        return AccessDeniedError(
            what, address, _said(told), advice=_LOGIN_ADVICE if unknown else _RIGHTS_ADVICE
        )
    if code == KafkaError._SSL:  # noqa: SLF001
        return TlsError(address, _said(told))
    if code in _TOPIC_MISSING and topic:
        return TopicMissingError(topic, address)
    if code in _REFUSED and topic:
        return RecordRefusedError(topic, told.str())
    if code in _OUT_OF_RANGE and topic:
        return OffsetsVanishedError(topic, partition, wanted=offset, first=-1)
    if code in _UNAVAILABLE or told.retriable():
        return BrokerUnavailableError(address, f"{what}: {told.str()}", waited_s=waited_s)
    return BrokerError(
        f"{address}, {what}: {told.str()}", address=address, topic=topic, code=told.name()
    )


def _said(told: KafkaError) -> str:
    """What librdkafka said, without the connection that it said it of."""
    return _CONNECTION.sub("", _WHEN.sub("", told.str()))


def partition_missing(topic: str, partition: int, address: str) -> BrokerError:
    """The error for a partition that its topic does not have."""
    return BrokerError(
        f"topic {topic} on {address} has no partition {partition}",
        advice="it was made anew with fewer partitions, or the number is wrong",
        topic=topic,
        partition=partition,
        address=address,
    )


def wait_for_broker(
    config: Mapping[str, Any], timeout_s: float, *, minimum_brokers: int = 1
) -> int:
    """Wait until a cluster answers.

    Args:
        config: From ``client_config``.
        timeout_s: Longest wait, seconds.
        minimum_brokers: How many brokers must be up.

    Returns:
        The number of brokers that are up.

    Raises:
        BrokerUnavailableError: If nobody has answered after ``timeout_s``.
        AccessDeniedError: As soon as the cluster refuses the credentials.
        TlsError: As soon as it is clear that TLS fails, or that one side does not speak it.
        SettingError: If librdkafka does not take a setting.
    """
    address = str(config["bootstrap.servers"])
    errors = ClientErrors("waiting for the broker", level=logging.DEBUG)
    # A broker that is just starting refuses connections: ask again soon, not after 10 s.
    soon: dict[str, Any] = {"reconnect.backoff.max.ms": 500, "error_cb": errors}
    admin = new_client(AdminClient, {**config, **soon})
    began = time.monotonic()
    pause_s = 0.05
    problem = "no answer"
    looked = False
    while True:
        left_s = timeout_s - (time.monotonic() - began)
        if left_s <= 0:
            raise BrokerUnavailableError(address, errors.text(problem), waited_s=timeout_s)
        try:
            brokers = len(admin.list_topics(timeout=min(left_s, 1.0)).brokers)
            if brokers >= minimum_brokers:
                return brokers
            problem = f"{brokers} of {minimum_brokers} brokers are up"
        except KafkaException as error:
            reason = translate_error(error, address=address)
            if not reason.transient:
                raise reason from error
            problem = kafka_error(error).str()
            admin.poll(0)
            last = errors.last
            denied = last is not None and not translate_error(last, address=address).transient
            # Where nobody listens there is nothing to look at; else once is enough.
            if denied or not (looked or (last is not None and "Connect to" in last.str())):
                looked = True
                refusal = explain_refusal(config, timeout_s=min(3.0, max(0.5, left_s)))
                if refusal is not None:
                    raise refusal from None
            if denied and last is not None:
                raise translate_error(last, address=address) from None
        time.sleep(min(pause_s, max(0.0, left_s)))
        pause_s = min(pause_s * 2, 1.0)

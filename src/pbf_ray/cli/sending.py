"""Sending records, to a topic or a file, with exact counts of what became of them."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

import click

from pbf_ray.cli.live import LiveProgress
from pbf_ray.cli.render.progress import Part
from pbf_ray.cli.render.text import count, duration
from pbf_ray.cli.streams import say, tell, write_error, write_json
from pbf_ray.errors import BrokerError, PbfRayError

if TYPE_CHECKING:
    from pbf_ray.cli.signals import StopSignals
    from pbf_ray.config import Settings
    from pbf_ray.simulate import SimulatedRecord

__all__ = [
    "FileTarget",
    "Sending",
    "Target",
    "TopicTarget",
    "open_target",
    "paced",
    "parse_rate",
    "report_sending",
    "send_all",
]

_UPDATE_S: Final = 0.1
_FLUSH_S: Final = 0.25


class Target(Protocol):
    """Where records go.

    Attributes:
        where: For people.
    """

    where: str

    @property
    def sent(self) -> int:
        """Records that have arrived."""

    @property
    def failed(self) -> int:
        """Records that were given up."""

    @property
    def error(self) -> BrokerError | None:
        """Why the first of them was given up."""

    def send(self, record: SimulatedRecord) -> None:
        """Take a record."""

    def flush(self) -> int:
        """Wait a moment for records on their way; how many there still are."""


@dataclass(frozen=True)
class Sending:
    """What became of the records.

    Attributes:
        where: Where they went.
        read: Records handed to the target.
        sent: Records that arrived.
        failed: Records that did not.
        seconds: Wall time.
        interrupted: Whether a signal ended it before the last record.
        error: What ended it, or why the first record failed; None if all is well.
    """

    where: str
    read: int
    sent: int
    failed: int
    seconds: float
    interrupted: bool
    error: PbfRayError | None

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "where": self.where,
            "sent": self.sent,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "error": None if self.error is None else self.error.what,
        }


class TopicTarget:
    """A Kafka topic.

    Args:
        producer: A ``kafka.producer.RecordProducer``.
        topic: The topic.
        address: The brokers, for people.
    """

    def __init__(self, producer: Any, topic: str, address: str) -> None:
        self.where = f"topic {topic} on {address}"
        self._producer = producer
        self._topic = topic

    @property
    def sent(self) -> int:
        """Records that the broker has acknowledged."""
        return int(self._producer.sent)

    @property
    def failed(self) -> int:
        """Records that were given up."""
        return int(self._producer.failed)

    @property
    def error(self) -> BrokerError | None:
        """Why the first of the failed ones failed."""
        error: BrokerError | None = self._producer.first_error
        return error

    def send(self, record: SimulatedRecord) -> None:
        """Queue a record. Its Kafka timestamp is now: event time would meet retention."""
        self._producer.send(self._topic, record.key, record.value)

    def flush(self) -> int:
        """Wait a moment for acknowledgements."""
        return int(self._producer.flush(_FLUSH_S))


class FileTarget:
    """A file with a line per record: its value.

    A record without a value, or one of line ends only, is an empty line, so that there are as
    many lines as records.

    Args:
        file: Where to write.
        name: Its name, for people.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.where = f"file {name}"
        self.sent = 0
        self.failed = 0
        self.error: BrokerError | None = None
        self._file = file

    def send(self, record: SimulatedRecord) -> None:
        """Write a line."""
        value = record.value or b""
        self._file.write(value.replace(b"\r", b" ").replace(b"\n", b" ").rstrip(b" ") + b"\n")
        self.sent += 1

    def flush(self) -> int:
        """Write what is buffered."""
        self._file.flush()
        return 0


def open_target(settings: Settings, topic: str | None, to_file: IO[bytes] | None) -> Target:
    """Where to send to; a topic once the broker answers.

    Args:
        settings: Address and client settings.
        topic: The topic; None is the first that the stream reads.
        to_file: The file to write instead, if there is one.

    Raises:
        BrokerUnavailableError: Nobody answers within ``kafka.connect_timeout_s``.
        TopicMissingError: There is no such topic.
    """
    if to_file is not None:
        return FileTarget(to_file, getattr(to_file, "name", "<stdout>"))
    from pbf_ray.cli.broker import reach_broker, require_topics
    from pbf_ray.kafka.producer import RecordProducer

    kafka = settings.kafka
    name = topic or kafka.topics[0]
    # A producer would look for a missing topic for half a minute before it says so.
    require_topics(reach_broker(settings), [name])
    producer = RecordProducer(kafka.bootstrap_servers, kafka.client_config())
    return TopicTarget(producer, name, kafka.bootstrap_servers)


def paced(
    records: Iterable[SimulatedRecord],
    signals: StopSignals,
    *,
    speed: float | None = None,
    rate: float | None = None,
) -> Iterator[SimulatedRecord]:
    """The records at the right moment; after a signal, the one that is waiting comes at once.

    Args:
        records: The records.
        signals: Ctrl-C and SIGTERM.
        speed: Seconds of event time per second.
        rate: Records per second, instead of a speed.
    """
    from pbf_ray.simulate import pace

    return pace(records, speed=speed, rate=rate, stop=signals.asked)


def parse_rate(text: str, option: str, words: Mapping[str, float | None]) -> float | None:
    """A positive number, or one of the words.

    Raises:
        click.UsageError: It is neither.
    """
    if text in words:
        return words[text]
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise click.UsageError(f"{option} {text!r}: give a positive number or {' or '.join(words)}")
    return number


def send_all(
    records: Iterable[SimulatedRecord],
    target: Target,
    signals: StopSignals,
    *,
    expected: int | None = None,
) -> Sending:
    """Send records until they or the patience of the user end; everything sent is accounted for.

    Args:
        records: The records. After a signal no further one is taken, so that whoever counts them
            has counted those that were sent.
        target: Where to.
        signals: Ctrl-C and SIGTERM.
        expected: About how many there are, None if nobody knows.
    """
    began_s = time.monotonic()
    read = 0
    error: PbfRayError | None = None
    with LiveProgress(sys.stderr, line=_line) as shown:

        def update() -> None:
            shown.update({"read": read, "sent": target.sent, "failed": target.failed, **known})

        known = {} if expected is None else {"expected": expected}
        next_s = began_s
        try:
            for record in records:
                target.send(record)
                read += 1
                if signals.received:
                    break
                # Looking at the clock costs as much as sending.
                if read % 64 == 0 and (now_s := time.monotonic()) >= next_s:
                    next_s = now_s + _UPDATE_S
                    update()
        except PbfRayError as refused:
            # What was sent before is on its way and has to be counted.
            error = refused
        while target.flush():
            update()
    return Sending(
        where=target.where,
        read=read,
        sent=target.sent,
        failed=target.failed,
        seconds=time.monotonic() - began_s,
        interrupted=bool(signals.received),
        error=error or target.error,
    )


def _line(progress: Mapping[str, Any], elapsed_s: float, width: int | None) -> list[Part]:
    sent, failed = int(progress["sent"]), int(progress["failed"])
    of = f" of about {count(progress['expected'])}" if "expected" in progress else ""
    rate = sent / elapsed_s if elapsed_s > 0 else 0.0
    parts: list[Part] = [
        (duration(elapsed_s), "dim"),
        (f"  {count(sent)}{of} records sent", "bold"),
        (f"  {count(round(rate))}/s", ""),
    ]
    if failed:
        parts.append((f"  {count(failed)} failed", "red"))
    if width is not None:
        while len(parts) > 1 and sum(len(text) for text, _ in parts) > width:
            parts.pop()
    return parts


def report_sending(
    done: Sending,
    *,
    details: Mapping[str, Any],
    lines: Iterable[tuple[str, str]],
    as_json: bool,
    to_stdout: bool,
) -> None:
    """Say what became of the records; does not return unless all is well.

    Args:
        done: What became of them.
        details: Further facts, for programs.
        lines: Further facts, for people: a name and what there is to say.
        as_json: Write one JSON object to stdout.
        to_stdout: The records themselves went to stdout, so that all else goes to stderr.

    Raises:
        click.exceptions.Exit: With 1 if a record failed, with 130 after a signal.
    """
    if as_json:
        write_json({**done.to_plain(), **details})
    else:
        write = tell if to_stdout else say
        rate = f" ({count(round(done.sent / done.seconds))}/s)" if done.seconds > 0 else ""
        write(f"sent {count(done.sent)} records to {done.where} in {done.seconds:.1f} s{rate}")
        for name, text in [("failed", count(done.failed)), *lines]:
            write(f"  {name:<14}{text}")
    if done.error is not None:
        write_error(done.error.what, done.error.advice)
    if done.error is not None or done.failed:
        raise click.exceptions.Exit(1)
    if done.interrupted:
        raise click.exceptions.Exit(130)

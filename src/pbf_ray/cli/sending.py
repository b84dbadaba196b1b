"""Sending records, to a topic or a file, with exact counts of what became of them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any

import click

from pbf_ray.cli.live import LiveProgress
from pbf_ray.cli.render.progress import Part
from pbf_ray.cli.render.text import count, duration
from pbf_ray.cli.streams import say, tell, write_error, write_json

if TYPE_CHECKING:
    from pbf_ray.cli.signals import StopSignals
    from pbf_ray.config import Settings
    from pbf_ray.jobs.produce import ProduceResult
    from pbf_ray.jobs.record_targets import RecordTarget
    from pbf_ray.kafka.sensor_source import SensorSource

__all__ = ["open_target", "parse_rate", "report_sending", "send_all"]


def open_target(settings: Settings, topic: str | None, to_file: IO[bytes] | None) -> RecordTarget:
    """Where to send to; a topic once the broker answers.

    Args:
        settings: Address and client settings.
        topic: The topic; None is the first that the stream reads.
        to_file: The file to write instead, if there is one.

    Raises:
        BrokerUnavailableError: Nobody answers within ``kafka.connect_timeout_s``.
        TopicMissingError: There is no such topic.
    """
    from pbf_ray.jobs.record_targets import FileTarget, TopicTarget

    if to_file is not None:
        return FileTarget(to_file, getattr(to_file, "name", "<stdout>"))
    from pbf_ray.cli.broker import reach_broker, require_topics
    from pbf_ray.kafka.producer import RecordProducer

    kafka = settings.kafka
    name = topic or kafka.topics[0]
    # A producer would look for a missing topic for half a minute before it says so.
    require_topics(reach_broker(settings), [name])
    producer = RecordProducer.from_settings(settings)
    return TopicTarget(producer, name, f"topic {name} on {kafka.bootstrap_servers}")


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
    source: SensorSource,
    target: RecordTarget,
    signals: StopSignals,
    *,
    speed: float | None = None,
    rate: float | None = None,
    max_failures: int | None = None,
    expected: int | None = None,
) -> ProduceResult:
    """Send records until they or the patience of the user end; everything sent is accounted for.

    Args:
        source: Gives the records. After a signal no further one is taken, so that whoever counts
            them has counted those that were sent.
        target: Where to.
        signals: Ctrl-C and SIGTERM.
        speed: Seconds of event time per second.
        rate: Records per second, instead of a speed.
        max_failures: Failures of the source in a row that end it, None for none.
        expected: About how many records there are, None if nobody knows.
    """
    from pbf_ray.jobs.produce import ProduceJob

    known = {} if expected is None else {"expected": expected}
    with LiveProgress(sys.stderr, line=_line) as shown:
        job = ProduceJob(
            source,
            target,
            speed=speed,
            rate=rate,
            max_failures=max_failures,
            stop=signals.asked,
            on_progress=lambda now: shown.update({"sent": now.sent, "failed": now.failed, **known}),
        )
        return job.run()


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
    done: ProduceResult,
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

"""Bounded ranges of topics, as a URL names them: ``kafka://TOPIC?start=...&end=...``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, unquote

from pbf_ray.errors import PbfRayError
from pbf_ray.kafka.offsets import ClusterView

__all__ = ["TopicRecords", "find_topic_records", "is_topic_url"]

_SCHEME: Final = "kafka://"
_PLACES: Final = re.compile(r"\d+:\d+(,\d+:\d+)*")
_FORMS: Final = (
    "earliest, latest, a time such as 2026-05-04T06:00Z, or offsets per partition such as 0:17,1:9"
)

TopicPartition = tuple[str, int]


@dataclass(frozen=True)
class TopicRecords:
    """Records in topics.

    Attributes:
        bootstrap_servers: The brokers.
        client: Further librdkafka settings; may hold secrets.
        sources: Source id per topic, as in the stream.
        ranges: Offsets [first, behind the last) by (topic, partition); empty ones are left out.
        timeout_s: How long brokers may not answer.
    """

    bootstrap_servers: str
    sources: Mapping[str, str]
    ranges: Mapping[TopicPartition, tuple[int, int]]
    client: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 60.0

    @property
    def offsets(self) -> int:
        """Number of offsets: an upper bound of the records."""
        return sum(end - begin for begin, end in self.ranges.values())


def is_topic_url(text: str) -> bool:
    """Whether an input names topics."""
    return text.startswith(_SCHEME)


def find_topic_records(
    urls: Sequence[str],
    bootstrap_servers: str,
    client: Mapping[str, str],
    *,
    default_topics: Sequence[str] = (),
    timeout_s: float = 60.0,
) -> TopicRecords:
    """The ranges that URLs name, as the broker has them now.

    ``start`` (by default ``earliest``) and ``end`` (by default ``latest``, what committed readers
    can read now) are each ``earliest``, ``latest``, a time (the first record that is not older), or
    offsets per partition (``0:17,1:9``; the end is exclusive), partitions that are not named
    keeping the default.

    Args:
        urls: ``kafka://TOPIC[,TOPIC...][?start=...&end=...]``; without a topic, the default ones.
        bootstrap_servers: Comma-separated ``host:port``.
        client: Further librdkafka settings.
        default_topics: Topics of the settings.
        timeout_s: How long brokers may not answer.

    Raises:
        PbfRayError: A URL cannot be read, a topic is named twice, or a range is not on the broker.
        BrokerError: The topics cannot be asked.
    """
    parsed = [_parsed(url, default_topics) for url in urls]
    names = [name for topics, _ in parsed for name in topics]
    if len(set(names)) < len(names):
        raise PbfRayError("a topic is named twice", advice="name each topic once")
    view = ClusterView(bootstrap_servers, names, client, timeout_s=timeout_s)
    described = view.describe(patience_s=timeout_s)
    ranges: dict[TopicPartition, tuple[int, int]] = {}
    for url, (topics, query) in zip(urls, parsed, strict=True):
        places = [place for place in described.partitions if place[0] in topics]
        known = view.ranges(places)
        begins = _moments(url, "start", query.get("start", "earliest"), view, known)
        ends = _moments(url, "end", query.get("end", "latest"), view, known)
        for place in places:
            first, last = known[place]
            begin, end = begins.get(place, first), ends.get(place, last)
            if not first <= begin or end > last:
                raise PbfRayError(
                    f"{place[0]}/{place[1]}: offsets {begin}..{end} are not all on the broker, "
                    f"which has {first}..{last}",
                    advice="name a range that it has",
                )
            if begin < end:
                ranges[place] = (begin, end)
    sources = {name: described.topics[name].source_id for name in names}
    return TopicRecords(bootstrap_servers, sources, ranges, dict(client), timeout_s)


def _parsed(url: str, default_topics: Iterable[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    place, _, query = url.removeprefix(_SCHEME).partition("?")
    topics = tuple(unquote(name) for name in place.strip("/").split(",") if name)
    try:
        pairs = parse_qsl(query, strict_parsing=bool(query), keep_blank_values=True)
    except ValueError as error:
        raise PbfRayError(f"{url}: {error}", advice="write start=...&end=...") from error
    unknown = {key for key, _ in pairs} - {"start", "end"}
    if unknown or len({key for key, _ in pairs}) < len(pairs):
        raise PbfRayError(
            f"{url}: {min(unknown, default='start or end')} is not known, or there twice",
            advice="a topic takes start=... and end=...",
        )
    topics = topics or tuple(default_topics)
    if not topics:
        raise PbfRayError(f"{url}: names no topic", advice="write kafka://TOPIC")
    return topics, dict(pairs)


def _moments(
    url: str,
    key: str,
    text: str,
    view: ClusterView,
    known: Mapping[TopicPartition, tuple[int, int]],
) -> dict[TopicPartition, int]:
    if text in ("earliest", "latest"):
        which = int(text == "latest")
        return {place: span[which] for place, span in known.items()}
    if _PLACES.fullmatch(text):
        pairs = [pair.split(":") for pair in text.split(",")]
        offsets = {int(partition): int(offset) for partition, offset in pairs}
        missing = offsets.keys() - {partition for _, partition in known}
        if missing or len({topic for topic, _ in known}) > 1:
            raise PbfRayError(
                f"{url}: {key} names partition {min(missing, default=0)}, which is not there, "
                "or there are several topics",
                advice="offsets are for the partitions of one topic",
            )
        return {place: offsets[place[1]] for place in known if place[1] in offsets}
    try:
        # A plus sign in a URL is a space: that of a time zone, here.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError as error:
        raise PbfRayError(f"{url}: {key}={text} is not known", advice=f"write {_FORMS}") from error
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    found = view.at_time(known, int(moment.timestamp() * 1000))
    # Between the two answers records may have come: they are behind the end that was told first.
    return {
        place: min(max(offset, known[place][0]), known[place][1]) for place, offset in found.items()
    }

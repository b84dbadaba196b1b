"""The consumer on a real broker: nothing lost, nothing committed that is not done."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Sequence

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from pbf_ray.config.kafka_clients import ConsumerSettings
from pbf_ray.errors import HandlerFailedError, OffsetsVanishedError, TopicMissingError
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.consumed_record import ConsumedRecord
from pbf_ray.kafka.consumer import RecordConsumer
from pbf_ray.kafka.consumer_loop import ConsumerLoop
from pbf_ray.kafka.partition_tenure import PartitionTenure
from pbf_ray.kafka.producer import RecordProducer
from support.consumers import Handled, committed_offsets, read_all, running, wait_until

pytestmark = pytest.mark.integration

SOON = {"first_pause_s": 0.01, "longest_pause_s": 0.05, "commit_interval_s": 0.05}


@pytest.fixture
def send(kafka_broker: str) -> Callable[..., None]:
    """Send numbered records: ``send(topic, 30)`` spreads them by key over the partitions."""

    def call(topic: str, count: int, *, keys: int = 10, size: int = 0) -> None:
        with RecordProducer(kafka_broker) as producer:
            for number in range(count):
                producer.send(topic, b"s%d" % (number % keys), b"%d" % number + b" " * size)

    return call


@pytest.fixture
def dead_letters(make_topic: Callable[..., str]) -> str:
    """A topic for dead letters."""
    return make_topic()


def test_every_record_is_handled_in_order_and_committed(
    kafka_broker: str, make_topic: Callable[..., str], send: Callable[..., None], dead_letters: str
) -> None:
    topic = make_topic(3)
    send(topic, 3_000)
    handled = Handled()
    options = ConsumerSettings(dead_letter_topic=dead_letters, handler_threads=2, **SOON)
    consumer = RecordConsumer(kafka_broker, [topic], topic, handler=handled, options=options)
    with running(consumer) as [one]:
        wait_until(lambda: one.metrics.processed == 3_000, "all handled")
        send(topic, 500)
        wait_until(lambda: one.metrics.processed == 3_500, "those that came later too")
        assert one.metrics.partitions == 3
        metrics = one.stop()
    assert sorted(handled.places) == sorted(set(handled.places))
    for partition in range(3):
        offsets = [offset for at, offset in handled.places if at == partition]
        assert offsets == list(range(len(offsets)))
    record = handled.records[0]
    assert (record.topic, record.key) == (topic, b"s%d" % (int(record.value or b"") % 10))
    assert record.timestamp_ms > 0
    assert (metrics.received, metrics.in_flight, metrics.abandoned) == (3_500, 0, 0)
    ends = {p: sum(at == p for at, _ in handled.places) for p in range(3)}
    assert committed_offsets(kafka_broker, topic, topic, 3) == ends
    assert {key[1]: offset for key, offset in metrics.committed.items()} == ends

    # The next member of the group begins behind all that.
    again = RecordConsumer(
        kafka_broker, [topic], topic, batch_handler=handled.batch, options=options
    )
    with running(again) as [one]:
        wait_until(lambda: one.metrics.partitions == 3, "assigned")
        send(topic, 100)
        wait_until(lambda: one.metrics.processed == 100, "only what is new")
        assert one.stop().received == 100
    assert len(set(handled.places)) == 3_600


def test_a_poison_record_is_a_dead_letter_and_the_rest_goes_on(
    kafka_broker: str, make_topic: Callable[..., str], send: Callable[..., None], dead_letters: str
) -> None:
    topic = make_topic(2)
    send(topic, 400)
    handled, calls = Handled(), Handled()

    def handler(records: Sequence[ConsumedRecord]) -> None:
        for record in records:
            calls(record)
            if int(record.value or b"") % 100 == 7:
                raise ValueError(f"cannot take {record.value!r}")
        handled.batch(records)

    options = ConsumerSettings(dead_letter_topic=dead_letters, max_attempts=2, **SOON)
    consumer = RecordConsumer(kafka_broker, [topic], topic, batch_handler=handler, options=options)
    with running(consumer) as [one]:
        wait_until(lambda: one.metrics.processed == 396, "all but the poison")
        wait_until(lambda: one.metrics.dead_letters == 4, "dead letters")
        metrics = one.stop()
    assert metrics.retries > 0
    assert sum(committed_offsets(kafka_broker, topic, topic, 2).values()) == 400
    letters = read_all(kafka_broker, dead_letters)
    assert sorted(int(letter.value or b"") for letter in letters) == [7, 107, 207, 307]
    for letter in letters:
        told = {name: (text or b"").decode() for name, text in letter.headers}
        place = (int(told["pbf-origin-partition"]), int(told["pbf-origin-offset"]))
        (origin,) = {r for r in calls.records if (r.partition, r.offset) == place}
        assert (letter.key, letter.value) == (origin.key, origin.value)
        assert told["pbf-origin-topic"] == topic
        assert told["pbf-origin-timestamp-ms"] == str(origin.timestamp_ms)
        assert told["pbf-reason"] == "handler_failed"
        assert told["pbf-attempts"] == "2"
        assert told["pbf-detail"] == f"ValueError: cannot take {origin.value!r}"
        assert told["pbf-group"] == topic
    # Good records of a batch with a poison one were handled once more, on their own; none is lost.
    assert len(set(handled.places)) == 396
    # A restart redelivers nothing of it.
    again = RecordConsumer(kafka_broker, [topic], topic, batch_handler=handler, options=options)
    with running(again) as [one]:
        wait_until(lambda: one.metrics.partitions == 2, "assigned")
        send(topic, 7)
        wait_until(lambda: one.metrics.processed == 7, "only what is new")
        assert one.stop().received == 7


def test_a_consumer_that_is_to_stop_stops_before_the_record_that_failed(
    kafka_broker: str, make_topic: Callable[..., str], send: Callable[..., None]
) -> None:
    topic = make_topic()
    send(topic, 50)
    handled = Handled()

    def handler(record: ConsumedRecord) -> None:
        if record.offset == 20:
            raise ZeroDivisionError
        handled(record)

    options = ConsumerSettings(on_failure="stop", max_attempts=3, **SOON)
    consumer = RecordConsumer(kafka_broker, [topic], topic, handler=handler, options=options)
    with running(consumer) as [one]:
        metrics = one.ended()
        assert isinstance(one.error, HandlerFailedError)
        assert (one.error.partition, one.error.offset, one.error.attempts) == (0, 20, 3)
    assert [offset for _, offset in handled.places] == list(range(20))
    assert (metrics.processed, metrics.received, metrics.abandoned) == (20, 50, 30)
    assert committed_offsets(kafka_broker, topic, topic, 1) == {0: 20}
    mended = RecordConsumer(kafka_broker, [topic], topic, handler=handled, options=options)
    with running(mended) as [one]:
        wait_until(lambda: one.metrics.processed == 30, "the rest")
        one.stop()
    assert [offset for _, offset in handled.places] == list(range(50))


def test_a_rebalance_in_the_middle_of_a_batch(
    kafka_broker: str,
    make_topic: Callable[..., str],
    send: Callable[..., None],
    dead_letters: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic = make_topic(4)
    send(topic, 400, keys=40)
    handled, late = Handled(), Handled()
    in_batch, leaving, go_on = threading.Barrier(5), threading.Event(), threading.Event()
    wait_for = ConsumerLoop._wait_for

    def slow(records: Sequence[ConsumedRecord]) -> None:
        if not go_on.is_set():
            in_batch.wait(60)
            assert go_on.wait(60)
        handled.batch(records)

    def waits_for(loop: ConsumerLoop, tenures: Sequence[PartitionTenure]) -> None:
        if any(tenure.running for tenure in tenures):
            leaving.set()
        wait_for(loop, tenures)

    monkeypatch.setattr(ConsumerLoop, "_wait_for", waits_for)
    options = ConsumerSettings(
        dead_letter_topic=dead_letters,
        max_poll_records=20,
        handler_threads=4,
        heartbeat_s=0.3,
        **SOON,
    )
    first = RecordConsumer(kafka_broker, [topic], topic, batch_handler=slow, options=options)
    second = RecordConsumer(kafka_broker, [topic], topic, batch_handler=late.batch, options=options)
    with running(first) as [one]:
        in_batch.wait(60)  # every partition is in the middle of a batch
        with running(second) as [two]:
            assert leaving.wait(60)
            assert two.metrics.partitions == 0
            go_on.set()
            wait_until(lambda: two.metrics.partitions == 2, "half of the partitions")
            wait_until(
                lambda: len(set(handled.places) | set(late.places)) == 400, "all of them handled"
            )
            both = [one.stop(), two.stop()]
    assert all(metrics.lost_partitions == 0 for metrics in both)
    assert all(metrics.in_flight == 0 for metrics in both)
    # What was finished was committed before the partition went: nobody had to do it again.
    assert len(handled.places) + len(late.places) == 400
    assert len(late.places) > 0
    # What had not begun when the partition went was left to the second one.
    assert both[0].abandoned > 0
    assert sum(committed_offsets(kafka_broker, topic, topic, 4).values()) == 400


def test_a_handler_that_outlasts_the_rebalance_commits_nothing(
    kafka_broker: str, make_topic: Callable[..., str], send: Callable[..., None], dead_letters: str
) -> None:
    topic = make_topic(2)
    send(topic, 60)
    handled = Handled()
    stuck: dict[int, threading.Event] = {0: threading.Event(), 1: threading.Event()}
    go_on = threading.Event()

    def hangs(record: ConsumedRecord) -> None:
        if record.offset >= 5:
            stuck[record.partition].set()
            assert go_on.wait(60)

    options = ConsumerSettings(
        dead_letter_topic=dead_letters, drain_s=0.3, handler_threads=2, heartbeat_s=0.3, **SOON
    )
    first = RecordConsumer(kafka_broker, [topic], topic, handler=hangs, options=options)
    second = RecordConsumer(kafka_broker, [topic], topic, handler=handled, options=options)
    with running(first) as [one]:
        assert all(event.wait(60) for event in stuck.values())
        wait_until(
            lambda: committed_offsets(kafka_broker, topic, topic, 2) == {0: 5, 1: 5},
            "what is done is committed, and nothing behind it",
        )
        with running(second) as [two]:
            wait_until(lambda: two.metrics.partitions == 1, "one of them")
            ((_, taken),) = two.metrics.committed
            end = sum(record.partition == taken for record in read_all(kafka_broker, topic))
            wait_until(lambda: len(handled.places) == end - 5, "from the first unfinished one on")
            wait_until(
                lambda: (
                    committed_offsets(kafka_broker, topic, topic, 2) == {taken: end, 1 - taken: 5}
                ),
                "committed",
            )
            go_on.set()  # the first one's late success is nobody's business any more
            wait_until(lambda: one.metrics.in_flight == 0, "the rest of the other partition")
            other_end = 60 - end
            assert one.stop().committed[topic, 1 - taken] == other_end
            two.stop()
    assert committed_offsets(kafka_broker, topic, topic, 2) == {taken: end, 1 - taken: other_end}
    assert [place for place in handled.places if place[0] == taken] == [
        (taken, offset) for offset in range(5, end)
    ]


def test_a_slow_handler_costs_no_membership_and_fetching_pauses(
    kafka_broker: str, make_topic: Callable[..., str], send: Callable[..., None], dead_letters: str
) -> None:
    topic = make_topic(2)
    send(topic, 1_000)
    most, began = 0, threading.Event()
    slow = threading.Event()

    def handler(record: ConsumedRecord) -> None:
        nonlocal most
        most = max(most, consumer.metrics().in_flight)
        began.set()
        if record.offset == 3:
            slow.wait(60)

    options = ConsumerSettings(
        dead_letter_topic=dead_letters,
        max_in_flight_records=100,
        max_poll_records=30,
        session_timeout_s=6.0,
        max_poll_interval_s=6.0,
        drain_s=5.0,
        heartbeat_s=1.0,
        commit_interval_s=0.05,
    )
    consumer = RecordConsumer(kafka_broker, [topic], topic, handler=handler, options=options)
    with running(consumer) as [one]:
        assert began.wait(60)
        wait_until(lambda: one.metrics.paused, "fetching is paused")
        stood = time.monotonic()
        wait_until(lambda: time.monotonic() - stood > 7.0, "longer than the poll interval")
        # Three are done; whether their room was filled before the window closed is chance.
        assert 97 <= one.metrics.in_flight <= 100
        assert (one.metrics.partitions, one.metrics.lost_partitions) == (2, 0)
        slow.set()
        wait_until(lambda: one.metrics.processed == 1_000, "all handled")
        metrics = one.stop()
    assert most <= 100
    assert metrics.rebalances == 2  # they came, and they were given back at the end
    assert (metrics.received, metrics.commit_failures) == (1_000, 0)


@pytest.mark.usefixtures("needs_apache_kafka")
def test_the_newer_group_protocol_of_the_broker(
    kafka_broker: str, make_topic: Callable[..., str], send: Callable[..., None], dead_letters: str
) -> None:
    topic = make_topic(2)
    send(topic, 200)
    handled = Handled()
    consumer = RecordConsumer(
        kafka_broker,
        [topic],
        topic,
        handler=handled,
        client={"group.protocol": "consumer"},
        options=ConsumerSettings(dead_letter_topic=dead_letters, **SOON),
    )
    with running(consumer) as [one]:
        wait_until(lambda: one.metrics.processed == 200, "all handled")
        one.stop()
    assert sum(committed_offsets(kafka_broker, topic, topic, 2).values()) == 200


@pytest.mark.usefixtures("needs_apache_kafka")
@pytest.mark.parametrize("strategy", ["cooperative-sticky", "range"])
def test_records_that_retention_took_are_an_error_unless_that_is_accepted(
    kafka_broker: str,
    make_topic: Callable[..., str],
    send: Callable[..., None],
    dead_letters: str,
    strategy: str,
) -> None:
    topic = make_topic(2)

    def fill(*counts: int) -> None:
        with RecordProducer(kafka_broker) as producer:
            for partition, count in enumerate(counts):
                # As librdkafka chooses the partition of a key.
                key = next(b"%d" % n for n in range(99) if zlib.crc32(b"%d" % n) % 2 == partition)
                for _ in range(count):
                    producer.send(topic, key, b"x")

    handled = Handled()
    plain = {"on_failure": "stop", **SOON}

    def make(**options: object) -> RecordConsumer:
        return RecordConsumer(
            kafka_broker,
            [topic],
            topic,
            handler=handled,
            client={"partition.assignment.strategy": strategy},
            options=ConsumerSettings(**{**plain, **options}),  # type: ignore[arg-type]
        )

    fill(30, 30)
    with running(make()) as [one]:
        wait_until(lambda: one.metrics.processed == 60, "the first sixty")
        one.stop()
    fill(20, 20)
    admin = AdminClient(client_config(kafka_broker))
    for deleted in admin.delete_records([TopicPartition(topic, 0, 40)]).values():
        deleted.result(30)
    with running(make()) as [one]:
        one.ended()
        assert isinstance(one.error, OffsetsVanishedError)
        assert (one.error.partition, one.error.wanted, one.error.first) == (0, 30, 40)
    assert committed_offsets(kafka_broker, topic, topic, 2)[0] == 30
    with running(make(accept_loss=True)) as [one]:
        wait_until(lambda: len(set(handled.places)) == 90, "what is left")
        assert one.stop().vanished == 10
    offsets = [[at for number, at in handled.places if number == p] for p in (0, 1)]
    assert offsets == [[*range(30), *range(40, 50)], list(range(50))]
    assert committed_offsets(kafka_broker, topic, topic, 2) == {0: 50, 1: 50}


def test_a_dead_letter_that_its_topic_cannot_hold_goes_without_its_value(
    kafka_broker: str, make_topic: Callable[..., str], send: Callable[..., None]
) -> None:
    topic, narrow = make_topic(), make_topic(config={"max.message.bytes": "2000"})
    send(topic, 3, size=3_000)
    options = ConsumerSettings(dead_letter_topic=narrow, max_attempts=1, **SOON)

    def handler(record: ConsumedRecord) -> None:
        raise ValueError(record.offset)

    client = {"compression.type": "none"}
    consumer = RecordConsumer(
        kafka_broker, [topic], topic, handler=handler, client=client, options=options
    )
    with running(consumer) as [one]:
        wait_until(lambda: one.metrics.dead_letters == 3, "dead letters")
        one.stop()
    letters = read_all(kafka_broker, narrow)
    told = [dict(letter.headers) for letter in letters]
    assert [letter.value for letter in letters] == [None] * 3
    assert [headers["pbf-origin-offset"] for headers in told] == [b"0", b"1", b"2"]
    assert told[0]["pbf-value"] == b"left out: 3001 bytes are too large for this topic"
    assert committed_offsets(kafka_broker, topic, topic, 1) == {0: 3}


def test_latest_starts_at_the_end_and_remembers_it(
    kafka_broker: str, make_topic: Callable[..., str], send: Callable[..., None]
) -> None:
    topic = make_topic(2)
    send(topic, 20)
    handled = Handled()
    options = ConsumerSettings(start_from="latest", on_failure="stop", **SOON)

    def make() -> RecordConsumer:
        return RecordConsumer(kafka_broker, [topic], topic, handler=handled, options=options)

    with running(make()) as [one]:
        wait_until(lambda: one.metrics.commits > 0, "where it starts is committed")
        assert one.stop().received == 0
    send(topic, 10)  # while nobody is there
    with running(make()) as [one]:
        wait_until(lambda: one.metrics.processed == 10, "all since the first start")
        assert one.stop().received == 10


def test_missing_topics_are_named_at_the_start(
    kafka_broker: str, make_topic: Callable[..., str], topic_name: str
) -> None:
    consumer = RecordConsumer(kafka_broker, [topic_name], "g", handler=print, connect_timeout_s=1.0)
    with running(consumer) as [one]:
        one.ended()
        assert isinstance(one.error, TopicMissingError)
        assert one.error.topic == topic_name

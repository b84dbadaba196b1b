"""Consumes topics at least once: a handler, retries, dead letters, commits of what is done."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Self

from pbf_ray.backoff import Backoff
from pbf_ray.config.kafka_clients import ConsumerSettings, ProducerSettings
from pbf_ray.kafka.client import NO_SETTINGS, client_config, wait_for_broker
from pbf_ray.kafka.consumer_loop import ConsumerLoop
from pbf_ray.kafka.consumer_metrics import ConsumerBooks, ConsumerMetrics
from pbf_ray.kafka.dead_letter_topic import DeadLetterTopic
from pbf_ray.kafka.handling import BatchHandler, Handling, RecordHandler, is_transient
from pbf_ray.kafka.producer import RecordProducer

if TYPE_CHECKING:
    from pbf_ray.config import Settings

__all__ = ["RecordConsumer"]


class RecordConsumer:
    """Hands every record of some topics to a handler, at least once, as a member of a group.

    A record is done when its handler has returned, or when the broker has acknowledged its dead
    letter. Committed is, per partition, an unbroken beginning of done records: nothing is lost by
    a crash, and what was handled but not yet committed is handled again. Handlers run in threads
    of their own, so a slow one costs no membership; when too much is in flight fetching pauses.
    When a partition goes to another member, what is being handled may finish within
    ``consumer.drain_s``, what has not begun is left to it, and what is done is committed first.

    ``run`` does the work, once; ``stop`` and ``metrics`` may be called from anywhere.

    Args:
        bootstrap_servers: Comma-separated ``host:port``.
        topics: Names of the topics.
        group_id: Consumer group.
        handler: Called with each record; an exception is a failure, what it returns is ignored.
        batch_handler: Instead of ``handler``: called with records of one partition, in order,
            ``consumer.max_poll_records`` at most. If it fails for good, each record is handled on
            its own.
        client: Further librdkafka settings; they override ``options``.
        options: The defaults are those of ``[consumer]``.
        producer_options: How dead letters are sent.
        transient: Whether an error of the handler passes by itself: it is then tried until it
            does. By default those are the transient errors of ``pbf_ray``.
        connect_timeout_s: How long to wait for a broker at the start, seconds.

    Raises:
        ValueError: If there is not exactly one handler, or no topic.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topics: Sequence[str],
        group_id: str,
        *,
        handler: RecordHandler | None = None,
        batch_handler: BatchHandler | None = None,
        client: Mapping[str, str] = NO_SETTINGS,
        options: ConsumerSettings | None = None,
        producer_options: ProducerSettings | None = None,
        transient: Callable[[Exception], bool] = is_transient,
        connect_timeout_s: float = 60.0,
    ) -> None:
        called = handler if batch_handler is None else batch_handler
        if called is None or (handler is not None and batch_handler is not None):
            raise ValueError("give either handler or batch_handler")
        if not topics or isinstance(topics, str):
            raise ValueError("topics is to name one topic at least, in a list")
        self.options = options or ConsumerSettings()
        self.topics = tuple(dict.fromkeys(topics))
        self.group_id = group_id
        self._called: Callable[..., object] = called
        self._batch = batch_handler is not None
        self._address = bootstrap_servers
        self._client = dict(client)
        self._producer_options = producer_options or ProducerSettings()
        self._transient = transient
        self._connect_timeout_s = connect_timeout_s
        self._books = ConsumerBooks()
        self._stopping = False
        self._began = False

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        topics: Sequence[str],
        group_id: str,
        *,
        handler: RecordHandler | None = None,
        batch_handler: BatchHandler | None = None,
        transient: Callable[[Exception], bool] = is_transient,
    ) -> Self:
        """A consumer as ``[kafka]``, ``[consumer]`` and ``[producer]`` of the settings say."""
        return cls(
            settings.kafka.bootstrap_servers,
            topics,
            group_id,
            handler=handler,
            batch_handler=batch_handler,
            client=settings.kafka.client_config(),
            options=settings.consumer,
            producer_options=settings.producer,
            transient=transient,
            connect_timeout_s=settings.kafka.connect_timeout_s,
        )

    def stop(self) -> None:
        """Let ``run`` end: finish what was taken, commit, leave the group. From anywhere."""
        self._stopping = True

    def metrics(self) -> ConsumerMetrics:
        """The books as they are now; from any thread, at any time."""
        return self._books.read()

    def run(self, *, until_signal: bool = False) -> ConsumerMetrics:
        """Consume until ``stop``; blocks.

        Args:
            until_signal: Take the first SIGTERM or Ctrl-C as ``stop``; a second one does what
                it did before. Only in the main thread.

        Returns:
            The books at the end.

        Raises:
            HandlerFailedError: With ``on_failure = "stop"``, once a record has failed for good.
            OffsetsVanishedError: If the broker no longer has the next records.
            TopicMissingError: If there is no such topic, or none for dead letters.
            BrokerUnavailableError: If nobody answers at the start.
            BrokerError: If the broker refuses for good.
            SettingError: If a setting of the client contradicts what this class promises.
            RuntimeError: If it ran before.
        """
        if self._began:
            raise RuntimeError("a consumer runs once; make another one")
        self._began = True
        with _stop_at_signals(self.stop, wanted=until_signal):
            wait_for_broker(client_config(self._address, self._client), self._connect_timeout_s)
            self._consume()
        return self.metrics()

    def _consume(self) -> None:
        options = self.options
        letters: DeadLetterTopic | None = None
        if options.on_failure == "dead_letter":
            producer = RecordProducer(self._address, self._client, options=self._producer_options)
            letters = DeadLetterTopic(producer, options.dead_letter_topic, group_id=self.group_id)
        handling = Handling(
            self._called,
            batch=self._batch,
            max_attempts=options.max_attempts,
            backoff=Backoff(options.first_pause_s, options.longest_pause_s),
            bury=None if letters is None else letters.bury,
            transient=self._transient,
        )
        loop = ConsumerLoop(
            self._address,
            self.topics,
            self.group_id,
            self._client,
            options=options,
            handling=handling,
            max_batch=options.max_poll_records if self._batch else 1,
            books=self._books,
            stopping=lambda: self._stopping,
        )
        loop.run(
            () if letters is None else (options.dead_letter_topic,),
            patience_s=min(10.0, self._connect_timeout_s),
        )


@contextmanager
def _stop_at_signals(stop: Callable[[], object], *, wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def take(_number: int, _frame: FrameType | None) -> None:
        restore()
        stop()

    for number in before:
        signal.signal(number, take)
    try:
        yield
    finally:
        restore()

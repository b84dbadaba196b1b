"""Messages on their way to a topic, at a steady rate, with the producer that users have."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from pbf_ray.config.kafka_clients import ProducerSettings
from pbf_ray.kafka.offsets import ClusterView
from pbf_ray.kafka.producer import RecordProducer

__all__ = ["Feed", "Message"]

Message = tuple[bytes | None, bytes | None]
MOST_WAITING = 5_000


@dataclass
class Feed:
    """Sends messages in a thread until it is told to end, or there are no more.

    While brokers are away it holds on before its buffer is full: how many records an outage
    brings then does not depend on how long it lasts.

    Attributes:
        servers: Where to.
        topic: The topic.
        messages: Key and value of each.
        per_s: How many a second.
        patience_s: How long brokers may be away, and acknowledgements take.
        handed: The messages that the producer has taken.
    """

    servers: str
    topic: str
    messages: Iterator[Message]
    per_s: float
    patience_s: float = 120.0
    handed: list[Message] = field(default_factory=list)

    def start(self) -> Feed:
        """Begin; returns at once."""
        self._ending = threading.Event()
        self._producer: RecordProducer | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()
        return self

    def await_all_partitions(self, partitions: int) -> Feed:
        """Wait until every partition holds a message.

        A stream that starts now reads all of them before its watermark does; one that starts
        earlier may take those of a broker that was slow to begin for late, as it should.
        """
        view = ClusterView(self.servers, [self.topic])
        places = [(self.topic, number) for number in range(partitions)]
        deadline = time.monotonic() + self.patience_s
        while not all((ends := view.ends(places)).values()):
            assert time.monotonic() < deadline, f"not in {self.patience_s} s: {ends}"
            time.sleep(0.05)
        return self

    @property
    def sent(self) -> int:
        """Messages that were acknowledged."""
        return 0 if self._producer is None else self._producer.sent

    def finish(self) -> None:
        """Send no more; every message has to be acknowledged, none given up."""
        self._ending.set()
        self._thread.join(2 * self.patience_s)
        assert not self._thread.is_alive(), f"{len(self.handed)} handed over, {self.sent} sent"
        assert self._producer is not None
        assert (self._producer.sent, self._producer.failed) == (len(self.handed), 0)

    def _run(self) -> None:
        began_s = time.monotonic()
        options = ProducerSettings(delivery_timeout_s=self.patience_s)
        with RecordProducer(self.servers, options=options) as self._producer:
            for number, (key, value) in enumerate(self.messages):
                while (early_s := number / self.per_s - (time.monotonic() - began_s)) > 0:
                    self._ending.wait(min(early_s, 0.05))
                while self._producer.waiting >= MOST_WAITING and not self._ending.wait(0.05):
                    self._producer.metrics()  # which takes acknowledgements
                if self._ending.is_set():
                    break
                self._producer.send(self.topic, key, value)
                self.handed.append((key, value))
            assert self._producer.flush(self.patience_s) == 0

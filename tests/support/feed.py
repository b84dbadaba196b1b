"""Messages on their way to a topic, at a steady rate, with the producer that users have."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from pbf_ray.kafka.producer import RecordProducer

__all__ = ["Feed", "Message"]

Message = tuple[bytes | None, bytes | None]


@dataclass
class Feed:
    """Sends messages in a thread until it is told to end, or there are no more.

    Attributes:
        servers: Where to.
        topic: The topic.
        messages: Key and value of each.
        per_s: How many a second.
        patience_s: How long acknowledgements may take at the end.
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
        with RecordProducer(self.servers) as self._producer:
            for number, (key, value) in enumerate(self.messages):
                while number > (time.monotonic() - began_s) * self.per_s:
                    self._producer.flush(0.02)  # takes acknowledgements while it waits
                if self._ending.is_set():
                    break
                self._producer.send(self.topic, key, value)
                self.handed.append((key, value))
            assert self._producer.flush(self.patience_s) == 0

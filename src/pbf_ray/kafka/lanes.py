"""Handler threads: each has a lane of records, which it handles in their order."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Literal

from pbf_ray.kafka.consumed_record import ConsumedRecord
from pbf_ray.kafka.handling import Handling, Outcome, Verdict
from pbf_ray.kafka.partition_tenure import PartitionTenure

__all__ = ["Finished", "Lanes", "lane_of"]

Finished = tuple[PartitionTenure, Outcome] | BaseException
"""A tenure and what became of some of its records; or what has ended a handler thread."""

_Load = tuple[PartitionTenure, list[ConsumedRecord]]


def lane_of(record: ConsumedRecord, order: Literal["partition", "key"], lanes: int) -> int:
    """The lane of a record: the same for equal partitions, or for equal keys.

    A record without a key goes with its partition.
    """
    if order == "key" and record.key is not None:
        return zlib.crc32(record.key) % lanes
    return (zlib.crc32(record.topic.encode()) + record.partition) % lanes


class Lanes:
    """A fixed number of handler threads.

    Args:
        handling: What they do with records.
        count: How many there are.
        order: What is to keep its order.
        max_batch: Most records of one call; 1 for a handler of single records.
        report: Takes what was finished; called from the handler threads.
    """

    def __init__(
        self,
        handling: Handling,
        count: int,
        *,
        order: Literal["partition", "key"],
        max_batch: int,
        report: Callable[[Finished], object],
    ) -> None:
        self._handling = handling
        self._order = order
        self._max_batch = max_batch
        self._report = report
        self._queues: list[SimpleQueue[_Load | None]] = [SimpleQueue() for _ in range(count)]
        # A handler that never returns is not to keep the process from ending.
        self._threads = [
            threading.Thread(target=self._run, args=(queue,), name=f"handler-{number}", daemon=True)
            for number, queue in enumerate(self._queues)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def put(self, tenure: PartitionTenure, records: Sequence[ConsumedRecord]) -> None:
        """Hand on records of one partition, in the order of their offsets."""
        shares: dict[int, list[ConsumedRecord]] = {}
        for record in records:
            lane = lane_of(record, self._order, len(self._queues))
            shares.setdefault(lane, []).append(record)
        for lane, share in shares.items():
            self._queues[lane].put((tenure, share))

    def close(self, timeout_s: float) -> bool:
        """End the threads when they have nothing more to do.

        Returns:
            Whether all have ended within ``timeout_s`` seconds.
        """
        for queue in self._queues:
            queue.put(None)
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, queue: SimpleQueue[_Load | None]) -> None:
        looked_at: list[_Load | None] = []
        while (load := looked_at.pop() if looked_at else queue.get()) is not None:
            tenure, records = load
            # A batch is of one partition: it is revoked, and committed, as one.
            while len(records) < self._max_batch and not queue.empty():
                following = queue.get()
                if following is None or following[0] is not tenure:
                    looked_at.append(following)
                    break
                records = records + following[1]
            for first in range(0, len(records), self._max_batch):
                self._work(tenure, records[first : first + self._max_batch])

    def _work(self, tenure: PartitionTenure, records: Sequence[ConsumedRecord]) -> None:
        begun = [record for record in records if tenure.begin(record.offset)]
        if len(begun) < len(records):
            self._report((tenure, Outcome(Verdict.ABANDONED, records[len(begun) :])))
        if not begun:
            return
        try:
            outcomes = self._handling.handle(begun, tenure.hurry)
        except BaseException as error:  # noqa: BLE001 - raised by the thread that polls
            # A handler that ends its thread, with sys.exit or the like, ends the consumer.
            outcomes = [Outcome(Verdict.ABANDONED, begun)]
            self._report(error)
        for outcome in outcomes:
            if outcome.verdict in {Verdict.FAILED, Verdict.ABANDONED}:
                # Nothing behind it may overtake it.
                tenure.end()
            self._report((tenure, outcome))

"""Consume records with a handler of one's own: count hot records per build, at least once.

Some records to consume, if there are none yet:

    pbf-ray topics create --clamp-replication
    pbf-ray simulate --layers 5 --malformed 0.01

Then: python examples/consume_records.py --records 1000
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

from pbf_ray import ConsumedRecord, RecordConsumer, Settings


class HotRecords:
    """A handler of batches: counts records above 1600 degrees."""

    def __init__(self) -> None:
        self.by_build: Counter[str] = Counter()

    def __call__(self, records: Sequence[ConsumedRecord]) -> None:
        """Count all of them or none: a batch that fails is handled again, record by record."""
        # What is no JSON raises here, and becomes a dead letter; the others of its batch do not.
        fields = [record.json() for record in records]
        self.by_build.update(
            str(field["build_id"]) for field in fields if (field["temperature"] or 0.0) > 1600.0
        )


def main() -> None:
    """Consume until there were enough records, then show what was counted."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--bootstrap-servers", default="localhost:9092")
    options.add_argument("--topic", default="ispm-monitoring")
    options.add_argument("--records", type=int, default=1000)
    given = options.parse_args()

    settings = Settings(
        kafka={"bootstrap_servers": given.bootstrap_servers},
        consumer={"max_attempts": 2, "handler_threads": 2},
    )
    hot = HotRecords()

    def handle(records: Sequence[ConsumedRecord]) -> None:
        hot(records)
        if consumer.metrics().received >= given.records:
            consumer.stop()  # what was taken is finished, and committed

    consumer = RecordConsumer.from_settings(
        settings, [given.topic], "hot-records", batch_handler=handle
    )
    books = consumer.run(until_signal=True)
    print(f"{books.processed} processed, {books.dead_letters} dead letters")
    print(
        f"committed: {sum(books.committed.values())} records in {len(books.committed)} partitions"
    )
    print("hot records:", dict(sorted(hot.by_build.items())))


if __name__ == "__main__":
    main()

"""A sensor of one's own as a source of records: one whose cable is loose.

    pbf-ray topics create --clamp-replication

Then: python examples/own_sensor_source.py; or, from the folder of this file, without a program:
pbf-ray produce own_sensor_source:LooseGauge --arg sensor_id=gauge-1 --topic ispm-monitoring
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator
from typing import Any

from pbf_ray import ProduceJob, RecordProducer, Settings, TopicTarget
from pbf_ray.backoff import Backoff


class LooseGauge:
    """A pressure gauge that is cut off after every hundredth reading.

    What it has read already is its own to remember: after a failure ``records`` is called again,
    and goes on.
    """

    def __init__(self, sensor_id: str, readings: int | str = 350) -> None:
        self.sensor_id = sensor_id
        self.readings = int(readings)  # options of the command line are text
        self.read = 0

    def records(self) -> Iterator[dict[str, Any]]:
        """Readings, until there are no more or the cable falls out."""
        while self.read < self.readings:
            self.read += 1
            yield {
                "sensor_id": self.sensor_id,
                "timestamp": time.time(),
                "pressure": 0.95 + 0.001 * (self.read % 7),
                "build_id": "gauge-test",
                "layer": self.read // 50,
            }
            if self.read % 100 == 0:
                raise ConnectionResetError(f"cable fell out after {self.read} readings")

    def close(self) -> None:
        """Nothing is held."""


def main() -> None:
    """Send all readings, and say what became of them."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--bootstrap-servers", default="localhost:9092")
    options.add_argument("--topic", default="ispm-monitoring")
    given = options.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")

    settings = Settings(
        kafka={"bootstrap_servers": given.bootstrap_servers},
        producer={"producer_id": "loose-gauge"},
    )
    with RecordProducer.from_settings(settings) as producer:
        # Patience of an example: a real gauge is better left alone for the usual 5 s.
        soon = Backoff(first_pause_s=0.1, longest_pause_s=1.0)
        job = ProduceJob(
            LooseGauge("gauge-1"), TopicTarget(producer, given.topic), rate=2000, backoff=soon
        )
        done = job.run()
    print(f"{done.read} read, {done.sent} sent, {done.failed} failed")
    print(f"the cable fell out {done.source_failures} times")


if __name__ == "__main__":
    main()

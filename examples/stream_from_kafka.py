"""Run the stream from a Python program: start it, watch it, stop it, go on, read the results.

Some records to read, if there are none yet:

    pbf-ray topics create --clamp-replication
    pbf-ray simulate --layers 5

Then: python examples/stream_from_kafka.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pbf_ray import Settings, StreamJob


def main() -> None:
    """Run the job twice: until it is told to stop, then to the end of the topic."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--bootstrap-servers", default="localhost:9092")
    options.add_argument("--data-dir", type=Path, default=Path("pbf-data"))
    options.add_argument("--topic", default="ispm-monitoring")
    given = options.parse_args()

    settings = Settings(
        job={"name": "stream-from-kafka", "data_dir": given.data_dir},
        kafka={"bootstrap_servers": given.bootstrap_servers, "topics": [given.topic]},
        stream={"epoch_max_rows": 200},  # small, so that there is something to stop
    )

    # An endless stream. It runs beside this program until somebody stops it.
    with StreamJob(settings) as job:
        while job.progress().consumed == 0 and job.wait(0.5) is None:
            print(f"{job.progress().state}, {job.progress().lag} records to go")
        job.stop()  # finishes the epoch and commits
        print(job.wait())

    # The same job goes on from there, and this time ends with the topic.
    job = StreamJob(settings.replace({"stream.until_end": True}))
    result = job.run()
    print(f"{result.outcome} after {result.books['consumed']} records, {result.layers} layers")

    layers = job.results.polars("layer_quality").sort("build_id", "layer")
    print(layers.select("build_id", "layer", "n", "temperature_avg", "temperature_std"))


if __name__ == "__main__":
    main()

"""A consumer as a process: notes each record that it handles, until SIGTERM.

Arguments: bootstrap servers, topic, group, dead-letter topic, file, seconds per record, and
librdkafka settings as name=value. Its last line on stdout is its metrics as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence

from pbf_ray.config.kafka_clients import ConsumerSettings
from pbf_ray.kafka.consumed_record import ConsumedRecord
from pbf_ray.kafka.consumer import RecordConsumer


def main() -> None:
    """Consume."""
    servers, topic, group, dead_letters, file, pause_s, *client = sys.argv[1:]
    # Each line is with the system when the handler returns: kill -9 does not take it back.
    notes = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def handler(records: Sequence[ConsumedRecord]) -> None:
        for record in records:
            time.sleep(float(pause_s))
            os.write(notes, f"{record.partition} {record.offset}\n".encode())

    consumer = RecordConsumer(
        servers,
        [topic],
        group,
        batch_handler=handler,
        client=dict(setting.split("=", 1) for setting in client),
        options=ConsumerSettings(
            dead_letter_topic=dead_letters,
            max_poll_records=25,
            commit_interval_s=0.1,
            session_timeout_s=6.0,
            heartbeat_s=0.5,
        ),
    )
    sys.stdout.write(json.dumps(consumer.run(until_signal=True).to_plain()) + "\n")


if __name__ == "__main__":
    main()

"""``kafka-consumer-groups --describe``: the tool that Kafka's users look at lags with."""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

import pytest

from services.fetch import find_kafka_tools

__all__ = ["Lag", "described_lags"]


class Lag(NamedTuple):
    """A line of the tool.

    Attributes:
        committed: The next offset that the group reads.
        end: The end of the partition.
        lag: What the tool makes of both.
    """

    committed: int
    end: int
    lag: int


def described_lags(bootstrap_servers: str, group: str) -> dict[tuple[str, int], Lag]:
    """What the tool says of a group; a skip where its jars are missing, in CI a failure."""
    jars = find_kafka_tools()
    if jars is None:
        missing = "the jars of kafka-consumer-groups are not fetched (make services)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs them: {missing}")
        pytest.skip(missing)
    done = subprocess.run(
        ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*",
         "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
         "--bootstrap-server", bootstrap_servers, "--group", group, "--describe"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    header = next(number for number, words in enumerate(lines) if words[0] == "GROUP")
    found = {}
    for words in lines[header + 1 :]:
        row = dict(zip(lines[header], words, strict=False))
        assert row["GROUP"] == group, done.stdout
        place = row["TOPIC"], int(row["PARTITION"])
        found[place] = Lag(int(row["CURRENT-OFFSET"]), int(row["LOG-END-OFFSET"]), int(row["LAG"]))
    return found

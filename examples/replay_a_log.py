"""Send a real log to Kafka and judge it: a machine that the default rules do not suit.

The log has the chamber pressure of a healthy machine, once a layer. From the root of the source
tree: python examples/replay_a_log.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pbf_ray import DEFAULT_PROFILE, RuleProfile, Settings, StreamJob
from pbf_ray.kafka.client import client_config
from pbf_ray.kafka.producer import RecordProducer
from pbf_ray.kafka.topics import TopicSpec, create_topics
from pbf_ray.simulate import BadLine, load_mapping, replay_records

HERE = Path(__file__).resolve().parent
EXCERPT = HERE.parent / "tests" / "data" / "process" / "lpbf_layer_log_excerpt.log"


def send(log: Path, servers: str, topic: str) -> int:
    """Send the log with the mapping for it; gives the number of records."""
    bad: list[BadLine] = []
    mapping = load_mapping(HERE / "mappings" / "lpbf_layer_log.toml")
    create_topics(client_config(servers), [TopicSpec(topic, 1)], clamp_replication=True)
    with RecordProducer(servers) as producer:  # on the way out it waits for all of them
        for record in replay_records(log, mapping, on_bad_line=bad.append):
            producer.send(topic, record.key, record.value)
    for line in bad:
        print(f"line {line.line}: {line.reason}")
    return producer.sent


def main() -> None:
    """Send the log, then judge it by the default profile and by one that suits the machine."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--bootstrap-servers", default="localhost:9092")
    options.add_argument("--data-dir", type=Path, default=Path("pbf-data"))
    options.add_argument("--topic", default="layer-log")
    options.add_argument("--log", type=Path, default=EXCERPT)
    given = options.parse_args()

    print(f"{send(given.log, given.bootstrap_servers, given.topic)} records sent")
    file = HERE / "profiles" / "lpbf_layer_log.toml"
    suitable = RuleProfile.from_toml(file.read_text(encoding="utf-8"), source=str(file))
    for profile in (DEFAULT_PROFILE, suitable):
        settings = Settings(
            job={"name": f"replay-{profile.name}", "data_dir": given.data_dir},
            kafka={"bootstrap_servers": given.bootstrap_servers, "topics": [given.topic]},
            stream={"until_end": True},
        )
        result = StreamJob(settings, profile=profile).run()
        print(f"profile {profile.name}: {result.anomalies_by_type} in {result.layers} layers")


if __name__ == "__main__":
    main()

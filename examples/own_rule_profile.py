"""Judge records by rules of one's own.

Some records to read, if there are none yet:

    pbf-ray topics create --clamp-replication
    pbf-ray simulate --layers 5

Then: python examples/own_rule_profile.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pbf_ray import DEFAULT_PROFILE, Rule, RuleProfile, Settings, StreamJob

PROFILE = RuleProfile(
    name="narrow",
    description="The default rules, and before them narrower ones for the scan speed",
    rules=(
        Rule("scan_speed", "<", 1.195, "slow_scan", "warning"),
        Rule("scan_speed", ">", 1.205, "fast_scan", "warning"),
        *DEFAULT_PROFILE.rules,
    ),
)


def main() -> None:
    """Run the stream with the profile, and show what it found."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--bootstrap-servers", default="localhost:9092")
    options.add_argument("--data-dir", type=Path, default=Path("pbf-data"))
    options.add_argument("--topic", default="ispm-monitoring")
    given = options.parse_args()

    # The same profile as a file, for pbf-ray stream --profile narrow.toml
    given.data_dir.mkdir(parents=True, exist_ok=True)
    (given.data_dir / "narrow.toml").write_text(PROFILE.to_toml(), encoding="utf-8")

    settings = Settings(
        job={"name": "own-rule-profile", "data_dir": given.data_dir},
        kafka={"bootstrap_servers": given.bootstrap_servers, "topics": [given.topic]},
        stream={"until_end": True},
    )
    job = StreamJob(settings, profile=PROFILE)
    result = job.run()
    print(f"{result.books['consumed']} records, anomalies: {result.anomalies_by_type}")
    found = job.results.polars("ispm_anomalies", columns=["anomaly_type", "severity", "scan_speed"])
    print(found.sort("scan_speed"))


if __name__ == "__main__":
    main()

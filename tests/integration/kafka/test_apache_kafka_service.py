"""The test broker itself: it dies with its owner. Three of them: ``three_brokers``."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("needs_apache_kafka")]

OWNER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from services.apache_kafka import ApacheKafka
broker = ApacheKafka(Path(sys.argv[1]))
broker.start(wait=False)
print(broker.pid, flush=True)
time.sleep(300)
"""


def test_it_dies_with_its_owner(tmp_path: Path) -> None:
    tests = Path(__file__).resolve().parents[2]
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "kafka"), str(tests)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert owner.stdout is not None
        stat = Path(f"/proc/{int(owner.stdout.readline())}/stat")
        assert stat.exists()
    finally:
        owner.kill()
        owner.communicate()
    deadline = time.monotonic() + 30
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "the broker outlived its owner"
        time.sleep(0.02)

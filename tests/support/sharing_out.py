"""How test files are shared out to processes: by file, but what is dear to have only to one."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

__all__ = ["pytest_xdist_make_scheduler"]

# Three brokers are three JVMs; what replays fuzzed inputs takes minutes to build.
_ONE_PROCESS = ("tests/integration/three_brokers/", "/test_fuzz_replay.py")


class _ByFileAndWhatItNeeds(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        for part in _ONE_PROCESS:
            if part in nodeid:
                return part
        scope: str = super()._split_scope(nodeid)
        return scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Ours in place of ``--dist=loadfile``."""
    return _ByFileAndWhatItNeeds(config, log) if config.getvalue("dist") == "loadfile" else None

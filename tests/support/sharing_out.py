"""How test files are shared out to processes: by file; three brokers run in one process only."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

__all__ = ["pytest_xdist_make_scheduler"]

_THREE_BROKERS = "tests/integration/three_brokers/"


class _ByFileAndBrokers(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_THREE_BROKERS):
            return _THREE_BROKERS
        scope: str = super()._split_scope(nodeid)
        return scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Ours in place of ``--dist=loadfile``."""
    return _ByFileAndBrokers(config, log) if config.getvalue("dist") == "loadfile" else None

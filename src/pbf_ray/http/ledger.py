"""Where tokens, acknowledgements and decisions of a job stand."""

from __future__ import annotations

from typing import Final

from pbf_ray.config import Settings
from pbf_ray.storage.auditledger import AuditLedger

__all__ = ["LEDGER_FILE", "open_ledger"]

LEDGER_FILE: Final = "http.sqlite"
"""In the folder of the job's embedded stores."""


def open_ledger(settings: Settings) -> AuditLedger:
    """The ledger of the job of the settings; nothing is opened yet."""
    return AuditLedger(settings.stores_root / LEDGER_FILE)

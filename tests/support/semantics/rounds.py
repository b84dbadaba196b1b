"""How long property tests search that cost a call of Spark an example."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, Phase, settings

__all__ = ["LONG", "rounds"]

LONG: Final = os.environ.get("HYPOTHESIS_PROFILE") == "long"
"""``make property``."""


def rounds(usual: int) -> settings:
    """Settings of a test that draws seeds: ``usual`` examples, in ``make property`` many more.

    A seed has nothing to shrink; the tests themselves look for the least difference.
    """
    many = int(os.environ.get("PROPERTY_ROUNDS", "100")) if LONG else 1
    return settings(
        max_examples=usual * many,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        suppress_health_check=(HealthCheck.too_slow,),
    )

from __future__ import annotations

import math

import pytest

from pbf_ray.http.alerts import Alert
from pbf_ray.monitoring.rules import Rule


@pytest.mark.parametrize(
    ("extreme", "end"),
    [
        (1802.25, "; highest 1802.25 degC"),
        (math.nan, "; the values are not numbers (NaN)"),
        (None, ""),
    ],
)
def test_what_is_said_of_the_furthest_value(extreme: float | None, end: str) -> None:
    rule = Rule("temperature", ">", 1700.0, "high_temperature", "critical")
    alert = Alert(
        "a", "B", 7, "high_temperature", "critical", 3, 1.0, 2.0, ("S",), rule, extreme, "degC"
    )
    assert alert.text == f"temperature above 1700 degC in 3 records{end}"

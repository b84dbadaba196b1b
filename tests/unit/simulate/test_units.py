from __future__ import annotations

import pytest

from pbf_ray.contracts import CHANNEL_UNITS
from pbf_ray.simulate.units import UNITS


@pytest.mark.parametrize(
    ("channel", "unit", "value", "expected"),
    [
        ("temperature", "degC", 1600.0, 1600.0),
        ("temperature", "K", 1873.15, 1600.0),
        ("temperature", "degF", 2912.0, 1600.0),
        ("pressure", "bar", 0.95, 0.95),
        ("pressure", "mbar", 950.0, 0.95),
        ("pressure", "hPa", 950.0, 0.95),
        ("pressure", "Pa", 95_000.0, 0.95),
        ("pressure", "kPa", 95.0, 0.95),
        ("pressure", "MPa", 0.095, 0.95),
        ("pressure", "psi", 14.503773773020923, 1.0),
        ("pressure", "mbar absolute", 1013.25, 1.01325),
        ("laser_power", "W", 200.0, 200.0),
        ("laser_power", "mW", 200_000.0, 200.0),
        ("laser_power", "kW", 0.2, 200.0),
        ("scan_speed", "m/s", 1.2, 1.2),
        ("scan_speed", "mm/s", 1200.0, 1.2),
        ("scan_speed", "m/min", 72.0, 1.2),
        ("scan_speed", "mm/min", 72_000.0, 1.2),
    ],
)
def test_conversion(channel: str, unit: str, value: float, expected: float) -> None:
    assert UNITS[channel][unit].convert(value) == pytest.approx(expected, rel=1e-12)


def test_the_units_of_the_record_are_accepted_as_they_are() -> None:
    for channel, unit in CHANNEL_UNITS.items():
        assert UNITS[channel][unit].convert(0.1 + 0.2) == 0.1 + 0.2


def test_powers_of_ten_add_no_noise_digits() -> None:
    assert UNITS["pressure"]["mbar"].convert(1002.3) == 1.0023
    assert UNITS["scan_speed"]["mm/s"].convert(1234.0) == 1.234

"""Units that logs are written in, converted to the units of the ISPM record."""

from __future__ import annotations

from typing import Final, NamedTuple

from pbf_ray.contracts import CHANNEL_UNITS

__all__ = ["UNITS", "Conversion"]


class Conversion(NamedTuple):
    """``(value - zero) * multiply / divide``; powers of ten stay exact that way."""

    zero: float = 0.0
    multiply: float = 1.0
    divide: float = 1.0

    def convert(self, value: float) -> float:
        """The value in the channel's own unit."""
        return (value - self.zero) * self.multiply / self.divide


_DEGC: Final = {
    "degC": Conversion(),
    "°C": Conversion(),
    "K": Conversion(zero=273.15),
    "degF": Conversion(zero=32.0, multiply=5.0, divide=9.0),
    "°F": Conversion(zero=32.0, multiply=5.0, divide=9.0),
}
_BAR_ABSOLUTE: Final = {
    "bar": Conversion(),
    "mbar": Conversion(divide=1_000.0),
    "hPa": Conversion(divide=1_000.0),
    "Pa": Conversion(divide=100_000.0),
    "kPa": Conversion(divide=100.0),
    "MPa": Conversion(multiply=10.0),
    "psi": Conversion(multiply=6894.757293168361, divide=100_000.0),
}
_WATT: Final = {
    "W": Conversion(),
    "mW": Conversion(divide=1_000.0),
    "kW": Conversion(multiply=1_000.0),
}
_M_PER_S: Final = {
    "m/s": Conversion(),
    "mm/s": Conversion(divide=1_000.0),
    "m/min": Conversion(divide=60.0),
    "mm/min": Conversion(divide=60_000.0),
}

_TO: Final = {
    "degC": _DEGC,
    "bar absolute": {
        f"{unit}{kind}": by for unit, by in _BAR_ABSOLUTE.items() for kind in ("", " absolute")
    },
    "W": _WATT,
    "m/s": _M_PER_S,
}

UNITS: Final[dict[str, dict[str, Conversion]]] = {
    channel: _TO[unit] for channel, unit in CHANNEL_UNITS.items()
}
"""Accepted units by channel. Pressures are absolute; gauge readings need an offset as well."""

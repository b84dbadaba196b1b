"""Which machine a sensor belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["MachineNames"]


class MachineNames:
    """Machines by the names of their sensors.

    Args:
        pattern: Regular expression that matches a whole ``sensor_id`` and whose group is the
            machine; a sensor that it does not match is a machine of its own.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)

    def machine(self, sensor_id: str) -> str:
        """The machine of a sensor."""
        match = self._pattern.fullmatch(sensor_id)
        return match.group(1) or sensor_id if match is not None else sensor_id

    def machines(self, sensors: Iterable[str | None]) -> list[str]:
        """The machines of sensors, each once, sorted."""
        return sorted({self.machine(sensor) for sensor in sensors if sensor is not None})

"""Judging records by the rules of a profile."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pbf_ray.kernels.anomaly import first_match
from pbf_ray.monitoring.columns import channel_values
from pbf_ray.monitoring.rules import RuleProfile

__all__ = ["anomalies", "judge", "name_anomalies"]


def judge(table: pa.Table, profile: RuleProfile) -> NDArray[np.int16]:
    """Which rule of the profile is the first that is true, per record.

    Args:
        table: Records; the channels that the rules use are float64 columns, nullable.
        profile: The rules.

    Returns:
        int16[n], index into ``profile.rules``, -1 where none is true.

    Raises:
        SettingError: If a rule uses a channel that the table does not have.
    """
    channels = [name for name in profile.channels if name in table.column_names]
    rules = profile.compile(channels)
    return first_match(*channel_values(table, channels), rules)


def name_anomalies(
    codes: NDArray[np.int16], profile: RuleProfile
) -> tuple[pa.StringArray, pa.StringArray]:
    """Anomaly type and severity of judged records.

    Args:
        codes: int16[n], from :func:`judge`.
        profile: The profile that judged.

    Returns:
        Two string[n] columns, null where the record is no anomaly.
    """
    indices = pa.array(codes, pa.int16(), mask=codes < 0)
    return (
        pa.array([rule.anomaly_type for rule in profile.rules], pa.string()).take(indices),
        pa.array([rule.severity for rule in profile.rules], pa.string()).take(indices),
    )


def anomalies(table: pa.Table, profile: RuleProfile) -> pa.Table:
    """The records that are anomalies, with columns ``anomaly_type`` and ``severity`` added.

    Args:
        table: Records, as for :func:`judge`.
        profile: The rules.
    """
    codes = judge(table, profile)
    rows = np.flatnonzero(codes >= 0)
    anomaly_type, severity = name_anomalies(codes[rows], profile)
    found = table.take(pa.array(rows))
    return found.append_column("anomaly_type", anomaly_type).append_column("severity", severity)

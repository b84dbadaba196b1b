"""Anomalies by type, the severe ones first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from pbf_ray.cli.render.text import count, listing

__all__ = ["SEVERITY_STYLES", "anomalies_view"]

SEVERITY_STYLES: Final = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
"""Severities, the most severe first."""


def anomalies_view(
    by_type: Mapping[str, int], severities: Mapping[str, str], judged: int
) -> RenderableType:
    """How often each type of anomaly was found.

    Args:
        by_type: Anomalies by type.
        severities: Severity by type; types that are missing show none.
        judged: Records that were judged, accepted and late ones.
    """
    total = sum(by_type.values())
    among = f"in {count(judged)} records"
    if not total:
        return Text.assemble(("Anomalies", "bold"), f"  none {among}")
    share = f" ({total / judged:.2%})" if judged else ""
    title = Text.assemble(("Anomalies", "bold"), f"  {count(total)} {among}{share}")
    rank = list(SEVERITY_STYLES)

    def severe_first(item: tuple[str, int]) -> tuple[int, int, str]:
        severity = severities.get(item[0], "")
        return (rank.index(severity) if severity in rank else len(rank), -item[1], item[0])

    table = listing("severity", "type", "records", right=("records",), header=False)
    for name, amount in sorted(by_type.items(), key=severe_first):
        severity = severities.get(name, "")
        table.add_row(
            "", Text(severity, style=SEVERITY_STYLES.get(severity, "")), name, count(amount)
        )
    return Group(title, table)

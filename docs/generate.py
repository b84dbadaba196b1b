"""Writes the generated tables of the docs: ``make docs``. A test keeps them up to date.

A page has the place of a table marked: ``<!-- generated: settings -->`` before it, and
``<!-- end -->`` behind it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from measured import RESULTS, conditions, measured_rows
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from semantics_items import item_rows

from pbf_ray.config import Settings, describe, environment_names
from pbf_ray.contracts import BUILD_OUTPUTS, BUILD_PLAN_TABLES, OUTPUT_TABLES
from pbf_ray.decode import REASONS
from pbf_ray.kafka.dead_letter_topic import DEAD_LETTER_HEADERS
from pbf_ray.kafka.topic_specs import ALL_TOPICS
from pbf_ray.monitoring.rules import DEFAULT_PROFILE
from pbf_ray.simulate.units import UNITS
from pbf_ray.storage.layout import embedded_stores
from pbf_ray.streaming.ingest import EVENT_TIME_OUT_OF_RANGE, NO_EVENT_TIME
from pbf_ray.streaming.metrics import METRICS
from pbf_ray.streaming.vitals import STAGES

__all__ = ["PAGES", "TABLES", "renewed"]

DOCS: Final = Path(__file__).resolve().parent
PAGES: Final = tuple(sorted(DOCS.glob("*.md")))
_SERVERS: Final = (
    "postgres",
    "mongodb",
    "mongodb_atlas",
    "redis",
    "local_s3",
    "aws",
    "snowflake",
    "bigquery",
)
_PLACE: Final = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def settings() -> str:
    """Every setting of the job, the stream and its workers."""
    return _settings(section for section in Settings.model_fields if section not in _SERVERS)


def servers() -> str:
    """Every setting of a connection to a server."""
    return _settings(_SERVERS)


def _settings(sections: Iterable[str]) -> str:
    old_names = {key: name for name, key in environment_names().items()}
    parts = []
    for section in sections:
        kind: Any = Settings.model_fields[section].annotation
        rows = [
            (
                f"`{section}.{name}`",
                _default(setting),
                f"`{old_names[f'{section}.{name}']}`" if f"{section}.{name}" in old_names else "",
                describe(f"{section}.{name}"),
            )
            for name, setting in kind.model_fields.items()
        ]
        parts.append(_table(("setting", "default", "also read from", "what it is"), rows))
    return "\n".join(parts)


def _default(setting: FieldInfo) -> str:
    value = setting.default
    if value is None or value is PydanticUndefined or isinstance(value, SecretStr):
        return "not set"
    if isinstance(value, tuple):
        value = list(value)
    return f"`{json.dumps(str(value) if isinstance(value, Path) else value)}`"


def tables() -> str:
    """Every output table: what it holds, where it lies, its key."""
    stores = embedded_stores(Path("pbf-data"))
    rows = []
    for name, contract in OUTPUT_TABLES.items():
        kind = stores.store(name).name.partition(":")[0]
        change = "written once" if contract.changes == "append" else "replaced by later revisions"
        rows.append(
            (
                f"`{name}`",
                {"sqlite": "SQLite", "delta": "Delta Lake"}[kind],
                f"`{contract.key}`",
                change,
            )
        )
    return _table(("table", "store", "key", "a row is"), rows)


def columns() -> str:
    """Every column of every output table."""
    order: dict[str, pa.Field] = {}
    for contract in OUTPUT_TABLES.values():
        for field in contract.schema:
            order.setdefault(field.name, field)
    rows = []
    for name, field in order.items():
        marks = []
        for contract in OUTPUT_TABLES.values():
            place = contract.schema.get_field_index(name)
            nullable = place >= 0 and contract.schema.field(place).nullable
            marks.append("" if place < 0 else "null" if nullable else "yes")
        rows.append((f"`{name}`", _type(field.type), _unit(field), *marks))
    short = [f"`{name}`" for name in OUTPUT_TABLES]
    return _table(("column", "type", "unit", *short), rows)


def _type(kind: pa.DataType) -> str:
    if pa.types.is_struct(kind):
        inner = ", ".join(f"{field.name} {field.type}" for field in kind)
        return f"struct ({inner})"
    return str(kind)


def _unit(field: pa.Field) -> str:
    return (field.metadata or {}).get(b"unit", b"").decode()


def build_columns() -> str:
    """Columns of the tables of build files, but for the plan's, which have a table of their own."""
    plans = {id(schema) for schema in BUILD_PLAN_TABLES.values()}
    rows = [
        (
            f"`{table}`",
            f"`{field.name}`",
            _type(field.type),
            _unit(field),
            "null" if field.nullable else "",
        )
        for table, schema in BUILD_OUTPUTS.items()
        if id(schema) not in plans
        for field in schema
    ]
    return _table(("table", "column", "type", "unit", "may be"), rows)


def plan_columns() -> str:
    """Every column of the tables of a build's plan."""
    order: dict[str, pa.Field] = {}
    for schema in BUILD_PLAN_TABLES.values():
        for field in schema:
            order.setdefault(field.name, field)
    rows = []
    for name, field in order.items():
        marks = []
        for schema in BUILD_PLAN_TABLES.values():
            place = schema.get_field_index(name)
            marks.append("" if place < 0 else "null" if schema.field(place).nullable else "yes")
        what = field.metadata[b"description"].decode()
        rows.append((f"`{name}`", _unit(field), what, *marks))
    return _table(("column", "unit", "what", "layers", "models", "lasers", "exposures"), rows)


def reasons() -> str:
    """Reason codes of dead letters."""
    stream = {
        NO_EVENT_TIME: "the timestamp is null, NaN or infinite",
        EVENT_TIME_OUT_OF_RANGE: "the timestamp is further ahead than `stream.max_future_s`",
    }
    found = {**REASONS, **stream}
    return _table(("reason", "what"), [(f"`{code}`", what) for code, what in found.items()])


def topics() -> str:
    """The topics as data."""
    day_ms = 86_400_000
    return _table(
        ("topic", "partitions", "copies", "in sync", "kept, days", "compression"),
        [
            (
                f"`{spec.name}`",
                str(spec.partitions),
                str(spec.replication),
                str(spec.min_insync_replicas),
                str(spec.retention_ms // day_ms),
                spec.compression,
            )
            for spec in ALL_TOPICS
        ],
    )


def dead_letter_headers() -> str:
    """Headers of a dead letter."""
    return _table(
        ("header", "what"), [(f"`{name}`", what) for name, what in DEAD_LETTER_HEADERS.items()]
    )


def metrics() -> str:
    """Every metric."""
    return _table(
        ("metric", "labels", "what it is"),
        [
            (
                f"`{spec.name}{'_total' if spec.kind == 'counter' else ''}`",
                ", ".join(f"`{label}`" for label in spec.labels),
                spec.what,
            )
            for spec in METRICS
        ],
    )


def stages() -> str:
    """What an epoch's time goes to."""
    return _table(("stage", "what"), [(f"`{name}`", what) for name, what in STAGES.items()])


def rules() -> str:
    """The default profile."""
    return _table(
        ("channel", "is", "anomaly type", "severity"),
        [
            (
                f"`{rule.channel}`",
                f"{rule.op} {rule.threshold:g} {DEFAULT_PROFILE.units[rule.channel]}",
                f"`{rule.anomaly_type}`",
                rule.severity,
            )
            for rule in DEFAULT_PROFILE.rules
        ],
    )


def units() -> str:
    """Units that a mapping may name."""
    return _table(
        ("field", "units"),
        [(f"`{name}`", ", ".join(f"`{unit}`" for unit in known)) for name, known in UNITS.items()],
    )


def semantics() -> str:
    """Every item of the list of semantics, and the tests that show it."""
    return _table(("item", "PySpark", "but", "shown by"), item_rows())


def measured() -> str:
    """What the benchmarks wrote down, a table for each of their files."""
    parts = []
    for path in sorted(RESULTS.glob("*.json")):
        header = ("workload", "pbf_ray", "peers", "times as fast (min to max)")
        parts.append(
            f"### {path.stem.replace('_', ' ').capitalize()}\n\n"
            f"`benchmarks/test_{path.stem}.py`; {conditions(path)}\n\n"
            + _table(header, measured_rows(path))
        )
    return "\n".join(parts)


TABLES: Final[dict[str, Callable[[], str]]] = {
    "settings": settings,
    "servers": servers,
    "tables": tables,
    "columns": columns,
    "build_columns": build_columns,
    "plan_columns": plan_columns,
    "reasons": reasons,
    "topics": topics,
    "dead_letter_headers": dead_letter_headers,
    "metrics": metrics,
    "stages": stages,
    "rules": rules,
    "units": units,
    "semantics": semantics,
    "measured": measured,
}
"""What may stand behind ``generated:``."""


def renewed(page: str) -> str:
    """A page with its tables written anew."""
    return _PLACE.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[3]}", page)


def main() -> int:
    """Write the pages that changed."""
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = renewed(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{page.name} is renewed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

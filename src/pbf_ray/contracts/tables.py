"""The output tables: names, Arrow schemas with units, keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa

from pbf_ray.contracts.ispm import CHANNEL_UNITS, RECORD_SCHEMA, with_unit

__all__ = [
    "DEAD_LETTERS",
    "ISPM_ANOMALIES",
    "ISPM_MONITORING",
    "LATE_RECORDS",
    "LAYER_QUALITY",
    "OUTPUT_TABLES",
    "QUALITY_METRICS",
    "TableContract",
]


@dataclass(frozen=True)
class TableContract:
    """What a table is called, what it holds, and what identifies a row.

    Attributes:
        name: Table name, the same in every store.
        schema: Arrow schema with units in the field metadata.
        key: Column that identifies a row, never null.
        volume: ``"record"`` for tables with a row per record (they go to lake tables),
            ``"result"`` for small operational ones.
        changes: ``"append"``: a key is written once; ``"upsert"``: a later row replaces it.
    """

    name: str
    schema: pa.Schema
    key: str
    volume: Literal["record", "result"]
    changes: Literal["append", "upsert"]


_UTC_MICROS: Final = pa.timestamp("us", tz="UTC")


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


_POSITION: Final = [
    _required("record_key", pa.string()),
    _required("job_id", pa.string()),
    _required("source_id", pa.string()),
    _required("topic", pa.string()),
    _required("partition", pa.int32()),
    _required("offset", pa.int64()),
]

_RUN: Final = [
    _required("processing_timestamp", _UTC_MICROS),
    _required("epoch", pa.int64()),
]

_RECORD: Final = list(RECORD_SCHEMA)

ISPM_MONITORING: Final = TableContract(
    "ispm_monitoring",
    pa.schema(
        [
            *_POSITION,
            *_RECORD,
            pa.field("flagged", pa.bool_(), nullable=False),
            pa.field("kafka_timestamp", pa.timestamp("ms", tz="UTC")),
            pa.field("date", pa.date32()),
            *_RUN,
        ]
    ),
    key="record_key",
    volume="record",
    changes="append",
)
"""Every accepted record. ``flagged``: a field could not be converted and is null."""

ISPM_ANOMALIES: Final = TableContract(
    "ispm_anomalies",
    pa.schema(
        [
            *_POSITION,
            *_RECORD,
            _required("anomaly_type", pa.string()),
            _required("severity", pa.string()),
            _required("late", pa.bool_()),
            *_RUN,
        ]
    ),
    key="record_key",
    volume="result",
    changes="append",
)
"""Records that a rule of the profile calls an anomaly, late ones too."""

QUALITY_METRICS: Final = TableContract(
    "quality_metrics",
    pa.schema(
        [
            *_POSITION,
            *_RECORD,
            *[
                with_unit(f"{name}_{statistic}", pa.float64(), unit)
                for name, unit in CHANNEL_UNITS.items()
                for statistic in ("avg", "std")
            ],
            with_unit("quality_score", pa.float64(), "1", nullable=False),
            *_RUN,
        ]
    ),
    key="record_key",
    volume="record",
    changes="append",
)
"""A row per record: the record with the running statistics of its layer up to its timestamp."""

LAYER_QUALITY: Final = TableContract(
    "layer_quality",
    pa.schema(
        [
            _required("layer_key", pa.string()),
            _required("job_id", pa.string()),
            pa.field("build_id", pa.string()),
            pa.field("layer", pa.int32()),
            with_unit("n", pa.int64(), "records", nullable=False),
            with_unit("first_timestamp", pa.float64(), "s since 1970-01-01 UTC"),
            with_unit("last_timestamp", pa.float64(), "s since 1970-01-01 UTC"),
            *[
                with_unit(f"{name}_{statistic}", kind, unit, nullable=statistic != "n")
                for name, channel_unit in CHANNEL_UNITS.items()
                for statistic, kind, unit in (
                    ("n", pa.int64(), "records"),
                    ("avg", pa.float64(), channel_unit),
                    ("std", pa.float64(), channel_unit),
                    ("min", pa.float64(), channel_unit),
                    ("max", pa.float64(), channel_unit),
                )
            ],
            with_unit("quality_score", pa.float64(), "1", nullable=False),
            with_unit("anomalies", pa.int64(), "records", nullable=False),
            _required("anomalies_by_type", pa.string()),
            _required("revision", pa.int64()),
            *_RUN,
        ]
    ),
    key="layer_key",
    volume="result",
    changes="upsert",
)
"""A row per closed layer. ``anomalies_by_type`` is a JSON object with sorted keys."""

DEAD_LETTERS: Final = TableContract(
    "dead_letters",
    pa.schema(
        [
            *_POSITION,
            pa.field("key", pa.binary()),
            pa.field("value", pa.binary()),
            _required("reason", pa.string()),
            _required("detail", pa.string()),
            pa.field("kafka_timestamp", pa.timestamp("ms", tz="UTC")),
            *_RUN,
        ]
    ),
    key="record_key",
    volume="result",
    changes="append",
)
"""Records that cannot be used, with their raw bytes and a reason code."""

LATE_RECORDS: Final = TableContract(
    "late_records",
    pa.schema(
        [
            *_POSITION,
            *_RECORD,
            with_unit("watermark", pa.float64(), "s since 1970-01-01 UTC", nullable=False),
            *_RUN,
        ]
    ),
    key="record_key",
    volume="result",
    changes="append",
)
"""Records behind the watermark of their build, and that watermark."""

OUTPUT_TABLES: Final[dict[str, TableContract]] = {
    contract.name: contract
    for contract in (
        ISPM_MONITORING,
        ISPM_ANOMALIES,
        QUALITY_METRICS,
        LAYER_QUALITY,
        DEAD_LETTERS,
        LATE_RECORDS,
    )
}

"""What data looks like: Arrow schemas with units, keys, table contracts."""

from pbf_ray.contracts.build_tables import (
    BUILD_ERRORS,
    BUILD_FILES,
    BUILD_OUTPUTS,
    BUILD_VECTORS,
)
from pbf_ray.contracts.buildplan import (
    BUILD_PLAN_TABLES,
    LAYER_EXPOSURE_PLAN,
    LAYER_LASER_PLAN,
    LAYER_MODEL_PLAN,
    LAYER_PLAN,
)
from pbf_ray.contracts.builds import (
    BUILD_COORDINATES,
    BUILD_GEOMETRIES,
    BUILD_LAYERS,
    BUILD_METADATA,
    BUILD_MODELS,
    BUILD_STYLES,
    GEOMETRY_KINDS,
)
from pbf_ray.contracts.ispm import CHANNEL_UNITS, CHANNELS, METADATA_FIELDS, RECORD_SCHEMA
from pbf_ray.contracts.keys import layer_key, record_key
from pbf_ray.contracts.tables import (
    DEAD_LETTERS,
    ISPM_ANOMALIES,
    ISPM_MONITORING,
    LATE_RECORDS,
    LAYER_QUALITY,
    OUTPUT_TABLES,
    QUALITY_METRICS,
    TableContract,
)

__all__ = [
    "BUILD_COORDINATES",
    "BUILD_ERRORS",
    "BUILD_FILES",
    "BUILD_GEOMETRIES",
    "BUILD_LAYERS",
    "BUILD_METADATA",
    "BUILD_MODELS",
    "BUILD_OUTPUTS",
    "BUILD_PLAN_TABLES",
    "BUILD_STYLES",
    "BUILD_VECTORS",
    "CHANNELS",
    "CHANNEL_UNITS",
    "DEAD_LETTERS",
    "GEOMETRY_KINDS",
    "ISPM_ANOMALIES",
    "ISPM_MONITORING",
    "LATE_RECORDS",
    "LAYER_EXPOSURE_PLAN",
    "LAYER_LASER_PLAN",
    "LAYER_MODEL_PLAN",
    "LAYER_PLAN",
    "LAYER_QUALITY",
    "METADATA_FIELDS",
    "OUTPUT_TABLES",
    "QUALITY_METRICS",
    "RECORD_SCHEMA",
    "TableContract",
    "layer_key",
    "record_key",
]

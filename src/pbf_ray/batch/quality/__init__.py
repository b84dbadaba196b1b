"""Records to layer quality as a batch: what is read, in which pieces, and what is written."""

from pbf_ray.batch.quality.pipeline import BatchQuality, QualityEngine, run_quality
from pbf_ray.batch.quality.progress import QualityProgress
from pbf_ray.batch.quality.sources import BrokerAccess, find_records
from pbf_ray.batch.quality.tasks import TaskQuality
from pbf_ray.batch.quality.work import QualityOptions

__all__ = [
    "BatchQuality",
    "BrokerAccess",
    "QualityEngine",
    "QualityOptions",
    "QualityProgress",
    "TaskQuality",
    "find_records",
    "run_quality",
]

"""Build files on Ray Data; the only place in ``batch`` that imports ray."""

from pbf_ray.batch.ray.datasource import BuildDatasource, read_builds
from pbf_ray.batch.ray.engine import RayEngine

__all__ = ["BuildDatasource", "RayEngine", "read_builds"]

"""Build files to tables: what is read, in which pieces, and what is written; no engine in it."""

from pbf_ray.batch.builds.pipeline import BuildsProgress, Engine, ParsedBuilds, parse_builds
from pbf_ray.batch.builds.tasks import ReadingOptions

__all__ = ["BuildsProgress", "Engine", "ParsedBuilds", "ReadingOptions", "parse_builds"]

"""``pbf-ray builds``: read, look at, convert, draw and compare build files."""

from pbf_ray.cli.builds.group import builds_command

__all__ = ["builds_command"]

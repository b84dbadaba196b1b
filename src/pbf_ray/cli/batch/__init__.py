"""``pbf-ray batch``: the main job over bounded input."""

from pbf_ray.cli.batch.group import batch_command

__all__ = ["batch_command"]

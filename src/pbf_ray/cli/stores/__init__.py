"""``pbf-ray stores``: see that every store answers; remove what is older than it has to be."""

from pbf_ray.cli.stores.group import stores_command

__all__ = ["stores_command"]

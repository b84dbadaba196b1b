"""Caches: values with a time to live, and the latest state of layers and machines."""

from pbf_ray.storage.caches.base import CacheStore

__all__ = ["CacheStore"]

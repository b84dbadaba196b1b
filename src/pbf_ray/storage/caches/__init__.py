"""Caches: values with a time to live, and the latest state of layers and machines."""

from pbf_ray.storage.caches.base import CacheStore, check_cache_keys, check_ttl

__all__ = ["CacheStore", "check_cache_keys", "check_ttl"]

"""Purpose and kind choose the store: the router and its routes."""

from pbf_ray.storage.routing.router import StorageRouter, Stored
from pbf_ray.storage.routing.routes import KINDS, PURPOSES, Kind, Purpose, Routes

__all__ = ["KINDS", "PURPOSES", "Kind", "Purpose", "Routes", "StorageRouter", "Stored"]

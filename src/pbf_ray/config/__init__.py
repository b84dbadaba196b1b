"""Settings: what can be set, what is right, and where a value came from."""

from pbf_ray.config.load import LoadedSettings, load_settings
from pbf_ray.config.settings import Settings, describe, environment_names, known_keys

__all__ = [
    "LoadedSettings",
    "Settings",
    "describe",
    "environment_names",
    "known_keys",
    "load_settings",
]

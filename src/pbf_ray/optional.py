"""Imports of optional packages, with an error that names the pip extra."""

from __future__ import annotations

import importlib
from types import ModuleType

from pbf_ray.errors import MissingDependencyError

__all__ = ["require"]


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional module.

    Args:
        module: Dotted module name, for example ``"deltalake"``.
        extra: The pip extra of pbf_ray that installs it.
        purpose: What needs it, for the message.

    Raises:
        MissingDependencyError: If the package is not installed.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == package:
            raise MissingDependencyError(package, extra, purpose=purpose) from error
        raise

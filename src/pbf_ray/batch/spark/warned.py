"""Warnings of PySpark that say nothing about what we do."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_pandas_warning"]


@contextmanager
def without_pandas_warning() -> Iterator[None]:
    """PySpark warns of pandas 3 wherever it looks for pandas; none is used here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas")
        yield

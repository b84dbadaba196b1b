"""Servers that benchmarks share with the tests."""

from support.databases import mongodb

__all__ = ["mongodb"]

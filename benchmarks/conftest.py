"""Servers that benchmarks share with the tests."""

from support.databases import mongodb, postgres, redis_server, s3_server

__all__ = ["mongodb", "postgres", "redis_server", "s3_server"]

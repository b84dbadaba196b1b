"""What the benchmarks share with the tests: servers of the session."""

from support.databases import postgres, redis_server, s3_server

__all__ = ["postgres", "redis_server", "s3_server"]

"""What the campaigns share with the integration tests."""

from integration.conftest import ray_cluster

__all__ = ["ray_cluster"]

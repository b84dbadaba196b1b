"""``pbf-ray serve``: results over HTTP, and the tokens for it."""

from pbf_ray.cli.serve.group import serve_command

__all__ = ["serve_command"]

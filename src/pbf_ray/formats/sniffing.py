"""What a file is, by its first bytes."""

from __future__ import annotations

from pbf_ray.formats import _core

__all__ = ["sniff"]


def sniff(head: bytes) -> str:
    """The format that bytes begin like, empty where that is none that is known.

    Args:
        head: The first bytes of a file; a few thousand are enough but for archives.
    """
    return _core.sniff(head)

"""Folders that a job on several machines may use: those that every node sees.

A folder of one machine would hold another part of the truth on each node. SQLite is refused on
shared file systems too: its write-ahead log is memory that the processes of one machine share, so
two coordinators on two machines would not be fenced off from each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pbf_ray.config import Settings
from pbf_ray.contracts import OUTPUT_TABLES
from pbf_ray.errors import SettingError

__all__ = [
    "FolderUse",
    "batch_folders",
    "require_shared",
    "require_shared_by_nodes",
    "serve_folders",
    "stream_folders",
]


@dataclass(frozen=True)
class FolderUse:
    """A place on a file system that a job will use.

    Attributes:
        key: The setting, or the argument, that says so.
        what: What lies there, for the message.
        path: Where.
        kind: ``"files"`` may lie on a shared file system; ``"sqlite"`` may not.
        instead: What to use on a cluster.
    """

    key: str
    what: str
    path: Path
    kind: Literal["files", "sqlite"]
    instead: str


_DECLARE = "a folder on a file system that all nodes share, named in ray.shared_folders"


def require_shared(uses: Iterable[FolderUse], shared: Sequence[Path], *, several: bool) -> None:
    """Refuse places of one machine where several work.

    Args:
        uses: What the job will use.
        shared: Folders that every node sees at the same path (``ray.shared_folders``).
        several: Whether work goes to more than one machine.

    Raises:
        SettingError: The first place that would not do.
    """
    if not several:
        return
    for use in uses:
        if use.kind == "sqlite":
            problem = "is an SQLite file, which belongs to one machine"
        elif not any(use.path.is_relative_to(folder) for folder in shared):
            problem = "is a folder of one machine"
        else:
            continue
        raise SettingError(
            use.key,
            "the settings",
            f"the Ray cluster has several nodes, and {use.what} ({use.path}) {problem}",
            advice=f"use {use.instead}",
        )


def require_shared_by_nodes(uses: Iterable[FolderUse], settings: Settings) -> None:
    """``require_shared`` for the Ray that this process is connected to.

    Args:
        uses: What the job will use.
        settings: Those of ``ray`` count; a Ray of our own has one machine.

    Raises:
        SettingError: The first place that would not do.
    """
    if settings.ray.address is None:
        return
    from pbf_ray.engine.cluster import living_nodes
    from pbf_ray.engine.placement import spreads_over_machines

    require_shared(uses, settings.ray.shared_folders, several=spreads_over_machines(living_nodes()))


def stream_folders(settings: Settings) -> Iterator[FolderUse]:
    """What the main job uses: the checkpoint, and the stores of its tables."""
    yield FolderUse(
        "checkpoint.path",
        "the checkpoint",
        settings.checkpoint_path.absolute(),
        "files",
        f"{_DECLARE}; it needs hard links, as NFS and CephFS have them",
    )
    yield from _tables(settings)
    if settings.stores.chosen("operational_cache") == "sqlite":
        yield FolderUse(
            "stores.operational_cache",
            "the cache of the latest state",
            settings.stores_root.absolute(),
            "sqlite",
            'a server: stores.operational_cache = "redis", or "none"',
        )


def serve_folders(settings: Settings) -> Iterator[FolderUse]:
    """What replicas use: the stores of the tables, and the ledger of tokens and decisions."""
    yield from _tables(settings)
    yield FolderUse(
        "ray.address",
        "the ledger of tokens and decisions",
        settings.stores_root.absolute(),
        "sqlite",
        "one machine for it: pbf-ray serve without --address, which starts a Ray of its own there",
    )


def batch_folders(inputs: Iterable[str | Path], output: str | Path) -> Iterator[FolderUse]:
    """What a batch reads and writes, as far as it is not a URL of a server."""
    for given in [*inputs, output]:
        text = str(given)
        text = text.removeprefix("file://")
        if "://" not in text:
            is_output = given is output
            yield FolderUse(
                "ray.address",
                "the output" if is_output else "the input",
                Path(text).expanduser().absolute(),
                "files",
                f"{_DECLARE}, or a URL such as s3://BUCKET/PATH",
            )


def _tables(settings: Settings) -> Iterator[FolderUse]:
    root = settings.stores_root.absolute()
    homes = {getattr(settings.tables, name) for name in OUTPUT_TABLES}
    if "lake" in homes:
        yield FolderUse("stores.root", "the lake", root / "lake", "files", _DECLARE)
    structured = settings.stores.chosen("operational_structured")
    # None and "document" are the structured store where documents have no server of their own.
    embedded_documents = settings.stores.chosen("operational_document") == "sqlite"
    small = "structured" in homes or (embedded_documents and homes & {None, "document"})
    if structured == "sqlite" and small:
        yield FolderUse(
            "stores.operational_structured",
            "the store of the small tables",
            root,
            "sqlite",
            'a server: stores.operational_structured = "postgres"',
        )

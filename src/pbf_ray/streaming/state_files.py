"""Files of layer states: now and then all of them, in between only what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa

from pbf_ray.streaming.checkpoint_folder import CheckpointFolder, FileRef
from pbf_ray.streaming.layer_states import LayerId, LayerStates
from pbf_ray.streaming.manifest import WindowFiles

__all__ = ["StateFiles"]

_MOST_FILES = 20


class StateFiles:
    """The chain of state files of one window operator.

    Its first file holds all layers, each further one what an epoch changed. The chain starts
    anew when it has many files, or when they outgrow the first.

    Args:
        folder: The checkpoint.
    """

    def __init__(self, folder: CheckpointFolder) -> None:
        self._folder = folder
        self._chain: list[FileRef] = []

    @property
    def size(self) -> int:
        """Bytes of the chain."""
        return sum(file.size for file in self._chain)

    def restore(
        self,
        windows: Iterable[WindowFiles],
        states: LayerStates,
        is_mine: Callable[[LayerId], bool],
    ) -> None:
        """Load this operator's layers from the chains of all operators of a commit.

        Raises:
            CheckpointCorruptError: If a file is missing or damaged.
        """
        self._chain = []
        for window in windows:
            for file in window.states:
                with pa.memory_map(str(self._folder.verify(file))) as source:
                    states.load(pa.ipc.open_file(source).read_all(), is_mine)

    def write(self, name: str, states: LayerStates) -> tuple[FileRef, ...]:
        """Write what has changed; gives the whole chain.

        Args:
            name: A fresh file name in the checkpoint.
            states: The states after the epoch.
        """
        outgrown = sum(file.size for file in self._chain[1:]) > 2 * (
            self._chain[0].size if self._chain else 0
        )
        if not self._chain or len(self._chain) >= _MOST_FILES or outgrown:
            table = states.everything()
            self._chain = []
        else:
            table = states.changes()
        if table.num_rows or not self._chain:
            self._chain.append(self._save(name, table))
        return tuple(self._chain)

    def _save(self, name: str, table: pa.Table) -> FileRef:
        def fill(file: object) -> None:
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)

        reference = self._folder.write(name, fill)
        if reference is None:
            raise FileExistsError(name)
        return reference

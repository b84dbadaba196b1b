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

    Its first file holds all layers, each further one what an epoch changed. When there are many
    of these they become one, and when they outgrow the first file the chain starts anew: what is
    written follows what changes, not what there is.

    Args:
        folder: The checkpoint.
    """

    def __init__(self, folder: CheckpointFolder) -> None:
        self._folder = folder
        self._chain: list[FileRef] = []
        self._touched: set[LayerId] = set()

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
        self._touched = set()
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
        changed = states.take_changed()
        self._touched |= changed
        if not self._chain or sum(file.size for file in self._chain[1:]) > self._chain[0].size:
            self._chain = [self._save(name, states.everything())]
            self._touched = set()
        elif len(self._chain) >= _MOST_FILES:
            self._chain[1:] = [self._save(name, states.some(self._touched))]
        elif changed:
            self._chain.append(self._save(name, states.some(changed)))
        return tuple(self._chain)

    def _save(self, name: str, table: pa.Table) -> FileRef:
        def fill(file: object) -> None:
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)

        reference = self._folder.write(name, fill)
        if reference is None:
            raise FileExistsError(name)
        return reference

"""Which node a worker goes to; plain, so that it is tested without Ray."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Node", "Placement", "spreads_over_machines"]


@dataclass(frozen=True)
class Node:
    """A node of the cluster that is alive.

    Attributes:
        node_id: Ray's id of it.
        cpus: CPU shares that it offers; 0 on a head that only coordinates.
        resources: Names of its custom resources.
    """

    node_id: str
    cpus: float
    resources: frozenset[str] = frozenset()


def spreads_over_machines(nodes: Sequence[Node]) -> bool:
    """Whether work will be done on more than one machine.

    A single head without CPUs counts: its workers are yet to come.
    """
    return len(nodes) > 1 or not any(node.cpus > 0 for node in nodes)


@dataclass
class Placement:
    """Spreads each kind of worker over the nodes by their CPUs, and remembers who went where.

    Readers go round the nodes, and window actors go round the same nodes in the same order, so
    that as many of each as there are nodes makes a pair on every node.
    """

    _homes: dict[tuple[str, int], str] = field(default_factory=dict)

    def choose(self, kind: str, number: int, nodes: Iterable[Node]) -> str | None:
        """The node for a worker, new or replaced.

        Args:
            kind: ``"reader"`` or ``"window"``.
            number: Which of its kind.
            nodes: Nodes that are alive now.

        Returns:
            Id of the node with the fewest workers of the kind per CPU, then the fewest of all;
            None if no node offers CPUs (yet).
        """
        self._homes.pop((kind, number), None)
        able = [node for node in nodes if node.cpus > 0]
        if not able:
            return None
        same = _count(home for (of, _), home in self._homes.items() if of == kind)
        everyone = _count(self._homes.values())
        chosen = min(
            able,
            key=lambda node: (
                (same.get(node.node_id, 0) + 1) / node.cpus,
                everyone.get(node.node_id, 0) / node.cpus,
                node.node_id,
            ),
        )
        self._homes[kind, number] = chosen.node_id
        return chosen.node_id


def _count(homes: Iterable[str]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for home in homes:
        counts[home] = counts.get(home, 0) + 1
    return counts

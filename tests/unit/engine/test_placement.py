"""Where workers go: beside each other, by CPUs, and elsewhere when a node has gone."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.engine.placement import Node, Placement, spreads_over_machines

HEAD = Node("head", 0.0, frozenset({"pbf_head"}))
A, B, C = Node("a", 4.0), Node("b", 4.0), Node("c", 4.0)


def placed(nodes: list[Node], readers: int, windows: int) -> dict[str, list[str | None]]:
    placement = Placement()
    return {
        "reader": [placement.choose("reader", number, nodes) for number in range(readers)],
        "window": [placement.choose("window", number, nodes) for number in range(windows)],
    }


def test_a_pair_of_reader_and_window_actor_on_every_node_and_none_on_the_head() -> None:
    homes = placed([HEAD, A, B, C], 3, 3)
    assert homes["reader"] == homes["window"] == ["a", "b", "c"]


def test_what_a_lost_node_had_goes_to_the_emptiest_of_the_others_and_the_rest_stays() -> None:
    placement = Placement()
    for number in range(4):
        placement.choose("reader", number, [A, B])
    assert placement.choose("reader", 0, [B, C]) == "c"
    assert placement.choose("reader", 2, [B, C]) == "c"


def test_before_the_first_worker_node_is_there_ray_decides() -> None:
    assert Placement().choose("reader", 0, [HEAD]) is None


@given(
    cpus=st.lists(st.sampled_from([1.0, 2.0, 4.0, 8.0]), min_size=1, max_size=6),
    rounds=st.integers(1, 4),
)
def test_every_node_has_workers_by_its_cpus(cpus: list[float], rounds: int) -> None:
    nodes = [Node(f"n{number}", count) for number, count in enumerate(cpus)]
    readers = int(sum(cpus)) * rounds
    counts = Counter(placed(nodes, readers, 0)["reader"])
    assert counts == {node.node_id: node.cpus * rounds for node in nodes}


@pytest.mark.parametrize(
    ("nodes", "several"),
    [([A], False), ([A, B], True), ([HEAD, A], True), ([HEAD], True), ([], True)],
)
def test_a_head_without_cpus_has_its_workers_yet_to_come(nodes: list[Node], several: bool) -> None:
    assert spreads_over_machines(nodes) is several

"""Partitions that come and go while records finish early, late or never: what may be committed."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from pbf_ray.kafka.assignment import Assignment
from pbf_ray.kafka.partition_tenure import PartitionTenure

KEYS = [("t", 0), ("t", 1), ("u", 0)]


class Group(RuleBasedStateMachine):
    """A group with this member and others: the truth is what the broker would hold."""

    running: Bundle[tuple[PartitionTenure, int]] = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.assignment = Assignment()
        self.committed = dict.fromkeys(KEYS, 0)
        self.reached: dict[tuple[str, int], int] = {}
        self.done: dict[tuple[str, int], set[int]] = {key: set() for key in KEYS}
        self.left_out = 0

    @rule(key=st.sampled_from(KEYS))
    def gain(self, key: tuple[str, int]) -> None:
        if key not in self.reached:
            self.reached[key] = self.committed[key]
            self.assignment.begin(key, self.committed[key], self.committed[key])

    @rule(key=st.sampled_from(KEYS), gap=st.integers(0, 2), target=running)
    def take(self, key: tuple[str, int], gap: int) -> tuple[PartitionTenure, int] | None:
        tenure = self.assignment.find(key)
        assert (tenure is not None) == (key in self.reached)
        if tenure is None:
            return None
        # Offsets in a gap hold no record: nobody has to do them.
        first = self.reached[key]
        self.done[key] |= set(range(first, first + gap))
        offset = first + gap
        self.reached[key] = offset + 1
        tenure.take(offset)
        return tenure, offset

    @rule(taken=consumes(running), succeeds=st.booleans())
    def finish(self, taken: tuple[PartitionTenure, int] | None, succeeds: bool) -> None:
        if taken is None:
            return
        tenure, offset = taken
        begun = tenure.begin(offset)
        assert begun == (not tenure.hurry.is_set())
        if begun and succeeds:
            assert offset in tenure.running
            self.done[tenure.key].add(offset)
        elif begun:
            tenure.end()  # as a lane does: nothing behind it may begin
        tenure.finish(offset, done=begun and succeeds)
        assert offset not in tenure.running

    @rule()
    def commit(self) -> None:
        offsets = self.assignment.to_commit()
        assert offsets.keys() <= self.reached.keys()
        for key, offset in offsets.items():
            assert offset > self.committed[key]
        self.committed.update(offsets)
        self.assignment.committed(offsets)
        assert self.assignment.to_commit() == {}

    @rule(key=st.sampled_from(KEYS), polite=st.booleans())
    def leave(self, key: tuple[str, int], polite: bool) -> None:
        ending = self.assignment.end([key])
        assert [tenure.key for tenure in ending] == ([key] if key in self.reached else [])
        if polite:
            self.commit()
        self.assignment.forget([key])
        self.reached.pop(key, None)

    @rule(key=st.sampled_from(KEYS), others=st.integers(1, 5))
    def others_go_on(self, key: tuple[str, int], others: int) -> None:
        if key not in self.reached:
            self.done[key] |= set(range(self.committed[key] + others))
            self.committed[key] += others

    @invariant()
    def nothing_is_committed_that_is_not_done(self) -> None:
        for key, offset in self.committed.items():
            assert set(range(offset)) <= self.done[key]
        assert len(self.assignment) == len(self.reached)


TestGroup = Group.TestCase


def test_a_partition_that_comes_back_begins_anew() -> None:
    assignment = Assignment()
    old = assignment.begin(("t", 0), 10, None)
    assert assignment.to_commit() == {("t", 0): 10}  # where it begins is worth a commit
    old.take(10)
    assert old.begin(10)
    assignment.forget([("t", 0)])
    new = assignment.begin(("t", 0), 10, 10)
    old.finish(10, done=True)
    assert assignment.to_commit() == {}
    assert not assignment.owns(old)
    assert assignment.owns(new)
    assert [tenure.key for tenure in assignment] == [("t", 0)]

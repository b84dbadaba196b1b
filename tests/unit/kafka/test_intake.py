from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.kafka.intake import IntakeGate


def test_full_it_waits_then_pauses_and_opens_when_half_is_done() -> None:
    gate = IntakeGate(10, 1_000, patience_s=1.0)
    assert gate.decide(0.0) == "take"
    gate.take(10, 100)
    assert gate.room == 0
    assert [gate.decide(now) for now in (5.0, 5.9, 6.0, 60.0)] == ["wait", "wait", "pause", "pause"]
    gate.leave(4, 40)
    assert gate.decide(61.0) == "pause"  # there is room, but not enough to be worth it
    gate.leave(1, 10)
    assert gate.decide(62.0) == "take"
    assert gate.room == 5


def test_bytes_close_it_too() -> None:
    gate = IntakeGate(10, 1_000)
    gate.take(1, 1_000)
    assert (gate.room, gate.decide(0.0)) == (0, "wait")
    gate.leave(1, 1_000)
    assert gate.decide(0.1) == "take"


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.sampled_from(["take", "leave"]), st.integers(1, 9)), max_size=60),
)
def test_whoever_takes_no_more_than_there_is_room_for_is_never_over_the_limit(
    limit: int, steps: list[tuple[str, int]]
) -> None:
    gate, inside = IntakeGate(limit, 10**9), 0
    for now, (step, count) in enumerate(steps):
        verdict = gate.decide(float(now))
        if step == "take" and verdict == "take":
            assert gate.room > 0
            count = min(count, gate.room)
            gate.take(count, count)
            inside += count
        elif step == "leave" and inside:
            count = min(count, inside)
            gate.leave(count, count)
            inside -= count
        assert gate.records == inside <= limit
    gate.leave(inside, inside)
    assert gate.decide(1e9) == "take"  # empty, it always opens

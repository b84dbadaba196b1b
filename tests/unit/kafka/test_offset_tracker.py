from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.kafka.offset_tracker import OffsetTracker


@given(st.data())
def test_the_position_is_behind_an_unbroken_beginning_of_finished_records(
    data: st.DataObject,
) -> None:
    start = data.draw(st.integers(0, 1000))
    gaps = data.draw(st.lists(st.integers(0, 3), max_size=40))
    upcoming = []
    for gap in gaps:
        upcoming.append((upcoming[-1] + 1 if upcoming else start) + gap)
    tracker, taken, finished = OffsetTracker(start), list[int](), set[int]()
    assert tracker.position == start
    while upcoming or len(finished) < len(taken):
        open_ = [offset for offset in taken if offset not in finished]
        if upcoming and (not open_ or data.draw(st.booleans())):
            taken.append(upcoming.pop(0))
            tracker.take(taken[-1])
        else:
            done = data.draw(st.sampled_from(open_))
            finished.add(done)
            tracker.finish(done)
        open_ = [offset for offset in taken if offset not in finished]
        # By the definition: all before it is finished, and it goes as far as that allows.
        assert all(offset in finished for offset in taken if offset < tracker.position)
        assert tracker.position == (open_[0] if open_ else taken[-1] + 1)
        assert tracker.unfinished == len(open_)


def test_what_cannot_be_is_an_error() -> None:
    tracker = OffsetTracker(5)
    tracker.take(7)
    tracker.take(9)
    for taken in (7, 8, 9):
        with pytest.raises(ValueError, match="taken after 9"):
            tracker.take(taken)
    tracker.finish(9)
    for finished in (5, 9, 10):
        with pytest.raises(ValueError, match="not being handled"):
            tracker.finish(finished)
    tracker.finish(7)
    with pytest.raises(ValueError, match="not being handled"):
        tracker.finish(7)
    assert tracker.position == 10

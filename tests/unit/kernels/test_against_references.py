"""Every kernel has the bits of its reference, on the nastiest rows that there are."""

import numpy as np
import pytest
from benchmarks.subjects import RULES, SUBJECTS, KernelSubject, Rows, make_rows, same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

KEYS = [("b", 1), ("b", 2), ("", 1), (None, 1), ("b", None), (None, None)]
EDGES = [0.0, -0.0, 5e-324, -5e-324, 2.2e-308, 1e308, -1e308, 1e-12, 1e9, 10.0, 20.0, 30.0]
NUMBERS = st.one_of(
    st.sampled_from([*EDGES, *(rule[2] for rule in RULES)]),
    st.floats(width=64, allow_nan=True, allow_infinity=True),
    st.floats(1400.0, 1800.0),
)
TIMES = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 1.5, float("nan"), float("inf"), float("-inf"), 5e-324]),
    st.floats(1.6e9, 1.8e9),
)


@st.composite
def rows(draw: st.DrawFn, channels: int = 4) -> Rows:
    row = st.tuples(
        st.integers(0, len(KEYS) - 1),
        st.none() | TIMES,
        st.tuples(*[st.none() | NUMBERS] * channels),
    )
    return Rows.from_lists(KEYS, draw(st.lists(row, max_size=40)), channels)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
@settings(max_examples=150, deadline=None)
@given(rows())
def test_kernel_has_the_bits_of_its_reference(subject: KernelSubject, rows: Rows) -> None:
    result = subject.kernel(*subject.prepare(rows))
    assert same_bits(subject.plain(rows, result), subject.reference(rows))


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
def test_kernel_has_the_bits_of_its_reference_on_longer_input(subject: KernelSubject) -> None:
    # Longer than the blocks of the kernels' loops for some group, with nulls and many peers.
    rng = np.random.default_rng(11)
    made = make_rows(rng, 3000, groups=2, nulls=0.1)
    made.timestamp[:] = np.floor(made.timestamp / 120.0)
    result = subject.kernel(*subject.prepare(made))
    assert same_bits(subject.plain(made, result), subject.reference(made))

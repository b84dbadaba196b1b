import math
import struct
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pbf_ray.kernels.order import event_order_key
from pbf_ray.kernels.rolling import (
    STATE_FIELDS,
    RollingFrame,
    RollingState,
    merge,
    quality_score,
    rolling_update,
)
from pbf_ray.kernels.rolling_reference import Running

NAN, INF = float("nan"), float("inf")
Column = list[float | None]


def arrays(columns: list[Column]) -> tuple[np.ndarray, np.ndarray]:
    values = np.array([[1e300 if x is None else x for x in column] for column in columns])
    return values, np.array([[x is not None for x in column] for column in columns], np.bool_)


def listed(values: np.ndarray, valid: np.ndarray) -> Column:
    return [x if ok else None for x, ok in zip(values.tolist(), valid.tolist(), strict=True)]


def roll(column: Column, timestamps: Column | None = None) -> tuple[Column, Column]:
    """avg and std of one channel of one group; timestamps ascend in Spark's order."""
    times = list(map(float, range(len(column)))) if timestamps is None else timestamps
    key = event_order_key(*(a[0] for a in arrays([times])))
    frame = rolling_update(
        key, np.array([0, len(column)]), *arrays([column]), RollingState.empty(1, 1)
    )
    return listed(frame.avg[0], frame.avg_valid[0]), listed(frame.std[0], frame.std_valid[0])


def bits(x: float | None) -> bytes | None:
    return None if x is None else (b"nan" if x != x else struct.pack("d", x))


# --- semantics.md, G and H


def test_item_41_peers_share_the_value_after_the_last_of_them() -> None:
    avg, std = roll([1.0, 3.0, 8.0, 4.0], [1.0, 2.0, 2.0, 3.0])
    assert avg == [1.0, 4.0, 4.0, 4.0]
    assert std[0] is None
    assert std[1] == std[2]
    assert std[1] == pytest.approx(np.std([1.0, 3.0, 8.0], ddof=1))


def test_items_42_43_null_and_nan_timestamps_are_peers_at_the_ends() -> None:
    avg, _ = roll([1.0, 3.0, 4.0, 4.0, 2.0, 10.0], [None, None, -0.0, 0.0, NAN, NAN])
    assert avg == [2.0, 2.0, 3.0, 3.0, 4.0, 4.0]


def test_item_45_a_row_without_a_value_gets_the_value_of_its_frame() -> None:
    assert roll([None, 1.0, None, 3.0]) == ([None, 1.0, 1.0, 2.0], [None, None, None, 2**0.5])


def test_item_47_sum_starts_at_zero_and_no_value_is_null() -> None:
    avg, _ = roll([None, -0.0])
    assert avg[0] is None
    assert bits(avg[1]) == bits(0.0)
    # Left to right: 1e16 + 1 + 1 loses both ones, 1 + 1 + 1e16 neither.
    assert roll([1e16, 1.0, 1.0])[0][-1] == 1e16 / 3
    assert roll([1.0, 1.0, 1e16])[0][-1] == (1e16 + 2) / 3


@pytest.mark.parametrize("value", [5.0, NAN, INF])
def test_item_48_one_value_has_no_deviation(value: float) -> None:
    assert roll([value])[1] == [None]
    assert roll([None])[1] == [None]


def test_item_49_operations_of_the_update_are_not_fused() -> None:
    # A fused multiply-add rounds once. On such data it would show: equality with plain Python,
    # which never fuses, says that the kernel does not either.
    rng = np.random.default_rng(5)
    fused_differs = 0
    for _ in range(100):
        values = rng.normal(1600.0, 50.0, 8).tolist()
        m2 = fused = mean = 0.0
        expected: Column = []
        for n, x in enumerate(values, start=1):
            d = x - mean
            dn = d / n
            mean += dn
            fused = float(Fraction(d) * Fraction(d - dn) + Fraction(fused))
            m2 = m2 + d * (d - dn)
            expected.append(math.sqrt(m2 / (n - 1)) if n > 1 else None)
        assert list(map(bits, roll(values)[1])) == list(map(bits, expected))
        fused_differs += fused != m2
    assert fused_differs > 10


def test_item_50_nan_and_infinities_propagate_to_the_end() -> None:
    avg, std = roll([1.0, NAN, 2.0, None])
    assert avg[0] == 1.0
    assert all(np.isnan(x) for x in avg[1:])
    assert std[0] is None
    assert all(np.isnan(x) for x in std[1:])
    avg, std = roll([INF, 1.0, -INF])
    assert avg[:2] == [INF, INF]
    assert np.isnan(avg[2])
    assert std[0] is None
    assert np.isnan(std[1])
    assert np.isnan(std[2])


def test_where_there_is_no_value_the_arrays_hold_zeros() -> None:
    values, valid = arrays([[NAN, 1e300, 3.0, INF], [None, None, None, 1.0]])
    frame = rolling_update(
        np.arange(4, dtype=np.uint64), np.array([0, 1, 4]), values, valid, RollingState.empty(2, 2)
    )
    assert not frame.avg[~frame.avg_valid].any()
    assert not frame.std[~frame.std_valid].any()
    assert frame.std_valid.tolist() == [[False, False, True, True], [False] * 4]


def test_overflow_gives_infinity_not_an_error() -> None:
    avg, std = roll([1.7e308, 1.7e308])
    assert avg == [1.7e308, INF]
    assert std == [None, 0.0]


@pytest.mark.parametrize(
    ("std", "score"),
    [(0.0, 1.0), (9.999, 1.0), (10.0, 0.8), (20.0, 0.6), (30.0, 0.4), (INF, 0.4), (NAN, 0.4)],
)
def test_item_39_quality_score(std: float, score: float) -> None:
    assert quality_score(np.array([std, std]), np.array([True, False])).tolist() == [score, 0.4]


# --- state


FLOATS = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, NAN, INF, -INF, 5e-324, 1e308, -1e308]),
    st.floats(1400.0, 1800.0),
    st.floats(),
)


@st.composite
def sorted_groups(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Key, group_start, values and valid of up to 4 groups (some empty) and 0 to 9 channels."""
    channels = draw(st.integers(0, 9))
    sizes = draw(st.lists(st.integers(0, 12), min_size=1, max_size=4))
    steps = [draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)) for n in sizes]
    key = np.array([k for step in steps for k in np.cumsum(step).tolist()], np.uint64)
    group_start = np.concatenate([[0], np.cumsum(sizes)])
    n = int(group_start[-1])
    columns = [draw(st.lists(FLOATS, min_size=n, max_size=n)) for _ in range(channels)]
    values, valid = arrays(columns)
    return key, group_start, values.reshape(channels, n), valid.reshape(channels, n)


def state_bits(state: RollingState) -> list[list[bytes]]:
    return [[bits(float(x)) for x in getattr(state, name).ravel()] for name in STATE_FIELDS]


@settings(max_examples=200, deadline=None)
@given(sorted_groups())
def test_state_is_the_reference_after_the_last_row(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    key, group_start, values, valid = rows
    groups, channels = group_start.size - 1, values.shape[0]
    state = RollingState.empty(groups, channels)
    rolling_update(key, group_start, values, valid, state)
    (avg, avg_valid), (std, std_valid) = state.avg, state.std
    for g in range(groups):
        for c in range(channels):
            running = Running()
            part = slice(group_start[g], group_start[g + 1])
            for x in listed(values[c, part], valid[c, part]):
                running.add(x)
            expected = running.statistics()
            assert state.count[g, c] == expected.n
            assert bits(state.total[g, c]) == bits(running.total)
            assert bits(state.mean[g, c]) == bits(running.mean)
            assert bits(state.m2[g, c]) == bits(running.m2)
            assert bits(avg[g, c] if avg_valid[g, c] else None) == bits(expected.avg)
            assert bits(std[g, c] if std_valid[g, c] else None) == bits(expected.std)
            if expected.n:
                assert bits(state.minimum[g, c]) == bits(expected.minimum)
                assert bits(state.maximum[g, c]) == bits(expected.maximum)
            else:
                assert np.isnan(state.minimum[g, c])
                assert state.maximum[g, c] == -INF


@settings(max_examples=200, deadline=None)
@given(sorted_groups(), st.data())
def test_cut_at_peer_borders_several_calls_give_the_bits_of_one(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    key, group_start, values, valid = rows
    groups, channels = group_start.size - 1, values.shape[0]
    whole_state = RollingState.empty(groups, channels)
    whole = rolling_update(key, group_start, values, valid, whole_state)
    state = RollingState.empty(groups, channels)
    calls = data.draw(st.integers(1, 4))
    bounds = []
    for start, end in zip(group_start[:-1].tolist(), group_start[1:].tolist(), strict=True):
        borders = [i for i in range(start, end + 1) if i in (start, end) or key[i] != key[i - 1]]
        cut = st.sampled_from(borders)
        cuts = data.draw(st.lists(cut, min_size=calls - 1, max_size=calls - 1))
        bounds.append([start, *sorted(cuts), end])
    parts: list[tuple[np.ndarray, RollingFrame]] = []
    for call in range(calls):
        taken = [np.arange(bound[call], bound[call + 1]) for bound in bounds]
        by = np.concatenate(taken)
        starts = np.concatenate([[0], np.cumsum([rows.size for rows in taken])])
        parts.append((by, rolling_update(key[by], starts, values[:, by], valid[:, by], state)))
    assert state_bits(state) == state_bits(whole_state)
    for name in ("avg", "avg_valid", "std", "std_valid"):
        joined = np.zeros_like(getattr(whole, name))
        for by, part in parts:
            joined[:, by] = getattr(part, name)
        assert list(map(bits, joined.astype(np.float64).ravel().tolist())) == list(
            map(bits, getattr(whole, name).astype(np.float64).ravel().tolist())
        )


def test_blocks_and_peers_across_them() -> None:
    # One run of peers longer than the block of the kernel, and a group after it.
    n = 5000
    key = np.concatenate([np.zeros(n // 2), np.arange(n // 2)]).astype(np.uint64)
    values = np.random.default_rng(0).normal(size=(5, n))
    state = RollingState.empty(2, 5)
    frame = rolling_update(
        key, np.array([0, n // 2, n]), values, np.ones_like(values, np.bool_), state
    )
    assert (frame.avg[:, : n // 2] == state.avg[0][0][:, np.newaxis]).all()
    assert (frame.std[:, : n // 2] == state.std[0][0][:, np.newaxis]).all()
    np.testing.assert_allclose(frame.avg[:, -1], values[:, n // 2 :].mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose(frame.std[:, -1], values[:, n // 2 :].std(axis=1, ddof=1), rtol=1e-9)


def test_min_and_max_have_sparks_order() -> None:
    column: Column = [None, NAN, 2.0, -INF, 0.0, -0.0]
    state = RollingState.empty(1, 2)
    values, valid = arrays([column, [None, NAN, NAN, None, None, None]])
    rolling_update(np.arange(6, dtype=np.uint64), np.array([0, 6]), values, valid, state)
    assert state.minimum[0, 0] == -INF
    assert np.isnan(state.maximum[0]).all()
    assert np.isnan(state.minimum[0, 1])


finite_columns = st.lists(st.none() | st.floats(-1e6, 1e6), max_size=30)


@settings(max_examples=150, deadline=None)
@given(finite_columns, finite_columns)
def test_merge_agrees_with_one_pass(first: Column, second: Column) -> None:
    states = []
    for column in (first, second, first + second):
        state = RollingState.empty(1, 1)
        values, valid = (a.reshape(1, -1) for a in arrays([column]))
        key = np.arange(len(column), dtype=np.uint64)
        rolling_update(key, np.array([0, len(column)]), values, valid, state)
        states.append(state)
    merged, whole = merge(*states[:2]), states[2]
    assert merged.count == whole.count
    # Cancellation is not what is tested: the values' size is the scale.
    scale = max((abs(x) for x in first + second if x is not None), default=0.0)
    for name, unit in (("total", 30 * scale), ("mean", scale), ("m2", 30 * scale**2)):
        np.testing.assert_allclose(
            getattr(merged, name), getattr(whole, name), rtol=1e-9, atol=1e-9 * unit + 1e-300
        )
    np.testing.assert_array_equal(merged.minimum, whole.minimum)
    np.testing.assert_array_equal(merged.maximum, whole.maximum)


@settings(max_examples=100, deadline=None)
@given(st.lists(FLOATS, max_size=8), st.lists(FLOATS, max_size=8))
def test_merge_keeps_the_class_of_results(first: Column, second: Column) -> None:
    assume(all(x is None or not 1e150 < abs(x) < INF for x in first + second))
    states = []
    for column in (first, second, first + second):
        state = RollingState.empty(1, 1)
        values, valid = (a.reshape(1, -1) for a in arrays([column]))
        key = np.arange(len(column), dtype=np.uint64)
        rolling_update(key, np.array([0, len(column)]), values, valid, state)
        states.append(state)
    merged, whole = merge(*states[:2]), states[2]
    for (a, a_valid), (b, b_valid) in ((merged.avg, whole.avg), (merged.std, whole.std)):
        assert a_valid == b_valid
        assert np.isnan(a) == np.isnan(b)
        assert np.isinf(a) == np.isinf(b)
    assert bits(merged.minimum.item()) == bits(whole.minimum.item())
    assert bits(merged.maximum.item()) == bits(whole.maximum.item())


def test_merge_with_an_empty_side_has_the_bits_of_the_other() -> None:
    state = RollingState.empty(1, 1)
    values, valid = arrays([[0.1, 0.2, 0.7]])
    rolling_update(np.arange(3, dtype=np.uint64), np.array([0, 3]), values, valid, state)
    for merged in (
        merge(state, RollingState.empty(1, 1)),
        merge(RollingState.empty(1, 1), state),
    ):
        assert state_bits(merged) == state_bits(state)
    with pytest.raises(ValueError, match="cannot merge"):
        merge(state, RollingState.empty(2, 1))


# --- misuse and loading


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group_start": np.array([0, 2])}, "rise from 0"),
        ({"group_start": np.array([1, 3])}, "rise from 0"),
        ({"group_start": np.array([0, 4, 3])}, "rise from 0"),
        ({"group_start": np.array([], np.int64)}, "rise from 0"),
        ({"values": np.zeros((1, 2))}, "order_key must be"),
        ({"valid": np.ones((2, 3), np.bool_)}, "valid must be"),
        ({"state": RollingState.empty(2, 1)}, r"state.count must be int64 \[1, 1\]"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    arguments = {
        "order_key": np.arange(3, dtype=np.uint64),
        "group_start": np.array([0, 3]),
        "values": np.zeros((1, 3)),
        "valid": np.ones((1, 3), np.bool_),
        "state": RollingState.empty(1, 1),
    }
    with pytest.raises(ValueError, match=message):
        rolling_update(**{**arguments, **change})


@pytest.mark.parametrize("flaw", ["dtype", "layout", "read-only"])
def test_a_state_that_cannot_be_written_in_place_is_refused(flaw: str) -> None:
    state = RollingState.empty(2, 2)
    if flaw == "dtype":
        state.m2 = state.m2.astype(np.float32)
    elif flaw == "layout":
        state.m2 = np.asfortranarray(state.m2)
    else:
        state.m2.flags.writeable = False
    with pytest.raises(ValueError, match=r"state\.m2 must be"):
        rolling_update(
            np.zeros(0, np.uint64),
            np.zeros(3, np.int64),
            np.zeros((2, 0)),
            np.zeros((2, 0), np.bool_),
            state,
        )


def test_quality_score_of_different_lengths_is_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        quality_score(np.zeros(3), np.ones(2, np.bool_))


def test_importing_kernels_does_not_load_numba() -> None:
    code = (
        "import sys, pbf_ray.kernels.order, pbf_ray.kernels.anomaly, pbf_ray.kernels.rolling, "
        "pbf_ray.kernels.grouping; sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_kernel_compiles_where_there_is_no_place_for_a_cache() -> None:
    from pbf_ray.kernels._compile import array_of, compiled, floats

    # numba finds no cache folder for a function without a file.
    namespace: dict[str, object] = {}
    exec("def double(x):\n    for i in range(x.size):\n        x[i] *= 2.0\n", namespace)  # noqa: S102
    double = compiled(array_of(floats, 1, written=True))(namespace["double"])
    x = np.array([1.5])
    double(x)
    assert x.tolist() == [3.0]

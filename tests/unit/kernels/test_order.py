import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.kernels import order_reference
from pbf_ray.kernels.order import canonical_order, event_order_key

NAN, INF = float("nan"), float("inf")


def keys(*timestamps: float | None) -> list[int]:
    values = np.array([9.0 if t is None else t for t in timestamps])
    return event_order_key(values, np.array([t is not None for t in timestamps])).tolist()


def test_item_56_ascending_is_null_numbers_nan() -> None:
    ascending = keys(None, -INF, -1.7e308, -1.5, -5e-324, 0.0, 5e-324, 1.5, 1.7e308, INF, NAN)
    assert ascending == sorted(set(ascending))


def test_items_42_43_55_nulls_zeros_and_nans_are_peers() -> None:
    null, other_null, zero, minus_zero, nan, minus_nan = keys(None, None, 0.0, -0.0, NAN, -NAN)
    assert (null, zero, nan) == (other_null, minus_zero, minus_nan)
    payload = np.array([0xFFF8_0000_0000_1234, 0x7FF0_0000_0000_0001], np.uint64).view(np.float64)
    assert event_order_key(payload, np.ones(2, np.bool_)).tolist() == [nan, nan]


def test_a_null_hides_its_value() -> None:
    key = event_order_key(np.array([NAN, -INF, 3.0]), np.zeros(3, np.bool_))
    assert key.tolist() == [0, 0, 0]


def test_read_only_arrays_are_accepted() -> None:
    timestamp, valid = np.array([1.0, 2.0]), np.ones(2, np.bool_)
    timestamp.flags.writeable = valid.flags.writeable = False
    assert event_order_key(timestamp, valid).size == 2


def test_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        event_order_key(np.zeros(3), np.ones(2, np.bool_))


@settings(max_examples=100, deadline=None)
@given(
    groups=st.integers(1, 4),
    n=st.integers(0, 400),
    different=st.integers(1, 500),
    seed=st.integers(0, 2**32 - 1),
)
def test_rows_are_sorted_by_group_time_and_position(
    groups: int, n: int, different: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, groups, n)
    timestamp = rng.integers(0, different, n).astype(np.float64)
    partition, offset = rng.integers(0, 2, n), rng.integers(0, 5, n)
    valid = rng.random(n) > 0.1
    key = event_order_key(timestamp, valid)
    rows, group_start = canonical_order(codes, groups + 1, key, [partition, offset])
    expected = order_reference.canonical_order(
        codes.tolist(),
        [t if ok else None for t, ok in zip(timestamp.tolist(), valid.tolist(), strict=True)],
        list(zip(partition.tolist(), offset.tolist(), strict=True)),
    )
    assert rows.tolist() == expected
    assert np.diff(group_start).tolist() == np.bincount(codes, minlength=groups + 1).tolist()


def test_rows_already_in_order_stay() -> None:
    codes = np.array([1, 0, 1, 0, 0])
    rows, group_start = canonical_order(codes, 2, np.array([5, 1, 5, 2, 2], np.uint64))
    assert rows.tolist() == [1, 3, 4, 0, 2]
    assert group_start.tolist() == [0, 3, 5]


@pytest.mark.parametrize("codes", [[0, 3], [0, -1]])
def test_codes_out_of_range_are_refused(codes: list[int]) -> None:
    with pytest.raises(ValueError, match="codes must be from 0 to 2"):
        canonical_order(np.array(codes), 3, np.zeros(2, np.uint64))


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        canonical_order(np.zeros(2, np.int64), 1, np.zeros(2, np.uint64), [np.zeros(3, np.int64)])

import numpy as np
import pyarrow as pa
import pytest

from pbf_ray.monitoring.columns import channel_values, column_values, nullable


@pytest.mark.parametrize("kind", [pa.float64(), pa.int32(), pa.float32()])
def test_values_and_validity_of_chunks_and_slices(kind: pa.DataType) -> None:
    array = pa.array([9, 1, None, 3, 9], kind)[1:4]
    for column in (array, pa.chunked_array([array[:1], array[1:]]), pa.chunked_array([array])):
        values, valid = column_values(column)
        assert values.dtype == np.float64
        assert values.tolist() == [1.0, 0.0, 3.0]
        assert valid.tolist() == [True, False, True]


def test_column_of_nulls_only() -> None:
    values, valid = column_values(pa.nulls(3))
    assert values.tolist() == [0.0] * 3
    assert not valid.any()


def test_channels_are_rows_in_the_order_asked_for() -> None:
    table = pa.table({"a": [1.0, None], "b": [3.0, float("nan")]})
    values, valid = channel_values(table, ["b", "a"])
    np.testing.assert_array_equal(values, [[3.0, np.nan], [1.0, 0.0]])
    assert valid.tolist() == [[True, True], [True, False]]
    with pytest.raises(KeyError, match="missing"):
        channel_values(table, ["missing"])


@pytest.mark.parametrize("n", [0, 1, 8, 9, 65])
def test_nullable_keeps_nan_apart_from_null(n: int) -> None:
    values = np.where(np.arange(n) % 3 == 0, np.nan, np.arange(n, dtype=np.float64))
    column = nullable(values, np.arange(n) % 2 == 0)
    column.validate(full=True)
    assert column.null_count == n // 2
    for i, x in enumerate(column.to_pylist()):
        if i % 2:
            assert x is None
        else:
            assert np.isnan(x) if i % 3 == 0 else x == i


def test_nullable_takes_strided_arrays() -> None:
    values = np.arange(6, dtype=np.float64).reshape(3, 2)
    assert nullable(values[:, 1], np.array([True, True, False])).to_pylist() == [1.0, 3.0, None]

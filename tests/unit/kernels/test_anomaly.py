import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.kernels import anomaly_reference
from pbf_ray.kernels.anomaly import OPERATORS, CompiledRules, first_match

NAN, INF = float("nan"), float("inf")
DEFAULT = [
    (0, ">", 1700.0),
    (0, "<", 1500.0),
    (1, ">", 1.0),
    (1, "<", 0.9),
    (2, ">", 250.0),
    (2, "<", 150.0),
]


def compiled(rules: list[tuple[int, str, float]]) -> CompiledRules:
    return CompiledRules(
        channel=np.array([rule[0] for rule in rules], np.int64),
        op=np.array([OPERATORS.index(rule[1]) for rule in rules], np.int8),
        threshold=np.array([rule[2] for rule in rules], np.float64),
    )


def match(rows: list[tuple[float | None, ...]], rules: list[tuple[int, str, float]]) -> list[int]:
    channels = len(rows[0]) if rows else 3
    values = np.array([[NAN if x is None else x for x in row] for row in rows])
    valid = np.array([[x is not None for x in row] for row in rows], np.bool_)
    shape = (len(rows), channels)
    return first_match(values.reshape(shape).T, valid.reshape(shape).T, compiled(rules)).tolist()


@pytest.mark.parametrize(
    ("value", "op", "threshold", "true"),
    [
        (NAN, ">", 1700.0, True),
        (NAN, ">", INF, True),
        (NAN, ">", NAN, False),
        (NAN, ">=", NAN, True),
        (NAN, "<", 1500.0, False),
        (NAN, "<=", NAN, True),
        (INF, "<", NAN, True),
        (INF, "<=", NAN, True),
        (INF, ">=", NAN, False),
        (-0.0, "<", 0.0, False),
        (-0.0, ">=", 0.0, True),
        (0.0, "<=", -0.0, True),
    ],
)
def test_item_34_nan_is_greatest_and_zeros_are_equal(
    value: float, op: str, threshold: float, true: bool
) -> None:
    assert match([(value,)], [(0, op, threshold)]) == [0 if true else -1]


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("threshold", [0.0, NAN, -INF])
def test_item_35_null_matches_nothing(op: str, threshold: float) -> None:
    assert match([(None,)], [(0, op, threshold)]) == [-1]


def test_item_36_or_is_kleenes() -> None:
    rows = [(None, 2.0, None), (None, 0.95, None), (NAN, None, None), (None, None, None)]
    assert match(rows, DEFAULT) == [2, -1, 0, -1]


def test_item_37_first_true_rule_and_exclusive_boundaries() -> None:
    rows = [
        (1700.0, 1.0, 250.0),
        (1500.0, 0.9, 150.0),
        (1800.0, 2.0, 300.0),
        (1600.0, 0.5, 300.0),
        (1400.0, 0.95, 200.0),
        (1600.0, 0.95, 100.0),
        (1600.0, 0.95, NAN),
    ]
    assert match(rows, DEFAULT) == [-1, -1, 0, 3, 1, 5, 4]


VALUES = st.none() | st.sampled_from([0.0, -0.0, 1.0, NAN, INF, -INF, 5e-324]) | st.floats()


@settings(max_examples=200, deadline=None)
@given(data=st.data(), channels=st.integers(1, 3))
def test_any_rules_match_as_the_reference_says(data: st.DataObject, channels: int) -> None:
    rules = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, channels - 1),
                st.sampled_from(OPERATORS),
                VALUES.filter(lambda x: x is not None),
            ),
            max_size=5,
        )
    )
    rows = data.draw(st.lists(st.tuples(*[VALUES] * channels), max_size=20))
    codes = match(rows, rules) if rows else []
    assert codes == [anomaly_reference.first_match(row, rules) for row in rows]
    # A record is an anomaly iff the OR of the rules is true.
    for row, code in zip(rows, codes, strict=True):
        parts = [anomaly_reference.compare(row[c], op, t) for c, op, t in rules]
        assert (code >= 0) == (anomaly_reference.any_true(parts) is True)


def test_more_rows_than_a_block() -> None:
    values = np.linspace(0.0, 1.0, 10_001)[np.newaxis]
    rules = compiled([(0, ">", 0.75), (0, ">=", 0.25)])
    code = first_match(values, np.ones_like(values, np.bool_), rules)
    expected = np.where(values[0] > 0.75, 0, np.where(values[0] >= 0.25, 1, -1))
    assert code.dtype == np.int16
    np.testing.assert_array_equal(code, expected)


def test_no_rules_and_no_rows() -> None:
    assert match([(1.0,), (NAN,)], []) == [-1, -1]
    assert first_match(np.empty((3, 0)), np.empty((3, 0), np.bool_), compiled(DEFAULT)).size == 0


def test_a_channel_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="channel 2, values has 1 channels"):
        match([(1.0,)], DEFAULT)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        first_match(np.zeros((1, 3)), np.ones((1, 2), np.bool_), compiled([]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (([0], [4], [1.0]), "op must be"),
        (([0], [-1], [1.0]), "op must be"),
        (([-1], [0], [1.0]), "channel must not"),
        (([0, 1], [0], [1.0]), "one length"),
        (([0] * 40_000, [0] * 40_000, [1.0] * 40_000), "at most 32767"),
    ],
)
def test_rules_that_cannot_be_are_refused(fields: tuple[list[float], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompiledRules(*(np.array(field) for field in fields))

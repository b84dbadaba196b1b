import numpy as np
import pyarrow as pa
import pytest

from pbf_ray.errors import SettingError
from pbf_ray.monitoring.judge import anomalies, judge, name_anomalies
from pbf_ray.monitoring.rules import DEFAULT_PROFILE, Rule, RuleProfile

NAN = float("nan")


def records(*rows: tuple[float | None, float | None, float | None]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [[], [], []]
    return pa.table(
        {
            "sensor_id": pa.array([f"s{i}" for i in range(len(rows))], pa.string()),
            **{
                name: pa.array(column, pa.float64())
                for name, column in zip(
                    ("temperature", "pressure", "laser_power"), columns, strict=True
                )
            },
        }
    )


TABLE = records(
    (1600.0, 0.95, 200.0),
    (None, 2.0, None),
    (NAN, None, None),
    (1400.0, 2.0, 300.0),
    (1600.0, 0.95, 149.0),
    (None, 0.95, None),
    (None, None, None),
)


def test_first_true_rule_names_type_and_severity() -> None:
    codes = judge(TABLE, DEFAULT_PROFILE)
    assert codes.dtype == np.int16
    assert codes.tolist() == [-1, 2, 0, 1, 5, -1, -1]
    types, severities = name_anomalies(codes, DEFAULT_PROFILE)
    assert types.to_pylist() == [
        None,
        "high_pressure",
        "high_temperature",
        "low_temperature",
        "low_laser_power",
        None,
        None,
    ]
    assert severities.to_pylist() == [None, "critical", "critical", "warning", "info", None, None]


def test_anomalies_are_the_records_with_type_and_severity() -> None:
    found = anomalies(TABLE, DEFAULT_PROFILE)
    assert found.column("sensor_id").to_pylist() == ["s1", "s2", "s3", "s4"]
    assert found.column("anomaly_type").to_pylist()[0] == "high_pressure"
    assert found.column("severity").to_pylist()[-1] == "info"
    assert found.column_names == [*TABLE.column_names, "anomaly_type", "severity"]


def test_chunks_do_not_matter() -> None:
    chunked = pa.concat_tables([TABLE.slice(0, 2), TABLE.slice(2, 0), TABLE.slice(2)])
    assert judge(chunked, DEFAULT_PROFILE).tolist() == judge(TABLE, DEFAULT_PROFILE).tolist()


def test_a_profile_may_use_scan_speed_and_channels_of_its_own() -> None:
    profile = RuleProfile(
        name="p",
        rules=(Rule("oxygen", ">", 500.0, "oxygen"), Rule("scan_speed", "<=", 1.0, "slow")),
        units={"oxygen": "ppm"},
    )
    table = pa.table({"scan_speed": [1.0, 2.0, None], "oxygen": [1.0, 501.0, NAN]})
    assert judge(table, profile).tolist() == [1, 0, 0]
    with pytest.raises(SettingError, match="no channel 'oxygen'"):
        judge(table.drop_columns("oxygen"), profile)


@pytest.mark.parametrize("profile", [DEFAULT_PROFILE, RuleProfile(name="none", rules=())])
def test_no_records(profile: RuleProfile) -> None:
    empty = records()
    assert judge(empty, profile).size == 0
    assert anomalies(empty, profile).num_rows == 0


def test_no_rules_find_nothing() -> None:
    quiet = RuleProfile(name="quiet", rules=())
    assert judge(TABLE, quiet).tolist() == [-1] * TABLE.num_rows
    found = anomalies(TABLE, quiet)
    assert found.num_rows == 0
    assert found.schema.field("anomaly_type").type == pa.string()

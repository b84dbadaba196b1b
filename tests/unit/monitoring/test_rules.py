import pickle

import pytest

from pbf_ray.errors import SettingError
from pbf_ray.monitoring.rules import DEFAULT_PROFILE, Rule, RuleProfile


def profile(*rules: Rule, **changes: object) -> RuleProfile:
    return RuleProfile(**{"name": "p", "rules": rules, "source": "p.toml", **changes})


def test_default_profile_is_section_2() -> None:
    assert [
        (rule.channel, rule.op, rule.threshold, rule.anomaly_type, rule.severity)
        for rule in DEFAULT_PROFILE.rules
    ] == [
        ("temperature", ">", 1700.0, "high_temperature", "critical"),
        ("temperature", "<", 1500.0, "low_temperature", "warning"),
        ("pressure", ">", 1.0, "high_pressure", "critical"),
        ("pressure", "<", 0.9, "low_pressure", "warning"),
        ("laser_power", ">", 250.0, "high_laser_power", "info"),
        ("laser_power", "<", 150.0, "low_laser_power", "info"),
    ]
    assert DEFAULT_PROFILE.channels == ("temperature", "pressure", "laser_power")


def test_item_38_severity_is_info_unless_stated() -> None:
    assert Rule("temperature", ">", 1.0, "hot").severity == "info"


@pytest.mark.parametrize(
    ("rule", "key", "problem"),
    [
        (Rule("temprature", ">", 1.0, "hot"), "channel", "'temprature'"),
        (Rule("temperature", "=", 1.0, "hot"), "op", "'='"),
        (Rule("temperature", ">", float("nan"), "hot"), "threshold", "not a finite"),
        (Rule("temperature", ">", float("inf"), "hot"), "threshold", "not a finite"),
        (Rule("temperature", ">", 1.0, " "), "anomaly_type", "needs a type"),
        (Rule("temperature", ">", 1.0, "hot", "fatal"), "severity", "'fatal'"),
    ],
)
def test_a_bad_rule_is_named_by_its_key(rule: Rule, key: str, problem: str) -> None:
    good = Rule("pressure", ">", 1.0, "high_pressure")
    with pytest.raises(SettingError, match=problem) as caught:
        profile(good, rule)
    assert caught.value.key == f"rules[1].{key}"
    assert caught.value.source == "p.toml"


def test_a_profile_needs_a_name() -> None:
    with pytest.raises(SettingError, match="needs a name"):
        profile(name=" ")


def test_two_rules_may_share_a_type_but_not_with_two_severities() -> None:
    hot = Rule("temperature", ">", 1700.0, "unstable", "critical")
    profile(hot, Rule("scan_speed", ">", 3.0, "unstable", "critical"))
    with pytest.raises(SettingError, match=r"info here and critical in rules\[0\]") as caught:
        profile(hot, Rule("scan_speed", ">", 3.0, "unstable", "info"))
    assert caught.value.key == "rules[1].severity"


@pytest.mark.parametrize(
    ("first", "second", "dead"),
    [
        ((">", 1700.0), (">", 1800.0), True),
        ((">", 1800.0), (">", 1700.0), False),
        ((">=", 1700.0), (">", 1700.0), True),
        ((">", 1700.0), (">=", 1700.0), False),
        ((">", 1700.0), (">", 1700.0), True),
        (("<", 1500.0), ("<=", 1400.0), True),
        (("<", 1400.0), ("<", 1500.0), False),
        (("<", 1500.0), ("<=", 1500.0), False),
        (("<=", 1500.0), ("<", 1500.0), True),
        ((">", 1700.0), ("<", 1500.0), False),
    ],
)
def test_a_rule_that_can_never_match_first_is_refused(
    first: tuple[str, float], second: tuple[str, float], dead: bool
) -> None:
    rules = Rule("temperature", *first, "a"), Rule("temperature", *second, "b")
    if dead:
        with pytest.raises(SettingError, match="can never match first"):
            profile(*rules)
    else:
        assert profile(*rules).rules == rules
    other = Rule("scan_speed", *second, "b")
    assert profile(rules[0], other).rules[1] == other


def test_further_channels_are_those_whose_unit_is_stated() -> None:
    oxygen = Rule("oxygen", ">", 800.0, "high_oxygen")
    with pytest.raises(SettingError, match="unknown channel 'oxygen'"):
        profile(oxygen)
    assert profile(oxygen, units={"oxygen": "ppm"}).units["oxygen"] == "ppm"
    with pytest.raises(SettingError, match="needs a unit"):
        profile(oxygen, units={"oxygen": ""})


def test_a_unit_other_than_that_of_the_records_is_refused() -> None:
    with pytest.raises(SettingError, match="'K', but the records have 'degC'") as caught:
        profile(units={"temperature": "K"})
    assert caught.value.key == "units.temperature"


def test_compiled_rules_name_rows_of_the_value_array() -> None:
    rules = profile(
        Rule("scan_speed", "<=", 0.5, "slow"),
        Rule("temperature", ">=", 1700.0, "hot"),
    ).compile(["temperature", "scan_speed"])
    assert rules.channel.tolist() == [1, 0]
    assert rules.op.tolist() == [3, 1]
    assert rules.threshold.tolist() == [0.5, 1700.0]
    assert len(profile().compile()) == 0


def test_compiling_for_records_without_the_channel_is_refused() -> None:
    with pytest.raises(SettingError, match="no channel 'pressure'") as caught:
        DEFAULT_PROFILE.compile(["temperature"])
    assert caught.value.key == "rules[2].channel"


def test_profiles_cross_process_borders() -> None:
    assert pickle.loads(pickle.dumps(DEFAULT_PROFILE)) == DEFAULT_PROFILE  # noqa: S301
    assert hash(DEFAULT_PROFILE) == hash(pickle.loads(pickle.dumps(DEFAULT_PROFILE)))  # noqa: S301

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbf_ray.errors import SettingError
from pbf_ray.monitoring.rules import DEFAULT_PROFILE, Rule, RuleProfile

TITANIUM = """
name = "Ti-6Al-4V"
description = "chamber under argon"

[units]
oxygen = "ppm"
temperature = "degC"

[[rules]]
channel = "temperature"
above = 1700
anomaly_type = "high_temperature"
severity = "critical"

[[rules]]
channel = "oxygen"
at_least = 800.5
anomaly_type = "high_oxygen"

[[rules]]
channel = "scan_speed"
below = 0.1
anomaly_type = "slow"

[[rules]]
channel = "pressure"
at_most = -1
anomaly_type = "vacuum"
severity = "warning"
"""


def test_all_forms_of_a_rule() -> None:
    profile = RuleProfile.from_toml(TITANIUM, source="ti.toml")
    assert profile == RuleProfile(
        name="Ti-6Al-4V",
        description="chamber under argon",
        units={"oxygen": "ppm"},
        rules=(
            Rule("temperature", ">", 1700.0, "high_temperature", "critical"),
            Rule("oxygen", ">=", 800.5, "high_oxygen", "info"),
            Rule("scan_speed", "<", 0.1, "slow", "info"),
            Rule("pressure", "<=", -1.0, "vacuum", "warning"),
        ),
    )
    assert profile.source == "ti.toml"
    assert isinstance(profile.rules[0].threshold, float)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(str.strip)


@st.composite
def profiles(draw: st.DrawFn) -> RuleProfile:
    units = draw(st.dictionaries(texts, texts, max_size=3))
    units = {name: unit for name, unit in units.items() if name not in DEFAULT_PROFILE.units}
    channels = draw(st.lists(st.sampled_from([*DEFAULT_PROFILE.units, *units]), unique=True))
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    return RuleProfile(
        name=draw(texts),
        description=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
        units=units,
        rules=tuple(
            Rule(
                channel,
                draw(st.sampled_from([">", ">=", "<", "<="])),
                draw(numbers),
                f"{index} {draw(texts)}",
                draw(st.sampled_from(["critical", "warning", "info"])),
            )
            for index, channel in enumerate(channels)
        ),
    )


@settings(max_examples=150, deadline=None)
@given(profiles())
def test_what_is_written_reads_as_the_same_profile(profile: RuleProfile) -> None:
    assert RuleProfile.from_toml(profile.to_toml()) == profile


def test_default_profile_reads_as_people_would_write_it() -> None:
    assert '[[rules]]\nchannel = "temperature"\nabove = 1700.0' in DEFAULT_PROFILE.to_toml()


RULE = '[[rules]]\nchannel = "temperature"\nabove = 1\nanomaly_type = "hot"\n'


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ('name = "p', "(file)", "not TOML"),
        ('name = "p"', "rules", r"needs \[\[rules\]\]"),
        ('name = "p"\nrules = 3', "rules", r"needs \[\[rules\]\]"),
        ('name = "p"\nrules = [3]', "rules[0]", "must be a table"),
        (RULE, "name", "is missing"),
        ("name = 3\n" + RULE, "name", "3 is not a text"),
        ('name = "p"\nnme = 1\n' + RULE, "nme", "did you mean name?"),
        ('name = "p"\nunits = 3\n' + RULE, "units", "must be a table"),
        ('name = "p"\nunits.oxygen = 3\n' + RULE, "units.oxygen", "not a text"),
        ('name = "p"\n' + RULE + "abov = 2", "rules[0].abov", "did you mean above?"),
        ('name = "p"\n' + RULE + "below = 2", "rules[0].below", "exactly one of"),
        (
            'name = "p"\n' + RULE + '[[rules]]\nchannel = "pressure"',
            "rules[1].above",
            "exactly one of above, at_least, below, at_most, not 0",
        ),
        ('name = "p"\n' + RULE.replace("1", '"1"'), "rules[0].above", "not a number"),
        ('name = "p"\n' + RULE.replace("1", "true"), "rules[0].above", "not a number"),
        ('name = "p"\n' + RULE.replace("1", "inf"), "rules[0].threshold", "not a finite"),
        ('name = "p"\n' + RULE.replace("1", "9" * 400), "rules[0].above", "too large"),
        ('name = "p"\n' + RULE.replace('"hot"', "1"), "rules[0].anomaly_type", "not a text"),
        ('name = "p"\n' + RULE.replace("temperature", "temp"), "rules[0].channel", "'temp'"),
        ('name = "p"\n' + RULE + 'severity = "bad"', "rules[0].severity", "'bad'"),
    ],
)
def test_a_mistake_is_named_by_its_key_and_file(text: str, key: str, problem: str) -> None:
    with pytest.raises(SettingError, match=problem.replace("?", r"\?")) as caught:
        RuleProfile.from_toml(text, source="plant.toml")
    assert (caught.value.key, caught.value.source) == (key, "plant.toml")


def test_no_rules_have_to_be_said() -> None:
    assert RuleProfile.from_toml('name = "quiet"\nrules = []').rules == ()

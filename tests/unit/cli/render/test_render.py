from __future__ import annotations

import io
import math
import re
from typing import Any

import pytest

from pbf_ray.cli.render.books import balance
from pbf_ray.cli.render.layers import NOT_ENOUGH_DATA, layers_table, layers_view, verdict
from pbf_ray.cli.render.progress import progress_line
from pbf_ray.cli.render.rows import moment, preview
from pbf_ray.cli.render.summary import outputs_view, steps_view, summary_view
from pbf_ray.cli.render.text import console_for, duration, show
from pbf_ray.cli.render.topics import milliseconds


def text_of(view: Any, width: int) -> str:
    out = io.StringIO()
    show(view, out, width=width)
    return out.getvalue()


def layer(number: int | None = 0, **values: Any) -> dict[str, Any]:
    channels = ("temperature", "pressure", "laser_power", "scan_speed")
    statistics = {f"{name}_{what}": 1.0 for name in channels for what in ("avg", "std")}
    return {
        "build_id": "M01-B001", "layer": number, "n": 100, "anomalies": 0, "quality_score": 1.0,
        "revision": 1,
        **statistics, **values,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"quality_score": 0.8}, "0.8"),
        ({"quality_score": 0.4}, "0.4"),
        ({"quality_score": 0.4, "temperature_std": None}, NOT_ENOUGH_DATA),
        ({"quality_score": 1.0, "n": 1}, NOT_ENOUGH_DATA),
        ({"quality_score": 0.4, "temperature_std": math.nan}, "0.4"),
    ],
)
def test_a_score_is_shown_only_where_there_is_data_for_it(
    values: dict[str, Any], expected: str
) -> None:
    assert verdict(layer(**values)) == expected


def test_layers_that_need_a_look_come_first() -> None:
    rows = [
        layer(1, quality_score=0.8),
        layer(2, quality_score=0.4, temperature_std=None),
        layer(3, quality_score=0.4),
        layer(4, quality_score=0.8, anomalies=5),
        layer(None, quality_score=0.8),
    ]
    text = text_of(layers_view(rows, 5, most=4, width=80), 80)
    assert "quality  0.8: 3,  0.4: 1,  not enough data: 1" in text
    shown = [line.split()[1] for line in text.splitlines() if line.startswith("  M01")]
    assert shown == ["3", "4", "null", "1"]


@pytest.mark.parametrize(
    ("width", "values", "headings"),
    [
        (70, {}, ["temperature degC"]),
        (80, {}, ["temperature degC", "pressure bar"]),
        (80, {"build_id": "13.02.2025_burn"}, ["temperature degC"]),
        (80, {"temperature_avg": None, "laser_power_avg": None}, [
            "pressure bar", "scan speed m/s",
        ]),
        (120, {}, ["temperature degC", "pressure bar", "laser power W", "scan speed m/s"]),
        (120, {"revision": 2}, [
            "temperature degC", "pressure bar", "laser power W", "scan speed m/s", "revision",
        ]),
    ],
)  # fmt: skip
def test_layers_show_what_has_data_and_room(
    width: int, values: dict[str, Any], headings: list[str]
) -> None:
    row = layer(n=1246, anomalies=1246, temperature_avg=1585.5, temperature_std=17.1) | values
    text = text_of(layers_table([row], width=width), width)
    head, *lines = text.splitlines()
    assert re.split(r"\s{2,}", head.strip()) == [
        "build", "layer", "records", *[h for h in headings if h != "revision"], "anomalies",
        "quality", *[h for h in headings if h == "revision"],
    ]  # fmt: skip
    assert len(lines) == 1
    assert len(head) <= width


def test_a_build_with_a_very_long_name_goes_on_in_the_next_line() -> None:
    text = text_of(layers_table([layer(build_id="long-" * 20)], width=80), 80)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "".join(line.split()[0] for line in lines[1:]) == "long-" * 20


def test_1501_layers_without_data_are_no_alarm() -> None:
    rows = [layer(n, n=1, temperature_std=None, quality_score=0.4) for n in range(1501)]
    text = text_of(layers_view(rows, 1501, most=8, width=80), 80)
    assert "1,501 closed" in text
    assert "quality  not enough data: 1,501" in text
    assert "0.4" not in text


def test_books_that_do_not_balance_are_said_not_to() -> None:
    assert balance({"consumed": 5, "accepted": 3, "late": 2}) == ("5 = 3 + 0 + 2 + 0 + 0", True)
    assert balance({"consumed": 6, "accepted": 3, "late": 2}) == ("6 != 3 + 0 + 2 + 0 + 0", False)


def line_of(progress: dict[str, Any], width: int | None) -> str:
    return "".join(text for text, _ in progress_line(progress, 72.9, width))


def test_before_anything_is_known_the_line_has_no_figures() -> None:
    assert line_of({"state": "starting", "consumed": 0, "lag": 0}, None) == "1:12  starting"


def test_the_progress_line_has_what_matters_in_80_columns() -> None:
    progress = {
        "state": "running", "consumed": 12_480_000, "records_per_s": 123_456.7, "anomalies": 120_4,
        "layers": 1501, "lag": 340_000, "dead_letters": 17, "late": 3, "pending": 9, "restarts": 1,
    }  # fmt: skip
    expected = "1:12  12,480,000 records  123,457/s  1,204 anomalies  1,501 layers  lag 340,000"
    assert line_of(progress, 80) == expected
    assert line_of(progress, None) == (f"{expected}  1 restart  17 dead letters  3 late  9 pending")
    assert line_of({**progress, "state": "recovering"}, 40) == (
        "1:12  recovering  12,480,000 records"
    )
    assert line_of({"consumed": 1, "anomalies": 1, "layers": 1}, None) == (
        "1:12  1 record  0/s  1 anomaly  1 layer  lag 0"
    )
    assert line_of({}, None) == "1:12  0 records  0/s  0 anomalies  0 layers  lag 0"


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_fits_and_what_is_to_be_copied_is_whole(width: int) -> None:
    place = "/a/rather/long/path/of/somebody/who/likes/folders/pbf-data/demo-1/operational.sqlite"
    command = f"pbf-ray results layers --job demo-1 --data-dir {place}"
    result = {
        "job_id": "demo-1", "outcome": "finished", "seconds": 40.0, "layers": 1,
        "books": {"consumed": 2, "accepted": 2}, "anomalies_by_type": {"odd": 1},
        "outputs": {"layer_quality": place},
    }  # fmt: skip
    view = summary_view(
        result, layers=[layer()], severities={}, steps=[(command, "layers")], width=width
    )
    lines = text_of(view, width).splitlines()
    assert any(line.strip().endswith(place) for line in lines)
    assert f"  {command}" in lines
    too_long = [line for line in lines if len(line) > width]
    places = [f"    {place}"] if len(place) + 4 > width else []
    assert too_long == [*places, f"  {command}"]


def test_short_outputs_stand_beside_their_names() -> None:
    assert text_of(outputs_view({"checkpoint": "/c"}, width=80), 80).splitlines() == [
        "Where everything lies",
        "  checkpoint  /c",
    ]
    assert text_of(steps_view([("do this", "it shows that")]), 80).splitlines() == [
        "Next",
        "  # it shows that",
        "  do this",
    ]


def test_colours_only_where_there_is_a_terminal() -> None:
    assert "\x1b" not in text_of(layers_view([layer()], 1, most=1, width=80), 80)
    assert console_for(io.StringIO()).width == 160


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1_750_000_000.25, "2025-06-15 15:06:40.250"),
        (-0.001, "1969-12-31 23:59:59.999"),
        (None, "null"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (1e300, "1e+300"),
    ],
)
def test_event_times(seconds: float | None, text: str) -> None:
    assert moment(seconds) == text


def test_raw_values_are_printable_and_short() -> None:
    assert preview(b'{"a": 1}') == '{"a": 1}'
    assert preview(b"\xff\x00\n\x1b[31mred") == r"\xff\x00\n\x1b[31mred"
    assert preview(None) == "null"
    assert preview(b"x" * 1000) == "x" * 57 + "..."


def test_durations() -> None:
    assert [duration(s) for s in (0, 59.9, 61, 3600, 7325)] == [
        "0:00", "0:59", "1:01", "1:00:00", "2:02:05",
    ]  # fmt: skip
    assert [milliseconds(text) for text in ("604800000", "3600000", "-1", "1500", "")] == [
        "7 d (604800000 ms)", "1 h (3600000 ms)", "for ever", "1500", "",
    ]  # fmt: skip

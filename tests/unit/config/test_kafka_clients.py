from __future__ import annotations

import pytest

from pbf_ray.config import Settings
from pbf_ray.errors import SettingError


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        (
            "consumer",
            {"drain_s": 300.0},
            "consumer.drain_s .* should be shorter than max_poll_interval_s",
        ),
        ("consumer", {"heartbeat_s": 30.0}, "consumer.heartbeat_s .* should be shorter"),
        (
            "consumer",
            {"session_timeout_s": 301.0},
            "consumer.session_timeout_s .* at most max_poll_interval_s",
        ),
        ("consumer", {"on_failure": "ignore"}, "consumer.on_failure"),
        ("consumer", {"max_attempts": 0}, "consumer.max_attempts"),
        ("producer", {"compression": "zip"}, "producer.compression"),
        ("producer", {"delivery_timeout_s": 0}, "producer.delivery_timeout_s"),
        ("producer", {"producer_id": ""}, "producer.producer_id"),
    ],
)
def test_what_cannot_work_is_refused(section: str, values: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Settings(**{section: values})


def test_sizes_may_have_units() -> None:
    settings = Settings(
        producer={"buffer_bytes": "64 MiB"}, consumer={"max_in_flight_bytes": "1 MB"}
    )
    assert settings.producer.buffer_bytes == 64 * 2**20
    assert settings.consumer.max_in_flight_bytes == 10**6

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from pbf_ray import logs


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logs, "_handler", None)
    names = ["", "pbf_ray", "ray"]
    loggers = [logging.getLogger(name) for name in names]
    before = [(it, it.level, list(it.handlers), it.propagate) for it in loggers]
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(False)
    logs._process_context.clear()
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


class Lines(io.StringIO):
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


def test_an_event_carries_its_facts_and_what_is_bound() -> None:
    out = Lines()
    logs.configure_logs(json=True, stream=out, job="pbf-stream")
    log = logs.get_logger("pbf_ray.streaming.test")
    logs.bind_log_context(epoch=7)
    with logs.log_context(topic="ispm-monitoring", partition=3):
        log.info("planned", rows=12, name="free to use", args=1)
    logs.unbind_log_context("epoch")
    log.warning("gap of %d %% at %s", 5, "here")
    first, second = out.events()
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "planned", "rows": 12, "name": "free to use", "args": 1, "epoch": 7,
        "topic": "ispm-monitoring", "partition": 3, "job": "pbf-stream",
        "logger": "pbf_ray.streaming.test", "level": "info",
    }  # fmt: skip
    assert second["event"] == "gap of 5 % at here"
    assert not {"epoch", "topic"} & set(second)
    assert second["job"] == "pbf-stream"


def test_libraries_are_routed_the_same_way() -> None:
    ray_log = logging.getLogger("ray")
    own = io.StringIO()
    ray_log.addHandler(logging.StreamHandler(own))
    ray_log.propagate = False
    ray_log.setLevel(logging.INFO)
    out = Lines()
    logs.configure_logs(json=True, stream=out)
    ray_log.warning("a worker died")
    logging.getLogger("rdkafka").error("FAIL [thrd:main]: %s", "connect refused")
    logging.getLogger("rdkafka").info("chatter")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old call", UserWarning, stacklevel=1)
    assert own.getvalue() == ""
    events = out.events()
    assert [event["logger"] for event in events] == ["ray", "rdkafka", "py.warnings"]
    assert events[1]["event"] == "FAIL [thrd:main]: connect refused"
    assert "old call" in events[2]["event"]
    assert "\n" not in events[2]["event"]


def test_a_library_imported_later_is_adopted_when_asked() -> None:
    out = Lines()
    logs.adopt_library_loggers()  # nobody configured logs: nothing to do
    logs.configure_logs(json=True, stream=out)
    ray_log = logging.getLogger("ray")
    ray_log.addHandler(logging.StreamHandler(io.StringIO()))
    ray_log.propagate = False
    logs.adopt_library_loggers()
    ray_log.error("late")
    assert [event["event"] for event in out.events()] == ["late"]


def test_secrets_are_masked_wherever_they_stand() -> None:
    for as_json in (True, False):
        out = Lines()
        logs.configure_logs(json=as_json, stream=out)
        log = logs.get_logger("pbf_ray.test")
        facts = {"password": "hunter2", "config": {"sasl.password": "hunter2"}}
        log.info("connect", **facts)
        log.info("at http://user:hunter2@host:9000/x", urls=["s3://key:hunter2@host"], acks="all")
        logging.getLogger("rdkafka").error("bad sasl.password=hunter2, secret_key: 'hunter2'")
        refused = ValueError("mongodb://u:hunter2@host refused")
        log.error("failed", exc_info=refused)
        text = out.getvalue()
        assert "hunter2" not in text
        assert "host:9000" in text
        assert "acks" in text
        assert "ValueError" in text


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("sasl.password", True),
        ("ssl.key.password", True),
        ("ssl.key.pem", True),
        ("ssl.keystore.password", True),
        ("sasl.oauthbearer.client.secret", True),
        ("sasl.oauthbearer.config", True),
        ("password", True),
        ("secret_key", True),
        ("access_key_id", True),
        ("connection_string", True),
        ("ssl.key.location", False),
        ("ssl.keystore.location", False),
        ("sasl.username", False),
        ("sasl.mechanism", False),
        ("security.protocol", False),
        ("token_path", False),
        ("credentials_path", False),
        ("key", False),
        ("record_key", False),
    ],
)
def test_which_names_are_secret(name: str, secret: bool) -> None:
    assert logs.looks_secret(name) is secret


def test_text_for_people_is_one_line_an_event_without_colours_in_a_file() -> None:
    out = Lines()
    logs.configure_logs(stream=out)
    logs.get_logger("pbf_ray.test").info("epoch committed", rows=7)
    (line,) = out.getvalue().splitlines()
    assert "epoch committed" in line
    assert "rows=7" in line
    assert "\x1b" not in line


def test_the_level_counts_and_the_last_call_wins() -> None:
    first, second = Lines(), Lines()
    logs.configure_logs(json=True, level="DEBUG", stream=first)
    logs.configure_logs(json=True, level="WARNING", stream=second)
    log = logs.get_logger("pbf_ray.test")
    log.info("quiet")
    log.warning("loud")
    assert first.getvalue() == ""
    assert [event["event"] for event in second.events()] == ["loud"]


def test_by_default_it_writes_to_what_stderr_is_then(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure_logs(json=True)
    with pytest.MonkeyPatch.context() as patch:
        exchanged = Lines()
        patch.setattr(sys, "stderr", exchanged)
        logs.get_logger("pbf_ray.test").info("there")
    logs.get_logger("pbf_ray.test").info("here")
    captured = capsys.readouterr()
    assert [event["event"] for event in exchanged.events()] == ["there"]
    assert json.loads(captured.err)["event"] == "here"
    assert captured.out == ""


def test_import_configures_nothing_and_a_user_keeps_his_own_logging(
    caplog: pytest.LogCaptureFixture,
) -> None:
    code = (
        "import logging, sys, pbf_ray.logs as logs\n"
        "assert 'structlog' not in sys.modules\n"
        "assert not logging.getLogger().handlers and not logging.getLogger('pbf_ray').handlers\n"
        "logs.get_logger('pbf_ray.x').warning('100% heard', rows=1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr.strip()) == ("", "100% heard")
    logs.get_logger("pbf_ray.x").warning("seen", rows=1)
    (record,) = caplog.records
    assert (record.getMessage(), record.pbf_context) == ("seen", {"rows": 1})  # type: ignore[attr-defined]

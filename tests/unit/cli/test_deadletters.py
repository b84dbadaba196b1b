"""``pbf-ray deadletters``: the list, one of them, and what a replay would do."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Self

import pytest

from pbf_ray.config import Settings
from pbf_ray.contracts import record_key
from pbf_ray.errors import AccessDeniedError, BrokerError, RecordRefusedError
from pbf_ray.jobs import dead_letter_replay, dead_letters
from pbf_ray.kafka.confirmed import OutgoingRecord
from pbf_ray.kafka.deliveries import Delivery
from pbf_ray.storage.replay_journal import ReplayEntry, SqliteReplayJournal
from pbf_ray.streaming.semantics import StreamSemantics
from support.memory_world import MemoryTopics, job_on_disk
from unit.cli.conftest import Run

CUT = b'{"timestamp": 5.0, "build_id": "B", "layer": 1'
NO_TIME = b'{"build_id": "B7", "layer": 3}'
WILD = b'\x00\xff{"a": tru'
LATE = b'{"timestamp": 2.5, "build_id": "B", "layer": 1, "sensor_id": "s9"}'


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Three dead letters and a late record on disk."""
    folder = tmp_path_factory.mktemp("deadletters")
    topics = MemoryTopics(2)
    for second in range(60):
        good = {"timestamp": float(second), "build_id": "B", "layer": 1}
        topics.send(0, json.dumps(good).encode())
    topics.send(0, CUT, key=b"s1")
    topics.send(0, NO_TIME)
    topics.send(1, WILD)
    settings = job_on_disk(folder, topics, StreamSemantics(allowed_lateness_s=5.0))
    topics.send(0, LATE, key=b"s9")
    job_on_disk(folder, topics, StreamSemantics(allowed_lateness_s=5.0))
    return settings


@pytest.fixture
def args(job: Settings) -> list[str]:
    return ["--job", "job", "--data-dir", str(job.job.data_dir)]


def test_the_list(run: Run, args: list[str]) -> None:
    done = run("deadletters", "list", *args)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].split()[:4] == ["place", "set", "aside,", "UTC"]
    assert [line.split()[0] for line in lines[1:]] == ["ispm/0/60", "ispm/0/61", "ispm/1/0"]
    assert "truncated" in lines[1]
    assert ("no_event_time" in lines[2], "B7" in lines[2]) == (True, True)
    assert "\x00" not in done.stdout


def test_the_list_fits_a_narrow_terminal(
    run: Run, args: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    done = run("deadletters", "list", *args)
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert "truncated" in done.stdout


@pytest.mark.parametrize(
    ("options", "places"),
    [
        (["--reason", "truncated"], ["ispm/0/60"]),
        (["--reason", "truncated", "--reason", "syntax"], ["ispm/0/60", "ispm/1/0"]),
        (["--partition", "1"], ["ispm/1/0"]),
        (["--build", "B7"], ["ispm/0/61"]),
        (["--topic", "another"], []),
        (["--since", "2023-11-14T22:13:20"], ["ispm/0/60", "ispm/0/61", "ispm/1/0"]),
        (["--since", "2023-11-14T22:13:21"], []),
        (["--until", "2023-11-14T23:13:21+01:00"], ["ispm/0/60", "ispm/0/61", "ispm/1/0"]),
        (["--since", "1h"], []),
        (["--replayed"], []),
        (["--limit", "1"], ["ispm/0/60"]),
    ],
)
def test_filters(run: Run, args: list[str], options: list[str], places: list[str]) -> None:
    done = run("deadletters", "list", *args, *options, "--json")
    rows = json.loads(done.stdout)["rows"]
    assert [f"{row['topic']}/{row['partition']}/{row['offset']}" for row in rows] == places


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["list", "--reason", "truncatd"], "no reason 'truncatd' in dead_letters"),
        (["list", "--late", "--reason", "truncated"], "the reasons are late"),
        (["replay", "ispm/0/60", "ispm/0/1", "--yes"], "no row of dead_letters at ispm/0/1"),
        (["replay", "ispm-0-1", "--dry-run"], "is no place of a record"),
    ],
)
def test_a_slip_of_the_pen_does_not_look_as_if_there_were_none(
    run: Run, args: list[str], command: list[str], told: str
) -> None:
    done = run("deadletters", *command, *args)
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in done.stderr


def test_late_records_have_a_list_too(run: Run, args: list[str]) -> None:
    done = run("deadletters", "list", "--late", *args)
    assert "ispm/0/62" in done.stdout
    (row,) = json.loads(run("deadletters", "list", "--late", *args, "--json").stdout)["rows"]
    assert (row["reason"], row["sensor_id"], row["watermark"]) == ("late", "s9", 54.0)


@pytest.mark.parametrize("when", ["yesterday", "12", "3w"])
def test_what_is_no_time_is_refused(run: Run, args: list[str], when: str) -> None:
    done = run("deadletters", "list", *args, "--since", when)
    assert done.exit_code == 2
    assert "is no time" in done.stderr


def test_one_of_them(run: Run, args: list[str]) -> None:
    done = run("deadletters", "show", "ispm/1/0", *args)
    assert done.exit_code == 0
    assert "syntax" in done.stdout
    assert "00000000  00 ff 7b" in done.stdout
    assert '..{"a": tru' in done.stdout
    assert "\x00" not in done.stdout
    by_key = run("deadletters", "show", record_key("job", "cluster:ispm", 1, 0), *args)
    assert by_key.stdout == done.stdout
    plain = json.loads(run("deadletters", "show", "ispm/1/0", *args, "--json").stdout)
    assert bytes.fromhex(plain["value_hex"]) == WILD
    assert plain["reason"] == "syntax"


def test_where_in_the_text_the_error_is(run: Run, args: list[str]) -> None:
    done = run("deadletters", "show", "ispm/0/60", *args)
    lines = done.stdout.splitlines()
    mark = next(line for line in lines if line.endswith("^ here"))
    text = lines[lines.index(mark) - 1]
    assert text[: mark.index("^")].endswith('"layer": 1')


@pytest.mark.parametrize(
    ("place", "problem"), [("ispm/0/1", "has no row"), ("ispm-0-1", "is no place of a record")]
)
def test_a_place_without_one(run: Run, args: list[str], place: str, problem: str) -> None:
    done = run("deadletters", "show", place, *args)
    assert done.exit_code == 1
    assert problem in done.stderr


# -- replay --------------------------------------------------------------------------------


class Sender:
    """A broker that takes everything."""

    sent: list[OutgoingRecord]

    def __init__(self, *_: object, **__: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def send(self, records: list[OutgoingRecord]) -> list[Delivery]:
        start = len(Sender.sent)
        Sender.sent += records
        return [Delivery("sent", "ispm", 0, 100 + start + n) for n in range(len(records))]


class View:
    def __init__(self, *_: object, **__: object) -> None: ...

    def describe(self) -> View:
        return self

    partitions = (("ispm", 0), ("ispm", 1))

    def ends(self, partitions: object) -> dict[tuple[str, int], int]:
        return dict.fromkeys(self.partitions, 63)


@pytest.fixture
def sent(job: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[OutgoingRecord]:
    """What a broker in memory was sent; marks go to a journal of the test's own."""
    Sender.sent = []
    monkeypatch.setattr(dead_letter_replay, "ConfirmedSender", Sender)
    monkeypatch.setattr(dead_letter_replay, "ClusterView", View)
    monkeypatch.setattr(
        dead_letters,
        "replay_journal",
        lambda _settings: SqliteReplayJournal(tmp_path / "journal.db", "night"),
    )
    SqliteReplayJournal(tmp_path / "journal.db", "another").begin([ReplayEntry("k", "t", "t")])
    return Sender.sent


def test_what_would_be_dead_again_stays(
    run: Run, args: list[str], sent: list[OutgoingRecord]
) -> None:
    done = run("deadletters", "replay", *args, "--yes")
    assert done.exit_code == 0
    assert "sent 0" in done.stdout
    assert "3 would be set aside again" in done.stdout
    assert "ispm/0/61  no_event_time: timestamp is None" in done.stdout
    assert not sent


def test_an_edit_makes_it_good_and_it_is_sent_once(
    run: Run, args: list[str], sent: list[OutgoingRecord]
) -> None:
    mend = f"{sys.executable} -c \"import sys; print(sys.stdin.read() + '}}', end='')\""
    command = ("deadletters", "replay", *args, "--yes", "--reason", "truncated", "--json")
    done = run(*command, "--edit-with", mend)
    assert json.loads(done.stdout)["sent"] == 1
    (record,) = sent
    assert (record.topic, record.partition, record.key, record.value) == (
        "ispm", 0, b"s1", CUT + b"}",
    )  # fmt: skip
    assert dict(record.headers)["pbf-replay-of"] == b'["job","cluster:ispm",0,60]'
    again = json.loads(run(*command, "--edit-with", mend).stdout)
    assert (again["sent"], again["before"], len(sent)) == (0, 1, 1)
    listed = run("deadletters", "list", *args, "--replayed", "--json")
    (row,) = json.loads(listed.stdout)["rows"]
    assert (row["replayed"], row["replayed_to"]) == ("yes", "ispm/0/100")
    forced = json.loads(run(*command, "--edit-with", mend, "--again").stdout)
    assert (forced["sent"], len(sent)) == (1, 2)


def test_a_value_from_a_file(
    run: Run, args: list[str], sent: list[OutgoingRecord], tmp_path: Path
) -> None:
    value = tmp_path / "value.json"
    value.write_bytes(b'{"timestamp": 3.0, "build_id": "B", "layer": 1}')
    command = ("deadletters", "replay", *args, "--yes", "--value-file", value)
    assert run(*command).exit_code == 2, "for which record?"
    assert run(*command, "ispm/1/0", "--to-topic", "elsewhere").exit_code == 0
    (record,) = sent
    assert (record.topic, record.partition) == ("elsewhere", None)
    assert record.value == value.read_bytes()


def test_an_edit_that_fails_leaves_its_record(
    run: Run, args: list[str], sent: list[OutgoingRecord]
) -> None:
    wrong = f"{sys.executable} -c \"import sys; sys.exit('no idea')\""
    done = run("deadletters", "replay", *args, "--yes", "--edit-with", wrong)
    assert done.exit_code == 1
    assert "3 failed" in done.stdout
    assert "ended with 1: no idea" in done.stdout
    assert not sent


def test_what_may_have_arrived_is_looked_for_before_it_is_sent_again(
    run: Run, args: list[str], sent: list[OutgoingRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A sequence error, for one, may follow a record whose acknowledgement was lost.
    errors = [
        RecordRefusedError("ispm", "too large"),
        BrokerError("out of order", address="b", code="OUT_OF_ORDER_SEQUENCE_NUMBER"),
        AccessDeniedError("ispm", "b", "the password has changed"),
    ]
    with monkeypatch.context() as patch:
        failed = [Delivery("failed", "ispm", error=error) for error in errors]
        patch.setattr(Sender, "send", lambda _self, _records: failed)
        done = run("deadletters", "replay", *args, "--yes", "--include-bad", "--json")
    assert (done.exit_code, len(json.loads(done.stdout)["failed"])) == (1, 3)
    listed = json.loads(run("deadletters", "list", *args, "--json").stdout)["rows"]
    assert [row["replayed"] for row in listed] == ["no", "unconfirmed", "unconfirmed"]
    searched: list[str] = []

    def search(_self: object, unsure: dict[str, ReplayEntry]) -> dict[str, tuple[int, int]]:
        searched.extend(unsure)
        return {max(unsure): (1, 77)}

    monkeypatch.setattr(dead_letter_replay.Replay, "_search", search)
    again = json.loads(
        run("deadletters", "replay", *args, "--yes", "--include-bad", "--json").stdout
    )
    assert (len(searched), again["found"], again["sent"], len(sent)) == (2, 1, 2, 2)


def test_a_dry_run_sends_and_marks_nothing(
    run: Run, args: list[str], sent: list[OutgoingRecord]
) -> None:
    done = run("deadletters", "replay", *args, "--dry-run", "--include-bad")
    assert "would send 3" in done.stdout
    assert not sent
    assert not json.loads(run("deadletters", "list", *args, "--replayed", "--json").stdout)["rows"]


def test_nobody_to_ask(run: Run, args: list[str], sent: list[OutgoingRecord]) -> None:
    done = run("deadletters", "replay", *args)
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert not sent

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pbf_ray.errors import BrokerError
from pbf_ray.kafka.producer_books import ProducerBooks


@given(st.lists(st.sampled_from(["accept", "withdraw", "refuse", "acknowledge", "give up"])))
def test_every_record_is_in_exactly_one_place(events: list[str]) -> None:
    books, given, waiting, acknowledged, failed = ProducerBooks(lambda: 5.0), 0, 0, 0, 0
    for event in events:
        if event == "accept":
            books.accept()
            given, waiting = given + 1, waiting + 1
        elif event == "refuse":
            books.refuse(BrokerError("too large"))
            given, failed = given + 1, failed + 1
        elif not waiting:
            continue
        elif event == "withdraw":
            books.withdraw()
            given, waiting = given - 1, waiting - 1
        elif event == "acknowledge":
            books.acknowledge(10)
            waiting, acknowledged = waiting - 1, acknowledged + 1
        else:
            books.give_up(BrokerError("timed out"), told=False)
            waiting, failed = waiting - 1, failed + 1
        metrics = books.read()
        assert (metrics.sent, metrics.failed, metrics.queued) == (acknowledged, failed, waiting)
        assert metrics.sent + metrics.failed + metrics.queued == given
        assert metrics.sent_bytes == 10 * acknowledged
        assert metrics.last_sent_s == (5.0 if acknowledged else None)
        assert (books.first_error is None) == (failed == 0)


def test_a_failure_is_told_once() -> None:
    books = ProducerBooks()
    refused, told, untold, later = (BrokerError(text) for text in "abcd")
    books.accept()
    books.refuse(refused)
    assert books.take_untold() is None
    assert not books.give_up(told, told=True)
    assert books.take_untold() is None
    books.give_up(untold, told=False)
    books.give_up(later, told=False)
    assert books.first_error is refused
    assert books.take_untold() is untold
    assert books.take_untold() is None
    # Told to somebody who has stopped listening is not told.
    books.give_up(told, told=True)
    books.leave_untold(told)
    assert books.take_untold() is told
    assert ProducerBooks().give_up(told, told=True)  # the first of all


def test_metrics_are_plain_values() -> None:
    assert ProducerBooks().read().to_plain() == {
        "sent": 0,
        "failed": 0,
        "queued": 0,
        "sent_bytes": 0,
        "retries": 0,
        "last_sent_s": None,
    }

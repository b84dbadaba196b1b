from __future__ import annotations

import threading

from pbf_ray.kafka.idle_polling import poll_when_idle


class Client:
    def __init__(self) -> None:
        self.open = True
        self.polls = 0
        self.polled = threading.Event()

    def poll_if_idle(self) -> bool:
        self.polls += 1
        if self.polls == 3:
            self.polled.set()
        return self.open


def test_it_is_polled_until_it_is_closed() -> None:
    client = Client()
    thread = poll_when_idle(client, 0.001)
    assert client.polled.wait(60)
    client.open = False
    thread.join(60)
    assert not thread.is_alive()


def test_it_is_not_kept_alive() -> None:
    client = Client()
    polled = client.polled
    thread = poll_when_idle(client, 0.001)
    assert polled.wait(60)
    del client
    thread.join(60)
    assert not thread.is_alive()

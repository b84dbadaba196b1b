"""Tasks done in this process, by threads: the engine that the others are held against."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

__all__ = ["LocalEngine"]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class LocalEngine:
    """Does tasks in threads; parsing and packing run without the interpreter's lock.

    Args:
        threads: How many; None: one per CPU.
    """

    name = "local"
    in_process = True

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or os.cpu_count() or 1

    def run(self, work: Callable[[_Task], _Result], tasks: Sequence[_Task]) -> Iterator[_Result]:
        """The results as they are done; what a task raises ends it, and the others are given up."""
        if self._threads == 1:
            yield from map(work, tasks)
            return
        with ThreadPoolExecutor(self._threads, thread_name_prefix="builds") as pool:
            waiting = deque(tasks)
            running: set[Future[_Result]] = set()
            try:
                while waiting or running:
                    while waiting and len(running) < self._threads:
                        running.add(pool.submit(work, waiting.popleft()))
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            finally:
                for future in running:
                    future.cancel()

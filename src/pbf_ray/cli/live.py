"""How a running job is getting on: a live line on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TextIO

from pbf_ray.cli.render.progress import Part, progress_line
from pbf_ray.cli.render.text import console_for, duration

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["LiveProgress"]

_FIRST_S: Final = 1.0
"""What is done sooner needs no progress."""


class LiveProgress:
    """Shows the progress of one job, on stderr as a rule.

    Args:
        stream: Where to write.
        line: Makes the line from what ``update`` is given, the seconds since the beginning, and
            the width (None where there is no terminal).
        every_s: How often to write a line where there is no terminal.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        line: Callable[[Mapping[str, Any], float, int | None], list[Part]] = progress_line,
        every_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._line = line
        self._every_s = every_s
        self._clock = clock
        self._began_s = clock()
        self._next_s = self._began_s + min(every_s, _FIRST_S)
        self._live: Any = None
        self._progress: Mapping[str, Any] | None = None

    def __enter__(self) -> Self:
        if self._stream.isatty():
            from rich.live import Live
            from rich.spinner import Spinner

            spinner = Spinner("dots")

            def render() -> Spinner:
                spinner.update(text=self._text())
                return spinner

            # Log lines go to stderr as well: rich then writes them above the live line.
            self._live = Live(
                get_renderable=render,
                console=console_for(self._stream),
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def update(self, progress: Mapping[str, Any]) -> None:
        """Show where the job is now.

        Args:
            progress: The fields of ``Progress`` as plain values.
        """
        self._progress = progress
        now_s = self._clock()
        if self._live is None and now_s >= self._next_s:
            self._next_s = now_s + self._every_s
            line = self._line(progress, now_s - self._began_s, None)
            self._write("".join(part for part, _ in line))

    def note(self, text: str) -> None:
        """Write a line of its own, above the live one."""
        if self._live is None:
            self._write(text)
        else:
            self._live.console.print(text, highlight=False, markup=False)

    def _text(self) -> Text:
        from rich.text import Text

        elapsed_s = self._clock() - self._began_s
        if self._progress is None:
            return Text(f"{duration(elapsed_s)}  starting")
        width = self._live.console.width - 2  # the spinner takes two
        return Text.assemble(*self._line(self._progress, elapsed_s, width))

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()

"""Structured logs: one line an event, the job, epoch, topic and partition bound to it.

Importing this configures nothing. Programs (the command line, Ray actors) call
:func:`configure_logs` once per process; a library user who does not keeps his own logging, for
our loggers are ordinary ones of the standard library under ``pbf_ray``.

``structlog`` is imported on first use: settings need :func:`looks_secret`, and the command line
has to start in a blink.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

__all__ = [
    "adopt_library_loggers",
    "bind_log_context",
    "configure_logs",
    "get_logger",
    "log_context",
    "looks_secret",
    "mask_text",
    "unbind_log_context",
]

_MASK: Final = "********"
_SECRET_NAME: Final = re.compile(
    r"passw(or)?d|passphrase|secret|credential|token$|jaas|oauthbearer\.config|private"
    r"|(access|api|ssl)[._-]?key(?!\.location)|connection_string|\.pem$|basic\.auth\.user\.info",
    re.IGNORECASE,
)
_NOT_SECRET: Final = re.compile(r"(path|location|mechanism|url|file)s?$", re.IGNORECASE)
_IN_URL: Final = re.compile(r"(\w+://[^\s:/@]*:)[^\s@/]+(?=@)")
_ASSIGNED: Final = re.compile(
    r"""((?:[\w.-]*(?:password|passphrase|secret|token|access_key)[\w.-]*)['"]?\s*[=:]\s*)"""
    r"""("[^"]*"|'[^']*'|[^\s,;)}\]]+)""",
    re.IGNORECASE,
)
_LIBRARIES: Final = ("ray", "ray.data", "ray.serve", "deltalake")
"""Libraries that give their loggers handlers of their own."""

_CONTEXT: Final = "pbf_context"
_process_context: dict[str, Any] = {}
_handler: logging.Handler | None = None


def looks_secret(name: str) -> bool:
    """Whether a setting or field of this name holds a secret.

    Args:
        name: For example ``"sasl.password"`` (a secret) or ``"ssl.key.location"`` (a path).
    """
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET.search(name)


def mask_text(text: str) -> str:
    """The text with passwords in URLs, and values given to secret names, masked."""
    return _ASSIGNED.sub(rf"\1{_MASK}", _IN_URL.sub(rf"\1{_MASK}", text))


def get_logger(name: str) -> BoundLogger:
    """A logger whose calls take an event and its facts: ``log.info("epoch committed", rows=7)``.

    It writes through ``logging.getLogger(name)``; the facts are in the record's ``pbf_context``.
    """
    import structlog

    logger: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _to_standard_logging,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return logger


def bind_log_context(**values: Any) -> None:
    """Put values (job, epoch, topic, partition) on every later line of this thread or task."""
    import structlog

    structlog.contextvars.bind_contextvars(**values)


def unbind_log_context(*names: str) -> None:
    """Take values off the lines of this thread or task."""
    import structlog

    structlog.contextvars.unbind_contextvars(*names)


@contextmanager
def log_context(**values: Any) -> Iterator[None]:
    """Put values on the lines within a ``with`` block."""
    import structlog

    with structlog.contextvars.bound_contextvars(**values):
        yield


def configure_logs(
    json: bool = False,
    level: int | str = "INFO",
    *,
    stream: TextIO | None = None,
    **context: Any,
) -> None:
    """Send all logs of this process to stderr, one line an event.

    May be called again; the last call counts. Warnings of ``warnings`` are routed as well.

    Args:
        json: JSON lines for programs, instead of text for people.
        level: Lowest level of our own events; libraries are heard from WARNING on, or from
            ``level`` where that is higher or DEBUG.
        stream: Where to write, instead of stderr.
        context: Values on every line of this process, for example ``job="pbf-stream"``.
    """
    global _handler  # noqa: PLW0603 - logging itself is process-wide
    import structlog

    lowest = logging.getLevelNamesMapping()[level.upper()] if isinstance(level, str) else level
    _process_context.clear()
    _process_context.update(context)

    renderers: list[Any]
    if json:
        renderers = [
            structlog.processors.format_exc_info,
            _mask_event,
            structlog.processors.JSONRenderer(),
        ]
    else:
        target = stream or sys.stderr
        renderers = [
            _mask_event,
            structlog.dev.ConsoleRenderer(
                colors=target.isatty(), pad_event_to=0, exception_formatter=_plain_traceback
            ),
        ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[],
        processors=[
            _from_standard_logging,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *renderers,
        ],
    )
    handler: logging.Handler = logging.StreamHandler(stream) if stream else _StderrHandler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    if _handler is not None:
        root.removeHandler(_handler)
    root.addHandler(handler)
    _handler = handler
    root.setLevel(lowest if lowest <= logging.DEBUG else max(lowest, logging.WARNING))
    logging.getLogger("pbf_ray").setLevel(lowest)
    logging.captureWarnings(True)
    adopt_library_loggers()


def adopt_library_loggers() -> None:
    """Make libraries that bring handlers of their own (Ray does, when imported) log our way.

    Called by :func:`configure_logs`; call it again after the import of Ray. Does nothing in a
    process whose logs nobody configured.
    """
    if _handler is None:
        return
    for name in _LIBRARIES:
        logger = logging.getLogger(name)
        # Files that a library keeps for itself (Ray's session folder) stay.
        for handler in list(logger.handlers):
            if not isinstance(handler, logging.FileHandler):
                logger.removeHandler(handler)
        logger.propagate = True


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is at that moment: Ray and test tools exchange it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def _to_standard_logging(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    values = dict(event)
    message = values.pop("event", "")
    passed: dict[str, Any] = {
        name: values.pop(name)
        for name in ("exc_info", "stack_info", "stacklevel")
        if name in values
    }
    # A literal percent sign would be taken for a format if there were arguments; there are none.
    return (message,), {**passed, "extra": {_CONTEXT: values}}


def _from_standard_logging(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    record: logging.LogRecord = event["_record"]
    event = {
        **event,
        **_process_context,
        **getattr(record, _CONTEXT, {}),
        "logger": record.name,
    }
    if record.name == "py.warnings":
        event["event"] = str(event["event"]).partition("\n")[0]  # the rest is the source line
    if record.exc_info:
        event["exc_info"] = record.exc_info
    return event


def _mask_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {
        name: value if name.startswith("_") or name == "exc_info" else _masked(name, value)
        for name, value in event.items()
    }


def _masked(name: str, value: Any) -> Any:
    if value is not None and looks_secret(name):
        return _MASK
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {inner: _masked(str(inner), held) for inner, held in value.items()}
    if isinstance(value, tuple | list):
        return [_masked("", held) for held in value]
    return value


def _plain_traceback(stream: TextIO, exc_info: Any) -> None:
    import traceback

    stream.write("\n" + mask_text("".join(traceback.format_exception(*exc_info))).rstrip())

"""What came of a task, as bytes: engines bring back results, and our errors as they were."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import Any

from pbf_ray.errors import PbfRayError

__all__ = ["attempt", "result_of"]


def attempt(work: Callable[[Any], Any], task: bytes) -> bytes:
    """Do a pickled task, in a worker; what it raises is part of what comes back.

    Engines would bring an exception back as the text of a traceback, each in its own way.

    Args:
        work: What to do.
        task: The pickled task.
    """
    try:
        outcome = ("result", work(pickle.loads(task)))  # noqa: S301 - made by the driver
    except PbfRayError as error:
        outcome = ("error", error)
    except Exception as error:  # noqa: BLE001 - it is raised again, where it can be seen
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        outcome = (
            "error",
            PbfRayError(
                f"a task failed: {line}",
                advice="unexpected: please report it",
                traceback=traceback.format_exc(),
            ),
        )
    return pickle.dumps(outcome)


def result_of(outcome: bytes) -> Any:
    """The result in what ``attempt`` gave.

    Raises:
        PbfRayError: What the task raised.
    """
    kind, value = pickle.loads(outcome)  # noqa: S301 - made by our own workers
    if kind == "error":
        raise value
    return value

"""What ``doctor`` says of one thing, and its look at what the settings point to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pbf_ray.errors import PbfRayError

if TYPE_CHECKING:
    from pbf_ray.config import LoadedSettings, Settings

__all__ = ["Check", "Status", "settings_checks"]

_BROKER_S: Final = 3.0

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        status: ``ok``; ``warn``: something will not work, or may not; ``fail``: nothing will.
        found: What is there.
        advice: What to do; empty if nothing.
    """

    name: str
    status: Status
    found: str
    advice: str = ""

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)


def settings_checks(loaded: LoadedSettings) -> Iterator[Check]:
    """Look at what the settings point to: the rules, the broker, the topics, the stores.

    Args:
        loaded: The settings, and where they came from.
    """
    settings = loaded.settings
    yield from _attempt(lambda: _rules(settings), "rules", on_error="fail")
    # The default address only says where a broker would be looked for.
    chosen = loaded.sources["kafka.bootstrap_servers"] != "default"
    yield from _attempt(
        lambda: _broker(settings),
        "broker",
        on_error="fail" if chosen else "warn",
        more="" if chosen else "pbf-ray demo needs none",
    )
    yield from _attempt(lambda: _stores(settings), "stores", on_error="fail")


def _attempt(
    look: Callable[[], Iterator[Check]], name: str, *, on_error: Status, more: str = ""
) -> Iterator[Check]:
    try:
        yield from look()
    except PbfRayError as error:
        yield Check(name, on_error, error.what, "; ".join(filter(None, [error.advice, more])))
    except Exception as error:  # noqa: BLE001 - one broken part must not hide the other checks
        yield Check(name, "fail", f"{type(error).__name__}: {error}", "reinstall pbf_ray")


def _rules(settings: Settings) -> Iterator[Check]:
    from pbf_ray.jobs.stream import load_profile

    profile = load_profile(settings.rules.profile)
    yield Check("rules", "ok", f"profile {profile.name}, {len(profile.rules)} rules")


def _broker(settings: Settings) -> Iterator[Check]:
    from pbf_ray.kafka.client import client_config, wait_for_broker
    from pbf_ray.kafka.topics import list_topics

    kafka = settings.kafka
    config = client_config(kafka.bootstrap_servers, kafka.client_config())
    brokers = wait_for_broker(config, _BROKER_S)
    there = set(list_topics(config))
    yield Check("broker", "ok", f"{brokers} at {kafka.bootstrap_servers}")
    missing = [name for name in kafka.topics if name not in there]
    if missing:
        create = f"pbf-ray topics create {' '.join(missing)}"
        yield Check("topics", "warn", f"missing: {', '.join(missing)}", create)
    else:
        yield Check("topics", "ok", ", ".join(kafka.topics))
    yield _copies(settings, there)


def _copies(settings: Settings, there: set[str]) -> Check:
    from pbf_ray.jobs.stream import copy_topics

    copies = copy_topics(settings)
    if not copies.topics:
        return Check("copies", "ok", "none: kafka.copies is off")
    missing = [name for name in copies.topics.values() if name not in there]
    if missing:
        return Check(
            "copies",
            "fail" if copies.required else "warn",
            f"of dead letters and late records; missing: {', '.join(missing)}",
            f"pbf-ray topics create {' '.join(missing)}, or kafka.copies = off",
        )
    return Check("copies", "ok", ", ".join(copies.topics.values()))


def _stores(settings: Settings) -> Iterator[Check]:
    from pbf_ray.jobs.results import Results

    root, job = settings.stores_root, settings.job.name
    if root.exists():
        layers = Results(settings).count("layer_quality")
        yield Check("stores", "ok", f"{root}, {layers:,} layers of job {job}")
    else:
        yield Check("stores", "ok", f"{root} (will be made by the first run)")

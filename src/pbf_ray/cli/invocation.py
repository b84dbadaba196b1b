"""What one call of ``pbf-ray`` was told: the global options, and the settings that follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from pbf_ray.config import LoadedSettings, Settings

__all__ = ["LOG_LEVELS", "Invocation"]

LOG_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass
class Invocation:
    """One call of the command line.

    Attributes:
        config_file: What ``--config`` named.
        debug: Whether errors show their traceback.
        log_json: Whether logs are JSON lines.
        log_level: Lowest level of logs, None for the default.
        json: Whether the command writes its result as JSON.
        overrides: Settings given on the command line, by dotted key.
        sources: Which option gave them.
    """

    config_file: Path | None = None
    debug: bool = False
    log_json: bool = False
    log_level: str | None = None
    json: bool = False
    overrides: dict[str, object] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def override(self, key: str, value: object, option: str) -> None:
        """Take a setting from an option."""
        self.overrides[key] = value
        self.sources[key] = f"command line {option}"

    def assign(self, assignment: str) -> None:
        """Take a setting from ``--set key=value``.

        Raises:
            click.UsageError: There is no ``=`` in it.
        """
        key, divided, value = assignment.partition("=")
        if not divided or not key.strip():
            raise click.UsageError(f"--set {assignment!r}: write --set key=value")
        self.override(key.strip(), value, "--set")

    def load(self) -> LoadedSettings:
        """The settings with their sources; options given to the command win over ``--set``.

        Raises:
            SettingError: A setting is unknown or does not fit.
            InputFileError: The file of settings cannot be read.
        """
        from pbf_ray.config import load_settings

        return load_settings(
            self.config_file, overrides=self.overrides, override_sources=self.sources
        )

    def settings(self) -> Settings:
        """The settings alone."""
        return self.load().settings

    def start_logs(self, **context: Any) -> None:
        """Send logs to stderr as the global options say.

        Args:
            context: Values on every line, for example ``job``.
        """
        from pbf_ray.logs import configure_logs

        configure_logs(self.log_json, self.level, **context)

    @property
    def level(self) -> str:
        """Lowest level of logs, as the global options say."""
        usual = "debug" if self.debug else "info" if self.log_json else "warning"
        return (self.log_level or usual).upper()

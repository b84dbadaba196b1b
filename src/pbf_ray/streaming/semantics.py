"""What decides results: the part of the settings that a planned epoch carries with it.

An uncommitted planned epoch finishes under the semantics stored in its plan; changed settings
apply from the next epoch. Nothing else of the settings may influence a result.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from pbf_ray.monitoring.rules import DEFAULT_PROFILE, RuleProfile

__all__ = ["StreamSemantics"]


@dataclass(frozen=True)
class StreamSemantics:
    """Settings that decide results.

    Attributes:
        mode: ``"watermark"`` releases rows as the watermark passes them; ``"strict"`` holds a
            layer until it closes and then computes it whole.
        bounded: The input ends at offsets known at the start. Bounded strict input has no
            watermark: it equals the batch exactly.
        allowed_lateness_s: How far behind the newest row of its build a row may be.
        layer_gap_s: Event time without rows after which a layer closes.
        idle_timeout_s: Confirmed silence after which a partition holds no watermark back.
        build_retire_after_s: Confirmed silence after which a build's state is dropped.
        max_future_s: How far beyond the plan's clock an event time may lie.
        malformed: ``"dead_letter"``, ``"drop"`` or ``"fail"`` for records void as a whole.
        dedup_key: Field whose repeats within the lateness are dropped, or None.
        quality_metrics: Whether a quality row per record is written.
        profile_toml: The rule profile, as text.
    """

    mode: Literal["watermark", "strict"] = "watermark"
    bounded: bool = False
    allowed_lateness_s: float = 5.0
    layer_gap_s: float = 60.0
    idle_timeout_s: float = 30.0
    build_retire_after_s: float = 604_800.0
    max_future_s: float = 3_600.0
    malformed: Literal["dead_letter", "drop", "fail"] = "dead_letter"
    dedup_key: str | None = None
    quality_metrics: bool = True
    profile_toml: str = ""

    @property
    def whole_input(self) -> bool:
        """Bounded strict input: no watermark, rows without a finite event time are kept."""
        return self.bounded and self.mode == "strict"

    @cached_property
    def profile(self) -> RuleProfile:
        """The rule profile that ``profile_toml`` describes."""
        if not self.profile_toml:
            return DEFAULT_PROFILE
        return RuleProfile.from_toml(self.profile_toml, source="the plan")

    def to_plain(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> StreamSemantics:
        """Inverse of ``to_plain``."""
        return cls(**plain)

    @property
    def fingerprint(self) -> str:
        """Hash of everything above."""
        text = json.dumps(self.to_plain(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

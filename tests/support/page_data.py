"""Canned answers of the API for tests of the page: machines that never were, always the same."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["CannedApi", "vectors_answer"]

CHANNELS = {
    "temperature": ("degC", 1600.0, 25.0),
    "pressure": ("bar absolute", 0.96, 0.01),
    "laser_power": ("W", 200.0, 12.0),
    "scan_speed": ("m/s", 1.2, 0.03),
}
RULES = [
    ("temperature", ">", 1700.0, "degC", "high_temperature", "critical"),
    ("temperature", "<", 1500.0, "degC", "low_temperature", "warning"),
    ("pressure", ">", 1.0, "bar absolute", "high_pressure", "critical"),
    ("pressure", "<", 0.9, "bar absolute", "low_pressure", "warning"),
    ("laser_power", ">", 250.0, "W", "high_laser_power", "info"),
    ("laser_power", "<", 150.0, "W", "low_laser_power", "info"),
]
KINDS = ["hatch", "contour", "points", "jump"]
LAYER_S = 12.0


def _layer_severity(layer: int) -> str:
    if layer % 97 == 41:
        return "critical"
    if layer % 23 == 11:
        return "warning"
    return "info" if layer % 9 == 4 else "none"


@dataclass
class CannedApi:
    """State behind the canned answers.

    Args:
        now_s: Event time of the newest record.
        layers: How many layers the first build has.
        vectors: How many hatch vectors each layer has.
    """

    now_s: float
    layers: int = 40
    vectors: int = 4000
    machines: tuple[str, ...] = ("M01", "M02", "M03")
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    epoch: int = 41

    def builds(self) -> list[str]:
        """Ids, newest first; the last one has ended."""
        return [*[f"{machine}-B002" for machine in self.machines], "M01-B001"]

    def layer_count(self, build: str) -> int:
        """How many layers a build has now."""
        return self.layers if build in {"M01-B002", "M01-B001"} else max(1, self.layers // 3)

    def about(self) -> dict[str, Any]:
        """GET /about."""
        names = [(name, unit) for name, (unit, _, _) in CHANNELS.items()]
        return {
            "version": "0.1.0",
            "job_id": "demo",
            "fields": [{"name": name, "unit": unit} for name, unit in names]
            + [{"name": "quality_score", "unit": "1"}],
            "profile": {
                "name": "default",
                "rules": [
                    dict(
                        zip(
                            ("channel", "op", "threshold", "unit", "anomaly_type", "severity"),
                            rule,
                            strict=True,
                        )
                    )
                    for rule in RULES
                ],
            },
            "build_files": True,
            "caller": {"name": "local", "scopes": ["read", "decide", "admin"], "token": False},
            "limits": {"max_points": 5000},
        }

    def machine_list(self) -> dict[str, Any]:
        """GET /machines."""
        rows = []
        for index, machine in enumerate(self.machines):
            build = f"{machine}-B002"
            count = self.layer_count(build)
            rows.append(
                {
                    "machine_id": machine,
                    "sensors": [f"{machine}-S1", f"{machine}-S2"],
                    "build_id": build,
                    "phase": ("active", "silent", "quiet")[index % 3],
                    "layer": count - 1,
                    "planned_layers": max(60, self.layers) if index < 2 else None,
                    "layers_closed": count - 1,
                    "last_timestamp": self.now_s - 95.0 * index,
                    "quality_score": 0.981 - 0.02 * index,
                    "severity": ("warning", "none", "none")[index % 3],
                    "anomalies": 31,
                    "open_alerts": self._open(build),
                }
            )
        return {"machines": rows}

    def build(self, build: str) -> dict[str, Any]:
        """GET /builds/{id}."""
        count = self.layer_count(build)
        ended = build.endswith("B001")
        last = self._start(build) + count * LAYER_S
        decided = [
            one for one in self.decisions if one["build_id"] == build and one["part"] is None
        ]
        return {
            "build_id": build,
            "machine_ids": [build[:3]],
            "sensors": [f"{build[:3]}-S1"],
            "first_layer": 0,
            "last_layer": count - 1,
            "layers_closed": count if ended else count - 1,
            "layers_open": 0 if ended else 1,
            "planned_layers": max(60, self.layers),
            "records": count * 600,
            "first_timestamp": self._start(build),
            "last_timestamp": last,
            "quality_score_mean": 0.971,
            "quality_score_min": 0.842,
            "anomalies": 31,
            "anomalies_by_severity": {"critical": 4, "warning": 9, "info": 18},
            "phase": None if ended else "active",
            "build_file": not build.startswith("M03"),
            "open_alerts": self._open(build),
            "disposition": decided[-1] if decided else None,
        }

    def _start(self, build: str) -> float:
        ended = 86_400.0 if build.endswith("B001") else 0.0
        return self.now_s - ended - self.layer_count(build) * LAYER_S

    def layer_rows(self, build: str, first: int, last: int) -> dict[str, Any]:
        """GET /builds/{id}/layers."""
        count = self.layer_count(build)
        numbers = list(range(max(0, first), min(last, count - 1) + 1))
        start = self._start(build)
        columns: dict[str, list[Any]] = {
            "layer": numbers,
            "state": ["open" if n == count - 1 and "B002" in build else "closed" for n in numbers],
            "revision": [0 for _ in numbers],
            "n": [600 for _ in numbers],
            "first_timestamp": [start + n * LAYER_S for n in numbers],
            "last_timestamp": [start + (n + 1) * LAYER_S for n in numbers],
            "quality_score": [
                round(0.985 - 0.1 * (_found(n) > 4) - n % 7 * 0.004, 4) for n in numbers
            ],
            "anomalies": [_found(n) for n in numbers],
            "severity": [_layer_severity(n) for n in numbers],
        }
        for severity in ("critical", "warning", "info"):
            columns[severity] = [_found(n) * (_layer_severity(n) == severity) for n in numbers]
        for name, (_, mean, spread) in CHANNELS.items():
            middle = [mean + spread * math.sin(n / 9 + len(name)) for n in numbers]
            reach = [4 if _layer_severity(n) == "critical" else 2.5 for n in numbers]
            columns[f"{name}_n"] = [600 for _ in numbers]
            columns[f"{name}_avg"] = middle
            columns[f"{name}_std"] = [spread / 2 for _ in numbers]
            columns[f"{name}_min"] = [
                value - spread * far for value, far in zip(middle, reach, strict=True)
            ]
            columns[f"{name}_max"] = [
                value + spread * far for value, far in zip(middle, reach, strict=True)
            ]
        return {"build_id": build, "rows": len(numbers), "columns": columns}

    def layer(self, build: str, layer: int) -> dict[str, Any]:
        """GET /builds/{id}/layers/{layer}."""
        answer = self.layer_rows(build, layer, layer)
        row = {name: values[0] for name, values in answer["columns"].items()}
        alerts = [one for one in self.alerts() if (one["build_id"], one["layer"]) == (build, layer)]
        findings = [{**one, "channel": "temperature"} for one in alerts]
        plan = {
            "z_mm": round((layer + 1) * 0.04, 4),
            "layer_thickness_um": 40.0,
            "layer_time_s": 11.8,
            "scan_time_s": 8.3,
            "hatch_vectors": self.vectors,
            "hatched_length_mm": 6410.4,
            "contour_length_mm": 380.1,
            "hatched_area_mm2": 641.0,
            "hatch_distance_mm": 0.1,
            "scan_axis_deg": 67.0 * layer % 180,
            "volumetric_energy_j_mm3": 62.5,
        }
        return {
            "build_id": build,
            **row,
            "anomalies_by_type": {one["anomaly_type"]: one["count"] for one in alerts},
            "findings": findings,
            "plan": plan if self.build(build)["build_file"] else None,
        }

    def series(self, fields: list[str], build: str, first: int, last: int, points: int) -> Any:
        """GET /series."""
        last = min(last, self.layer_count(build) - 1)
        rows = max(0, last - first + 1) * 600
        shown = min(points, rows)
        start = self._start(build) + first * LAYER_S
        step = (last - first + 1) * LAYER_S / max(1, shown)
        at = [start + index * step for index in range(shown)]
        rng = np.random.default_rng(first + len(build))
        answer = []
        for name in fields:
            unit, mean, spread = CHANNELS[name]
            values = mean + spread * (
                0.6 * rng.standard_normal(shown) + np.sin(np.arange(shown) / 40)
            )
            for anomaly in self._anomalies_of(build, first, last):
                if name == "temperature" and shown:
                    index = int((anomaly["timestamp"] - start) / step)
                    values[min(shown - 1, max(0, index))] = anomaly["temperature"]
            answer.append(
                {
                    "field": name,
                    "unit": unit,
                    "rows": rows,
                    "downsampled": shown < rows,
                    "timestamp": at,
                    "value": [round(float(value), 4) for value in values],
                    "layer": [first + int((t - start) / LAYER_S + 1e-9) for t in at],
                    "limits": [
                        {"op": op, "threshold": limit, "anomaly_type": kind, "severity": severity}
                        for channel, op, limit, _, kind, severity in RULES
                        if channel == name
                    ],
                }
            )
        return {"rows": rows, "series": answer}

    def anomalies(self, build: str | None, first: int, last: int) -> list[dict[str, Any]]:
        """All that fit, newest first."""
        rows = []
        for one in self.builds():
            if build in (None, one):
                rows += self._anomalies_of(one, first, min(last, self.layer_count(one) - 1))
        return sorted(rows, key=lambda row: -row["timestamp"])

    def _anomalies_of(self, build: str, first: int, last: int) -> list[dict[str, Any]]:
        start = self._start(build)
        rows = []
        for layer in range(first, last + 1):
            severity = _layer_severity(layer)
            high = severity == "critical"
            rows += [
                {
                    "record_key": f"{build}-{layer}-{index}",
                    "build_id": build,
                    "layer": layer,
                    "sensor_id": f"{build[:3]}-S1",
                    "machine_id": build[:3],
                    "timestamp": start + layer * LAYER_S + 1.3 + index * 0.9,
                    "temperature": (1712.4 if high else 1488.0) + index,
                    "pressure": 0.961,
                    "laser_power": 201.3,
                    "scan_speed": 1.204,
                    "anomaly_type": "high_temperature" if high else "low_temperature",
                    "severity": severity,
                    "late": index == 2,
                    "processing_timestamp": "2026-11-25T20:31:34.123456Z",
                    "epoch": 12,
                    "topic": "ispm-monitoring",
                    "partition": layer % 12,
                    "offset": 1000 + index,
                }
                for index in range(_found(layer))
            ]
        return rows

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts, worst and newest first."""
        found = []
        for build in self.builds()[:-1]:
            for layer in range(self.layer_count(build)):
                rows = self._anomalies_of(build, layer, layer)
                if not rows:
                    continue
                alert_id = f"{build}-{layer}"
                above = rows[0]["severity"] == "critical"
                found.append(
                    {
                        "alert_id": alert_id,
                        "build_id": build,
                        "layer": layer,
                        "anomaly_type": rows[0]["anomaly_type"],
                        "severity": rows[0]["severity"],
                        "count": len(rows),
                        "first_timestamp": rows[0]["timestamp"],
                        "last_timestamp": rows[-1]["timestamp"],
                        "sensors": [rows[0]["sensor_id"]],
                        "machine_ids": [build[:3]],
                        "text": f"temperature {'above 1700' if above else 'below 1500'} degC"
                        f" in {len(rows)} records",
                        "acknowledged": self.acknowledged.get(alert_id),
                    }
                )
        rank = {"critical": 0, "warning": 1, "info": 2}
        return sorted(found, key=lambda one: (rank[one["severity"]], -one["last_timestamp"]))

    def _open(self, build: str) -> dict[str, int]:
        counts = {"critical": 0, "warning": 0, "info": 0}
        for layer in range(self.layer_count(build)):
            severity = _layer_severity(layer)
            if severity != "none" and f"{build}-{layer}" not in self.acknowledged:
                counts[severity] += 1
        return counts if build.endswith("B002") else dict.fromkeys(counts, 0)

    def open_alerts(self) -> dict[str, int]:
        """Open alerts of all builds."""
        each = [self._open(build) for build in self.builds()]
        return {name: sum(one[name] for one in each) for name in ("critical", "warning", "info")}

    def pipeline(self) -> dict[str, Any]:
        """GET /pipeline."""
        return {
            "job_id": "demo",
            "verdict": "running",
            "healthy": True,
            "explanation": "epochs are stored, and the lag is small",
            "heartbeat_at": "2026-11-25T20:31:34.123456Z",
            "state": "running",
            "run": 2,
            "epoch": self.epoch,
            "lag": 212,
            "records_per_s": 8123.4,
            "books": {
                "consumed": 72_000, "accepted": 71_950, "duplicates": 12, "late": 2,
                "dead_letters": 36, "dropped": 0, "pending": 400, "anomalies": 412, "layers": 118,
            },
            "restarts": 0,
            "state_bytes": 18_432_100,
            "watermark_delay_s": 2.4,
            "partitions": [
                {"topic": "ispm-monitoring", "partition": n, "position": 6000 + n,
                 "end": 6000 + n * 5, "lag": n * 4}
                for n in range(12)
            ],
            "builds": [
                {"build_id": build, "watermark": self.now_s - 2.4, "delay_s": 2.4,
                 "phase": "active"}
                for build in self.builds()[:-1]
            ],
            "stages": {
                name: {"total_s": 40.2, "recent_s": 0.4} for name in ("read", "window", "store")
            },
            "waits": {"brokers": {"count": 1, "total_s": 2.0}},
            "error": None,
            "sources": [
                {"sensor_id": f"{machine}-S{n}", "machine_id": machine,
                 "build_id": f"{machine}-B002", "last_timestamp": self.now_s - 40.0 * n}
                for machine in self.machines
                for n in (1, 2)
            ],
        }  # fmt: skip


def _found(layer: int) -> int:
    return {"critical": 7, "warning": 5, "info": 2, "none": 0}[_layer_severity(layer)]


def vectors_answer(build: str, layer: int, hatches: int) -> bytes:
    """The compact binary form of a layer: round parts with hatch at 67 degrees a layer.

    Args:
        build: Build id.
        layer: Layer number.
        hatches: How many hatch vectors, roughly.
    """
    parts = [(25.0, 25.0, 18.0), (75.0, 30.0, 20.0), (50.0, 75.0, 22.0)]
    angle = math.radians(67.0 * layer % 180)
    along = np.array([math.cos(angle), math.sin(angle)])
    across = np.array([-along[1], along[0]])
    xs: list[np.ndarray] = []
    kinds: list[int] = []
    counts: list[int] = []
    power: list[float] = []
    each = max(1, hatches // len(parts) // 8)
    for cx, cy, radius in parts:
        turn = np.linspace(0, 2 * math.pi, 181)
        for shrink in (0.0, 0.4):
            ring = np.c_[
                cx + (radius - shrink) * np.cos(turn), cy + (radius - shrink) * np.sin(turn)
            ]
            xs.append(ring)
            kinds.append(1)
            counts.append(len(ring))
            power.append(150.0)
        for stripe in range(8):
            low = -radius + stripe * radius / 4
            offsets = low + (np.arange(each) + 0.5) / each * radius / 4
            half = np.sqrt(np.maximum(0.0, (radius - 0.8) ** 2 - offsets**2))
            middle = np.array([cx, cy]) + offsets[:, None] * across
            pairs = np.stack(
                [middle - half[:, None] * along, middle + half[:, None] * along], axis=1
            )
            pairs[1::2] = pairs[1::2, ::-1]
            xs.append(pairs.reshape(-1, 2))
            kinds.append(0)
            counts.append(2 * each)
            power.append(180.0 + 5.0 * stripe)
        xs.append(np.array([[cx, cy], [cx + 30.0, cy + 10.0]]))
        kinds.append(3)
        counts.append(2)
        power.append(math.nan)
    xy = np.concatenate(xs)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    columns = {
        "x_mm": xy[:, 0].astype("<f4"),
        "y_mm": xy[:, 1].astype("<f4"),
        "kind": np.array(kinds, "i1"),
        "closed": np.array([kind == 1 for kind in kinds], "i1"),
        "first": first.astype("<u4"),
        "count": np.array(counts, "<u4"),
        "model_id": np.ones(len(kinds), "<i4"),
        "build_style_id": np.array([kind + 1 for kind in kinds], "<i4"),
        "laser_id": np.array([index % 2 + 1 for index in range(len(kinds))], "<i4"),
        "laser_power_w": np.array(power, "<f4"),
        "speed_mm_s": np.full(len(kinds), 1200.0, "<f4"),
    }
    arrays, body = {}, b""
    for name, values in columns.items():
        kind = {"f": "float", "i": "int", "u": "uint"}[values.dtype.kind]
        arrays[name] = {
            "type": f"{kind}{values.dtype.itemsize * 8}",
            "offset": len(body),
            "length": len(values),
        }
        body += values.tobytes()
        body += b"\0" * (-len(body) % 8)
    low, high = xy.min(axis=0), xy.max(axis=0)
    header = {
        "build_id": build,
        "layer": layer,
        "z_mm": (layer + 1) * 0.04,
        "bounds_mm": [*map(float, low), *map(float, high)],
        "kinds": KINDS,
        "geometries": len(kinds),
        "points": len(xy),
        "styles": [
            {"model_id": 1, "build_style_id": kind + 1, "laser_id": 1, "name": name,
             "laser_power_w": 200.0, "speed_mm_s": 1200.0}
            for kind, name in enumerate(KINDS)
        ],
        "arrays": arrays,
    }  # fmt: skip
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"PBFV" + len(text).to_bytes(4, "little") + text + body

"""A layer as a picture: millimetres, true to shape, colours that everybody can tell apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pbf_ray.contracts import GEOMETRY_KINDS
from pbf_ray.errors import PbfRayError
from pbf_ray.optional import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pbf_ray.formats import BuildBatch, BuildFile

__all__ = ["SUFFIXES", "draw_layer"]

SUFFIXES: Final = (".png", ".pdf", ".svg")

# Okabe and Ito (2008): eight colours that the colour-blind can tell apart.
_COLOURS: Final = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip
_KIND_COLOURS: Final = {
    "hatch": "#0072B2",
    "contour": "#D55E00",
    "points": "#009E73",
    "jump": "#999999",
}
_DRAWING_ORDER: Final = ("jump", "hatch", "contour", "points")
_UNKNOWN: Final = "#999999"
_SCALE: Final = "viridis"
_STEPS: Final = 64
"""Colours of a continuous scale; each is drawn as one path, which is what makes it fast."""
_FEW: Final = len(_COLOURS)
_STYLE_COLUMN: Final = {"power": "laser_power_w", "speed": "speed_mm_s"}
_LABEL: Final = {
    "power": "laser power, W",
    "speed": "scan speed, mm/s",
    "model": "model",
    "laser": "laser",
    "kind": "",
    "order": "order in the file",
}

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Chosen = npt.NDArray[np.bool_]


class _Strokes:
    """A layer as strokes: hatch vectors, pieces of polylines, and points; arrays, one row each.

    Args:
        batch: The layer.

    Attributes:
        geometry: The geometry that each belongs to.
        kind: Index into ``GEOMETRY_KINDS``.
    """

    def __init__(self, batch: BuildBatch) -> None:
        table = batch.geometries
        kinds = pc.index_in(table["kind"].cast(pa.string()), pa.array(GEOMETRY_KINDS)).to_numpy()
        count, offset = table["count"].to_numpy(), table["offset"].to_numpy()
        starts = np.cumsum(count) - count
        place = np.arange(count.sum()) - np.repeat(starts, count)  # of a point in its geometry
        last = place == np.repeat(count, count) - 1
        kind = np.repeat(kinds, count)
        single = kind == GEOMETRY_KINDS.index("points")
        hatch = kind == GEOMETRY_KINDS.index("hatch")
        begins = np.flatnonzero(single | (~last & (~hatch | (place % 2 == 0))))
        self.geometry = np.repeat(np.arange(len(count)), count)[begins]
        self.kind = kind[begins]
        row = np.repeat(offset - starts, count) + np.arange(count.sum())
        self._from = row[begins]
        self._to = row[np.minimum(begins + 1, len(row) - 1)] if len(row) else begins
        self._x_mm = batch.coordinates["x_mm"].to_numpy()
        self._y_mm = batch.coordinates["y_mm"].to_numpy()

    def __len__(self) -> int:
        return len(self.kind)

    def points(self, chosen: Chosen) -> tuple[Floats, Floats]:
        """Where the chosen strokes begin."""
        rows = self._from[chosen]
        return self._x_mm[rows].astype(np.float64), self._y_mm[rows].astype(np.float64)

    def path(self, chosen: Chosen) -> tuple[Floats, Floats]:
        """The chosen strokes as one path, with NaN where the pen is lifted."""
        x, y = np.full((2, 3 * int(chosen.sum())), np.nan)
        for values, source in ((x, self._x_mm), (y, self._y_mm)):
            values[0::3] = source[self._from[chosen]]
            values[1::3] = source[self._to[chosen]]
        return x, y


def draw_layer(build: BuildFile, layer: int, out: Path, *, by: str) -> dict[str, Any]:
    """Draw a layer into a file.

    Args:
        build: The build file.
        layer: Number of the layer, from 0.
        out: The picture; its suffix is one of ``SUFFIXES``.
        by: What the colours say: ``kind``, ``power``, ``speed``, ``model``, ``laser``, ``order``.

    Returns:
        What was drawn: geometries, strokes, z_mm, colours.

    Raises:
        MissingDependencyError: Matplotlib is not installed.
        BuildFileError: The layer is damaged.
        PbfRayError: The file does not say what the colours are to say, or the picture cannot be
            written.
    """
    require("matplotlib", extra="plot", purpose="drawing layers")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    batch = build.read_layer(layer)
    if batch.damage:
        first = batch.damage[0]
        raise PbfRayError(
            f"{build.file}, byte {first.byte_offset}: layer {layer} is damaged: {first.problem}",
            advice="name another layer",
        )
    strokes = _Strokes(batch)
    codes, names = _colouring(build, batch.geometries, strokes, by)
    figure = Figure(figsize=(9, 8), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = _draw(figure, axes, strokes, codes, names, by)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("x, mm")
    axes.set_ylabel("y, mm")
    z_mm = batch.layers["z_mm"][0].as_py()
    height = "" if z_mm is None else f", z = {z_mm:g} mm"
    axes.set_title(f"{Path(build.file).name}\nlayer {layer}{height}", fontsize=11)
    axes.grid(visible=True, color="#eeeeee", linewidth=0.6)
    axes.set_axisbelow(True)
    try:
        figure.savefig(out, metadata={"Software": None} if out.suffix.lower() == ".png" else None)
    except OSError as error:
        raise PbfRayError(
            f"{out} cannot be written: {error.strerror or error}",
            advice="choose another place with --out",
        ) from error
    return {
        "geometries": len(batch.geometries),
        "strokes": len(strokes),
        "z_mm": z_mm,
        "colours": colours,
    }


def _colouring(
    build: BuildFile, geometries: pa.Table, strokes: _Strokes, by: str
) -> tuple[Floats, dict[float, str]]:
    """A value per stroke (NaN: not known), and what the values are called, where they are few."""
    if by == "order":
        return np.arange(len(strokes), dtype=np.float64), {}
    if by == "kind":
        present = [
            k for k in _DRAWING_ORDER if GEOMETRY_KINDS.index(k) in set(strokes.kind.tolist())
        ]
        return strokes.kind.astype(np.float64), {GEOMETRY_KINDS.index(k): k for k in present}
    if by in _STYLE_COLUMN:
        values = _from_styles(build, geometries, _STYLE_COLUMN[by])
    else:
        values = geometries[f"{by}_id"].cast(pa.float64()).fill_null(np.nan).to_numpy()
    if len(values) and np.isnan(values).all():
        raise PbfRayError(
            f"{build.file} does not say the {_LABEL[by].partition(',')[0]} of this layer",
            advice="draw it --by kind, or --by order",
        )
    distinct = np.unique(values[~np.isnan(values)])
    few = len(distinct) <= _FEW
    return (
        values[strokes.geometry],
        {float(value): f"{value:g}" for value in distinct} if few else {},
    )


def _from_styles(build: BuildFile, geometries: pa.Table, column: str) -> Floats:
    styles: dict[tuple[int | None, int | None], float] = {}
    for style in build.build_styles.to_pylist():
        value = style[column]
        key = (style["model_id"], style["build_style_id"])
        styles.setdefault(key, np.nan if value is None else float(value))
    ids = zip(
        geometries["model_id"].to_pylist(), geometries["build_style_id"].to_pylist(), strict=True
    )
    # Where styles do not belong to models, they have no model.
    return np.array(
        [styles.get((model, style), styles.get((None, style), np.nan)) for model, style in ids]
    )


def _draw(
    figure: Figure, axes: Axes, strokes: _Strokes, values: Floats, names: dict[float, str], by: str
) -> int:
    unknown = np.isnan(values)
    if unknown.any():
        _lines(axes, strokes, unknown, _UNKNOWN, "not known")
    if not names:
        return _draw_scale(figure, axes, strokes, values, by)
    for place, (value, name) in enumerate(names.items()):
        colour = _KIND_COLOURS[name] if by == "kind" else _COLOURS[place]
        _lines(axes, strokes, values == value, colour, name)
    legend = axes.legend(
        title=_LABEL[by] or None, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False
    )
    for line in legend.get_lines():
        line.set_linewidth(1.5)  # what is drawn may be too thin to see alone
    return len(names)


def _draw_scale(figure: Figure, axes: Axes, strokes: _Strokes, values: Floats, by: str) -> int:
    import matplotlib as mpl
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    known = values[~np.isnan(values)]
    if not len(known):
        return 0
    low, high = float(known.min()), float(known.max())
    scale = Normalize(low, high if high > low else low + 1)
    colours = mpl.colormaps[_SCALE]
    steps = np.nan_to_num(np.asarray(scale(values)), nan=-1.0) * (_STEPS - 1)
    steps = np.floor(steps + 0.5)
    used = np.unique(steps[steps >= 0])
    for step in used:
        _lines(axes, strokes, steps == step, colours(step / (_STEPS - 1)), None)
    label = _LABEL[by] or None
    figure.colorbar(ScalarMappable(scale, colours), ax=axes, label=label, shrink=0.8)
    return len(used)


def _lines(axes: Axes, strokes: _Strokes, chosen: Chosen, colour: Any, label: str | None) -> None:
    """Draws strokes in one colour: jumps below hatches below contours below points."""
    for height, kind in enumerate(_DRAWING_ORDER, start=1):
        of_kind = chosen & (strokes.kind == GEOMETRY_KINDS.index(kind))
        if not of_kind.any():
            continue
        style: dict[str, Any] = {"solid_capstyle": "round"}
        if kind == "points":
            style = {"linestyle": "none", "marker": ".", "markersize": 2}
        elif kind == "jump":
            style = {"linestyle": (0, (2, 2)), "linewidth": 0.5}
        # Lines that touch say nothing: the more there are, the thinner they are.
        style.setdefault("linewidth", float(np.clip(2000 / len(strokes), 0.2, 1.0)))
        x, y = strokes.points(of_kind) if kind == "points" else strokes.path(of_kind)
        axes.plot(x, y, color=colour, label=label, zorder=height + 1, **style)
        label = None

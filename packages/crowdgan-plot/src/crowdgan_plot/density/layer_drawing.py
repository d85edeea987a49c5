"""Drawing of layers: the data that an estimator offers to explain a density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from crowdgan_core.density.layers import HeatmapLayer, Layer, LineLayer, PointLayer, PolygonLayer, layer_values
from crowdgan_plot.style import DENSITY_MAP, LINE_COLOURS, OTHER_MAP

MAX_BORDERED_CELLS = 4000
"""Cells up to which each has a border."""

FILL_ALPHA = 0.7

CUT_QUANTILE, CUT_SHARE = 0.97, 0.01
"""Quantile of a smooth map's values at which its colours end, among those above a share of the largest."""

OUTLINE_COLOURS = (LINE_COLOURS[1], LINE_COLOURS[3], LINE_COLOURS[5])
"""Of lines and outlines without values, which must be told from all colours of the maps."""


@dataclass(frozen=True, kw_only=True)
class ColourScale:
    """How the values of one unit become colours."""

    unit: str
    labels: tuple[str, ...]
    """Of the layers whose values it shows."""
    norm: Normalize
    colour_map: str
    is_cut: bool
    """Whether the largest values have the colour of lower ones."""

    @property
    def text(self) -> str:
        """For the colour bar."""
        return f"{', '.join(self.labels)} ({self.unit})"

    @property
    def look(self) -> dict[str, Any]:
        """Arguments of matplotlib's functions."""
        return {"norm": self.norm, "cmap": self.colour_map}


def colour_scales(layers: Sequence[Layer]) -> dict[str, ColourScale]:
    """Unit to how its values become colours; those of one unit are comparable wherever they are drawn."""
    units = dict.fromkeys(layer.unit for layer in layers if layer.unit and _largest(layer) is not None)
    found = {}
    for number, unit in enumerate(units):
        own = [layer for layer in layers if layer.unit == unit]
        values = np.concatenate([np.ravel(values) for layer in own if (values := layer_values(layer)) is not None])
        is_map = all(isinstance(layer, HeatmapLayer) and not layer.is_discrete for layer in own)
        low, high, is_cut = _range(values[np.isfinite(values)], is_map=is_map)
        found[str(unit)] = ColourScale(
            unit=str(unit),
            labels=tuple(dict.fromkeys(layer.label for layer in own)),
            norm=Normalize(low, high, clip=True),
            colour_map=DENSITY_MAP if number == 0 else OTHER_MAP,
            is_cut=is_cut,
        )
    return found


def draw_layers(axes: Axes, layers: Sequence[Layer], known: dict[str, ColourScale]) -> list[Any]:
    """Draws layers of one space into its axes, in their order; returns entries of a legend for those without values."""
    entries: list[Any] = []
    for layer in layers:
        scale = known.get(layer.unit or "")
        if isinstance(layer, HeatmapLayer) and scale is not None:
            _draw_map(axes, layer, scale)
        elif isinstance(layer, PolygonLayer):
            _draw_polygons(axes, layer, scale, entries)
        elif isinstance(layer, PointLayer):
            _draw_points(axes, layer, scale, entries)
        elif isinstance(layer, LineLayer):
            _draw_lines(axes, layer, entries)
    return entries


def _range(values: npt.NDArray[np.float64], *, is_map: bool) -> tuple[float, float, bool]:
    """Values of the lowest and the highest colour, and whether there are higher ones.

    A smooth map alone is cut at a quantile: a few peaks, people who touch, would leave the rest without colours. One
    value alone lies in the middle of the colours.
    """
    low, high = min(0.0, float(values.min())), float(values.max())
    if is_map and (positive := values[values > CUT_SHARE * high]).size > 2:
        cut = float(np.quantile(positive, CUT_QUANTILE))
        return low, cut, cut < high
    if values.min() == high:
        return low, 1.5 * high or 1.0, False
    return low, high, False


def _largest(layer: Layer) -> float | None:
    """Largest value of a layer; None without any."""
    values = layer_values(layer)
    finite = np.empty(0) if values is None else values[np.isfinite(values)]
    return float(finite.max()) if finite.size else None


def _draw_map(axes: Axes, layer: HeatmapLayer, scale: ColourScale) -> None:
    left, first, right, last = layer.extent
    rows, columns = layer.values.shape
    masked = np.ma.masked_invalid(layer.values)
    if layer.is_discrete and masked.count() <= MAX_BORDERED_CELLS:
        x, y = np.linspace(left, right, columns + 1), np.linspace(first, last, rows + 1)
        axes.pcolormesh(x, y, masked, alpha=FILL_ALPHA, edgecolors="white", linewidth=0.3, **scale.look)
        return
    alpha: Any = FILL_ALPHA
    if not layer.is_discrete:  # the image shows where there is little
        alpha = 0.85 * np.sqrt(np.ma.filled(scale.norm(masked), 0.0))
    look: dict[str, Any] = {"origin": "upper", "extent": (left, right, last, first), "alpha": alpha, "aspect": "equal"}
    axes.imshow(masked, interpolation="nearest" if layer.is_discrete else "bilinear", **look, **scale.look)


def _draw_polygons(axes: Axes, layer: PolygonLayer, scale: ColourScale | None, entries: list[Any]) -> None:
    if scale is not None and layer.values is not None:
        look = {"edgecolors": "white", "linewidths": 0.8, "alpha": FILL_ALPHA, **scale.look}
        filled = PolyCollection(list(layer.polygons), **look)
        filled.set_array(layer.values)
        axes.add_collection(filled)
        return
    colour = _next_colour(entries)
    axes.add_collection(PolyCollection(list(layer.polygons), facecolors="none", edgecolors=colour, linestyles="--"))
    entries.append(Line2D([], [], color=colour, linestyle="--", label=layer.label))


def _draw_points(axes: Axes, layer: PointLayer, scale: ColourScale | None, entries: list[Any]) -> None:
    x, y = layer.points.T
    size = float(np.clip(12_000 / max(len(x), 1), 6, 45))
    if scale is not None and layer.values is not None:
        axes.scatter(x, y, s=size, c=layer.values, edgecolors="black", linewidths=0.6, **scale.look)
        return
    axes.scatter(x, y, s=size / 2, color="black", edgecolors="white", linewidths=0.5)
    dot: dict[str, Any] = {
        "marker": "o",
        "color": "black",
        "markeredgecolor": "white",
        "linestyle": "none",
        "markersize": 6,
    }
    entries.append(Line2D([], [], label=layer.label, **dot))


def _draw_lines(axes: Axes, layer: LineLayer, entries: list[Any]) -> None:
    colour = _next_colour(entries)
    axes.add_collection(LineCollection(list(layer.lines), colors=colour, linewidths=1.3))
    entries.append(Line2D([], [], color=colour, linewidth=1.3, label=layer.label))


def _next_colour(entries: list[Any]) -> str:
    return OUTLINE_COLOURS[len(entries) % len(OUTLINE_COLOURS)]

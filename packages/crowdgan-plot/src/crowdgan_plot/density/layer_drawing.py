"""Drawing of layers: the data with which an estimator explains its estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from crowdgan_core.density.layers import HeatmapLayer, Layer, LineLayer, PointLayer, PolygonLayer, layer_values
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_plot.style import DENSITY_COLOUR_MAP, LINE_COLOURS, SECOND_COLOUR_MAP, legend_label

MAX_OUTLINED_CELLS = 4000
"""Number of grid cells up to which each cell is outlined."""

FILL_ALPHA = 0.7
"""Opacity of filled areas."""

CLIP_QUANTILE, CLIP_MIN_FRACTION = 0.97, 0.01
"""Quantile of a smooth heatmap at which its colours end, over the values above a fraction of the maximum."""

OUTLINE_COLOURS = (LINE_COLOURS[1], LINE_COLOURS[3], LINE_COLOURS[5])
"""Colours of lines and outlines without values; they differ from all colours of the colour maps."""


@dataclass(frozen=True, kw_only=True)
class ColourScale:
    """Mapping from values of one unit to colours."""

    unit: str
    layer_labels: tuple[str, ...]
    """Labels of the layers that use the scale."""
    norm: Normalize
    colour_map: str
    is_clipped: bool
    """Whether values above the end of the scale exist."""

    @property
    def label(self) -> str:
        """Label of the colour bar, with unit."""
        return f"{', '.join(self.layer_labels)} ({self.unit})"

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of matplotlib functions."""
        return {"norm": self.norm, "cmap": self.colour_map}


def colour_scales(layers: Sequence[Layer]) -> dict[str, ColourScale]:
    """The colour scale of each unit; values of one unit have the same colours in all panels."""
    units = dict.fromkeys(layer.unit for layer in layers if layer.unit and _max_value(layer) is not None)
    scales = {}
    for index, unit in enumerate(units):
        unit_layers = [layer for layer in layers if layer.unit == unit]
        arrays = [np.ravel(values) for layer in unit_layers if (values := layer_values(layer)) is not None]
        values = np.concatenate(arrays)
        is_smooth = all(isinstance(layer, HeatmapLayer) and not layer.is_discrete for layer in unit_layers)
        low, high, is_clipped = _colour_limits(values[np.isfinite(values)], is_smooth=is_smooth)
        scales[str(unit)] = ColourScale(
            unit=str(unit),
            layer_labels=tuple(dict.fromkeys(layer.label for layer in unit_layers)),
            norm=Normalize(low, high, clip=True),
            colour_map=DENSITY_COLOUR_MAP if index == 0 else SECOND_COLOUR_MAP,
            is_clipped=is_clipped,
        )
    return scales


def draw_layers(axes: Axes, layers: Sequence[Layer], scales: Mapping[str, ColourScale]) -> list[Any]:
    """Draws layers of one space in their order; returns legend handles of the layers without values."""
    handles: list[Any] = []
    for layer in layers:
        scale = scales.get(layer.unit or "")
        if isinstance(layer, HeatmapLayer) and scale is not None:
            _draw_heatmap(axes, layer, scale)
        elif isinstance(layer, PolygonLayer):
            _draw_polygons(axes, layer, scale, handles)
        elif isinstance(layer, PointLayer):
            _draw_points(axes, layer, scale, handles)
        elif isinstance(layer, LineLayer):
            _draw_lines(axes, layer, handles)
    return handles


def _colour_limits(values: FloatArray, *, is_smooth: bool) -> tuple[float, float, bool]:
    """Values of the first and last colour, and whether there are higher values.

    Only smooth heatmaps are clipped at a quantile: otherwise a few peaks, of people who touch, would leave the rest in
    one colour. If all values are equal, they are in the middle of the scale.
    """
    low, high = min(0.0, float(values.min())), float(values.max())
    if is_smooth and (positive := values[values > CLIP_MIN_FRACTION * high]).size > 2:
        limit = float(np.quantile(positive, CLIP_QUANTILE))
        return low, limit, limit < high
    if values.min() == high:
        return low, 1.5 * high or 1.0, False
    return low, high, False


def _max_value(layer: Layer) -> float | None:
    """Maximum value of a layer; None without finite values."""
    values = layer_values(layer)
    finite = np.empty(0) if values is None else values[np.isfinite(values)]
    return float(finite.max()) if finite.size else None


def _draw_heatmap(axes: Axes, layer: HeatmapLayer, scale: ColourScale) -> None:
    left, first, right, last = layer.extent
    rows, columns = layer.values.shape
    masked = np.ma.masked_invalid(layer.values)
    if layer.is_discrete and masked.count() <= MAX_OUTLINED_CELLS:
        x, y = np.linspace(left, right, columns + 1), np.linspace(first, last, rows + 1)
        axes.pcolormesh(x, y, masked, alpha=FILL_ALPHA, edgecolors="white", linewidth=0.3, **scale.arguments)
        return
    alpha: Any = FILL_ALPHA
    if not layer.is_discrete:  # low values are transparent, so that the image is visible
        alpha = 0.85 * np.sqrt(np.ma.filled(scale.norm(masked), 0.0))
    options: dict[str, Any] = {"origin": "upper", "extent": (left, right, last, first), "aspect": "equal"}
    interpolation = "nearest" if layer.is_discrete else "bilinear"
    axes.imshow(masked, interpolation=interpolation, alpha=alpha, **options, **scale.arguments)


def _draw_polygons(axes: Axes, layer: PolygonLayer, scale: ColourScale | None, handles: list[Any]) -> None:
    if scale is not None and layer.values is not None:
        options = {"edgecolors": "white", "linewidths": 0.8, "alpha": FILL_ALPHA, **scale.arguments}
        collection = PolyCollection(list(layer.polygons), **options)
        collection.set_array(layer.values)
        axes.add_collection(collection)
        return
    colour = _next_colour(handles)
    axes.add_collection(PolyCollection(list(layer.polygons), facecolors="none", edgecolors=colour, linestyles="--"))
    handles.append(Line2D([], [], color=colour, linestyle="--", label=legend_label(layer.label)))


def _draw_points(axes: Axes, layer: PointLayer, scale: ColourScale | None, handles: list[Any]) -> None:
    x, y = layer.points.T
    size = float(np.clip(12_000 / max(len(x), 1), 6, 45))
    if scale is not None and layer.values is not None:
        axes.scatter(x, y, s=size, c=layer.values, edgecolors="black", linewidths=0.6, **scale.arguments)
        return
    axes.scatter(x, y, s=size / 2, color="black", edgecolors="white", linewidths=0.5)
    marker: dict[str, Any] = {
        "marker": "o",
        "color": "black",
        "markeredgecolor": "white",
        "linestyle": "none",
        "markersize": 6,
    }
    handles.append(Line2D([], [], label=legend_label(layer.label), **marker))


def _draw_lines(axes: Axes, layer: LineLayer, handles: list[Any]) -> None:
    colour = _next_colour(handles)
    axes.add_collection(LineCollection(list(layer.lines), colors=colour, linewidths=1.3))
    handles.append(Line2D([], [], color=colour, linewidth=1.3, label=legend_label(layer.label)))


def _next_colour(handles: list[Any]) -> str:
    return OUTLINE_COLOURS[len(handles) % len(OUTLINE_COLOURS)]

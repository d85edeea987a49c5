"""Drawing of layers: the data with which an estimator explains its estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D

from crowdgan_core.density.layers import HeatmapLayer, Layer, LineLayer, PointLayer, PolygonLayer
from crowdgan_plot.density.colour_scales import ColourScale
from crowdgan_plot.style import LINE_COLOURS, MUTED_COLOUR, legend_label

MAX_OUTLINED_CELLS = 4000
"""Number of grid cells up to which each cell is outlined."""

FILL_ALPHA = 0.7
"""Opacity of filled areas."""

OUTLINE_COLOURS = (LINE_COLOURS[1], LINE_COLOURS[3], LINE_COLOURS[5])
"""Colours of lines and outlines without values; they differ from all colours of the continuous colour maps."""

OUTLINE_COLOURS_WITH_CLASSES = (LINE_COLOURS[0], LINE_COLOURS[2], LINE_COLOURS[5])
"""As before, in figures with classes; they differ from all colours of the classes."""

RING_DIAMETER_PT, RING_WIDTHS_PT = 20.0, (3.0, 1.3)
"""Diameter of the rings around points with texts, wide enough to show the values there, and the widths of their white
border and their black line, in points."""

Handles = dict[str, Any]
"""Legend handles of matplotlib by label."""


def draw_layers(axes: Axes, layers: Sequence[Layer], scales: Mapping[str, ColourScale], handles: Handles) -> None:
    """Draws layers of one space in their order, without their texts.

    Args:
        axes: the axes.
        layers: layers of one space.
        scales: colour scales by unit.
        handles: receives the legend handles of layers without values; equal labels have equal colours and one handle.
    """
    has_classes = any(scale.classes is not None for scale in scales.values())
    colours = OUTLINE_COLOURS_WITH_CLASSES if has_classes else OUTLINE_COLOURS
    for layer in layers:
        scale = scales.get(layer.unit or "")
        if isinstance(layer, HeatmapLayer) and scale is not None:
            _draw_heatmap(axes, layer, scale)
        elif isinstance(layer, PolygonLayer):
            _draw_polygons(axes, layer, scale, handles, colours)
        elif isinstance(layer, PointLayer) and layer.texts is not None:
            _draw_rings(axes, layer, handles)
        elif isinstance(layer, PointLayer):
            _draw_points(axes, layer, scale, handles)
        elif isinstance(layer, LineLayer):
            _draw_lines(axes, layer, handles, colours)


def _draw_heatmap(axes: Axes, layer: HeatmapLayer, scale: ColourScale) -> None:
    left, first, right, last = layer.extent
    rows, columns = layer.values.shape
    masked = np.ma.masked_invalid(layer.values)
    if layer.is_discrete and masked.count() <= MAX_OUTLINED_CELLS:
        x, y = np.linspace(left, right, columns + 1), np.linspace(first, last, rows + 1)
        axes.pcolormesh(x, y, masked, alpha=FILL_ALPHA, edgecolors="white", linewidth=0.3, **scale.arguments)
        return
    is_smooth = not layer.is_discrete and scale.classes is None
    alpha: Any = FILL_ALPHA
    if is_smooth:  # low values are transparent, so that the image is visible
        alpha = 0.85 * np.sqrt(np.ma.filled(scale.norm(masked), 0.0))
    options: dict[str, Any] = {"origin": "upper", "extent": (left, right, last, first), "aspect": "equal"}
    interpolation = "bilinear" if is_smooth else "nearest"
    axes.imshow(masked, interpolation=interpolation, alpha=alpha, **options, **scale.arguments)


def _draw_polygons(
    axes: Axes, layer: PolygonLayer, scale: ColourScale | None, handles: Handles, colours: Sequence[str]
) -> None:
    if scale is not None and layer.values is not None:
        options = {"edgecolors": "white", "linewidths": 0.8, "alpha": FILL_ALPHA, **scale.arguments}
        collection = PolyCollection(list(layer.polygons), **options)
        collection.set_array(layer.values)
        axes.add_collection(collection)
        return
    colour = _outline_colour(layer, handles, colours)
    axes.add_collection(PolyCollection(list(layer.polygons), facecolors="none", edgecolors=colour, linestyles="--"))
    handles[layer.label] = Line2D([], [], color=colour, linestyle="--", label=legend_label(layer.label))


def _draw_points(axes: Axes, layer: PointLayer, scale: ColourScale | None, handles: Handles) -> None:
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
    handles[layer.label] = Line2D([], [], label=legend_label(layer.label), **marker)


def _draw_rings(axes: Axes, layer: PointLayer, handles: Handles) -> None:
    """Draws thin black rings with a white border, visible on every colour, around what is at the points."""
    x, y = layer.points.T
    for colour, width in zip(("white", "black"), RING_WIDTHS_PT, strict=True):
        axes.scatter(x, y, s=RING_DIAMETER_PT**2, facecolors="none", edgecolors=colour, linewidths=width, zorder=4)
    ring: dict[str, Any] = {"marker": "o", "markerfacecolor": "none", "color": "black", "linestyle": "none"}
    handles[layer.label] = Line2D(
        [], [], markersize=12, markeredgewidth=RING_WIDTHS_PT[1], label=legend_label(layer.label), **ring
    )


def _draw_lines(axes: Axes, layer: LineLayer, handles: Handles, colours: Sequence[str]) -> None:
    options: dict[str, Any] = {"color": _outline_colour(layer, handles, colours), "linewidth": 1.3}
    if layer.is_reference:
        options = {"color": MUTED_COLOUR, "linewidth": 0.7, "alpha": 0.7}
    axes.add_collection(LineCollection(list(layer.lines), **options))
    handles[layer.label] = Line2D([], [], label=legend_label(layer.label), **options)


def _outline_colour(layer: Layer, handles: Handles, colours: Sequence[str]) -> str:
    """The colour of the layer's label if there is one, else the next colour."""
    if layer.label in handles:
        return str(handles[layer.label].get_color())
    used = {handle.get_color() for handle in handles.values() if isinstance(handle, Line2D)}
    return next((colour for colour in colours if colour not in used), colours[len(handles) % len(colours)])

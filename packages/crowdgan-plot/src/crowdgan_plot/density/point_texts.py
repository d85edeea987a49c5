"""Texts next to points of a figure, placed so that they cover neither one another nor other points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text

from crowdgan_core.density.layers import Layer, PointLayer
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_plot.density.layer_drawing import RING_DIAMETER_PT

TEXT_PT, PADDING = 16, 0.25
"""Size of the texts in points, and the padding of their boxes in text sizes."""

RING_RADIUS_PT, POINT_RADIUS_PT = RING_DIAMETER_PT / 2 + 1.5, 3.0
"""Radii around points with and without texts that no text should cover, in points."""

LINE_SQUARES = 5
"""Squares along the line from a point to its text that no further text should cover."""

DISTANCES_PT = (20.0, 34.0, 52.0, 74.0)
"""Distances from the point to the nearest side of its text that are tried, in points."""

DISTANCE_COST_PT = 2.0
"""Covered area in square points that is preferred to one more point of distance."""

OUTSIDE_WEIGHT = 20.0
"""Weight of an area outside the axes, where the text would cover their labels, relative to that of a covered area."""

DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
"""Directions from the point to its text that are tried, to the right and up."""


def draw_point_texts(axes: Axes, layers: Sequence[Layer]) -> None:
    """Writes the texts of points in the axes; the layout of the figure must be final.

    Each text is at the first place where it is inside the axes and covers no other text or point, or where it covers
    least. Points outside the axes have no text.
    """
    points = [layer for layer in layers if isinstance(layer, PointLayer)]
    axes.apply_aspect()
    window = np.array(axes.get_window_extent().extents)
    centres = [axes.transData.transform(np.reshape(layer.points, (-1, 2))) for layer in points]
    radii = [POINT_RADIUS_PT if layer.texts is None else RING_RADIUS_PT for layer in points]
    pt = _pixels_per_point(axes)
    covered = np.concatenate(
        [np.empty((0, 4)), *(_rectangles(item, 2 * radius * pt) for item, radius in zip(centres, radii, strict=True))]
    )
    for layer, layer_centres in zip(points, centres, strict=True):
        for point, centre, text in zip(layer.points.tolist(), layer_centres, layer.texts or (), strict=False):
            if (centre >= window[:2]).all() and (centre <= window[2:]).all():
                written = _write_text(axes, (point[0], point[1]), centre, text, covered, window)
                covered = np.vstack([covered, written])


def _write_text(
    axes: Axes, point: tuple[float, float], centre_px: FloatArray, text: str, covered: FloatArray, window: FloatArray
) -> FloatArray:
    """Writes a text with a line to its point; returns the rectangles that both cover, `[num_rectangles, 4]`."""
    annotation = axes.annotate(
        text,
        point,
        xytext=(0, 0),
        textcoords="offset points",
        fontsize=TEXT_PT,
        fontweight="bold",
        color="black",
        ha="center",
        va="center",
        zorder=6,
        bbox={"boxstyle": f"round,pad={PADDING}", "facecolor": "white", "edgecolor": "black", "linewidth": 1.2},
        arrowprops={
            "arrowstyle": "-",
            "color": "black",
            "linewidth": 1.4,
            "shrinkA": 0,
            "shrinkB": RING_DIAMETER_PT / 2,
        },
    )
    annotation.set_in_layout(False)
    pt = _pixels_per_point(axes)
    extent = Text.get_window_extent(annotation)  # that of an annotation includes the line
    size_px = np.array([extent.width, extent.height]) + 2 * PADDING * TEXT_PT * pt
    offsets = np.array([np.array(way) * (size_px / 2 + gap * pt) for gap in DISTANCES_PT for way in DIRECTIONS])
    places = _rectangles(centre_px + offsets, size_px)
    outside = size_px.prod() - _overlaps(places, window[None]).sum(axis=1)
    distances_pt = np.repeat(DISTANCES_PT, len(DIRECTIONS))
    costs = OUTSIDE_WEIGHT * outside + _overlaps(places, covered).sum(axis=1) + DISTANCE_COST_PT * distances_pt * pt**2
    best = int(np.argmin(costs))
    annotation.set_position((float(offsets[best, 0] / pt), float(offsets[best, 1] / pt)))
    along_line = centre_px + np.linspace(0.2, 0.8, LINE_SQUARES)[:, None] * offsets[best]
    return np.vstack([places[best], _rectangles(along_line, 2 * POINT_RADIUS_PT * pt)])


def _pixels_per_point(axes: Axes) -> float:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure.dpi / 72


def _rectangles(centres: FloatArray, size: FloatArray | float) -> FloatArray:
    """Rectangles of a size around centres, `[num_rectangles, 4]` as `(left, low, right, high)`."""
    return np.hstack([centres - np.asarray(size) / 2, centres + np.asarray(size) / 2])


def _overlaps(first: FloatArray, second: FloatArray) -> FloatArray:
    """Areas of the intersections of rectangles, `[num_first, num_second]`."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2))

"""What the estimators that count, and those that measure distances or cells, offer to be drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdgan_core.density.layers import HeatmapLayer, Layer, LineLayer, PointLayer
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.utils.arrays import Boxes, Points
from crowdgan_density.heatmap import MAP_CELLS, head_map

Values = npt.NDArray[np.float64]

Counts = npt.NDArray[np.int32]
"""`[rows, columns]`."""


def count_layers(people: PersonAnnotations, size: tuple[int, int], label: str) -> tuple[Layer, ...]:
    """What shows who was counted: a point each, or where all have heads alone a map that sums to their number.

    Rows without any box have no place and are not shown.

    Args:
        people: the rows that were counted.
        size: `(height, width)` of the image in pixels.
        label: for the points.
    """
    bodies, heads = centres(people.full_boxes), centres(people.head_boxes)
    has_body, has_head = _are_finite(bodies), _are_finite(heads)
    if has_head.any() and not has_body.any():
        return (density_map(heads[has_head], size),)
    places = np.where(has_body[:, None], bodies, heads)[has_body | has_head]
    return (PointLayer(label=label, points=places),) if len(places) else ()


def density_map(heads: Points, size: tuple[int, int]) -> HeatmapLayer:
    """The map of heads that crowd-counting networks learn, in persons per cell: it sums to their number."""
    values, cell_px = head_map(heads, size, MAP_CELLS)
    unit = f"persons per cell of {cell_px:.3g} px"
    return HeatmapLayer(label="density map of heads", unit=unit, values=values, extent=map_extent(values, cell_px))


def spacing_layer(points: Points, distances_px: Values, mean_width_px: float) -> PointLayer:
    """People with their mean distance to the others, in mean box widths; the mean of all is the scene's spacing."""
    spacings = distances_px / mean_width_px
    return PointLayer(
        label="mean distance to the others", unit="mean box widths", points=points, values=np.asarray(spacings, float)
    )


def cluster_layers(counts: Counts, labels: Counts, means: Values, cell_px: float, unit: str) -> tuple[Layer, ...]:
    """The occupied cells of a grid with their counts, and the border of the fullest cluster.

    Args:
        counts: `[rows, columns]` boxes per cell, as they are counted.
        labels: `[rows, columns]` number of each cell's cluster, from 1; 0 for an empty cell.
        means: `[num_clusters]` mean count of each, at least one.
        cell_px: side of a cell in pixels.
        unit: of the counts.
    """
    values = np.where(counts > 0, counts, np.nan)
    fullest = labels == int(means.argmax()) + 1
    cells = int(fullest.sum())
    label = f"fullest cluster: {means.max():.3g} {unit} over {cells} {'cell' if cells == 1 else 'cells'}"
    return (
        HeatmapLayer(
            label="occupied cells", unit=unit, values=values, extent=map_extent(values, cell_px), is_discrete=True
        ),
        LineLayer(label=label, lines=[edge * cell_px for edge in borders(fullest)]),
    )


def borders(mask: npt.NDArray[np.bool_]) -> list[Points]:
    """The sides of cells between what a mask `[rows, columns]` holds and what it does not: lines of two points x, y.

    Sides in one row or column that follow one another make one line.
    """
    padded = np.pad(mask, 1)
    level = _runs(padded[1:] != padded[:-1], padded[1:])
    upright = _runs((padded[:, 1:] != padded[:, :-1]).T, padded[:, 1:].T)
    lines = [np.array([[start, row], [end, row]], float) for row, start, end in level]
    return lines + [np.array([[column, start], [column, end]], float) for column, start, end in upright]


def map_extent(values: Values, cell_px: float) -> tuple[float, float, float, float]:
    """Where a grid of cells lies that begins in the image's upper left corner, in pixels."""
    rows, columns = values.shape
    return (0.0, 0.0, columns * cell_px, rows * cell_px)


def centres(boxes_xywh: Boxes) -> Points:
    """Middles of boxes, `[num_boxes, 2]` x, y in pixels."""
    return boxes_xywh[:, :2] + boxes_xywh[:, 2:] / 2


def _are_finite(points: Points) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isfinite(points).all(axis=1))


def _runs(is_side: npt.NDArray[np.bool_], inside: npt.NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Line, first and end place of the sides in each line that follow one another with the inside on one hand.

    Both arrays have a line per line between cells, and a border of one place at both ends.
    """
    found = []
    for line in np.flatnonzero(is_side.any(axis=1)).tolist():
        for hand in (True, False):
            sides = is_side[line] & (inside[line] == hand)
            steps = np.flatnonzero(np.diff(sides.astype(np.int8), prepend=0, append=0))
            found += [(line, start - 1, end - 1) for start, end in steps.reshape(-1, 2).tolist()]
    return found

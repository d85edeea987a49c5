"""Overlay layers of person counts, pairwise distances and grid cells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crowdgan_core.density.layers import HeatmapLayer, Layer, LineLayer, PointLayer
from crowdgan_core.scenes.scene import PersonAnnotations
from crowdgan_core.utils.arrays import BoolArray, FloatArray, Points
from crowdgan_density.boxes import box_centres
from crowdgan_density.heatmap import HEATMAP_CELLS, head_heatmap

CellCounts = npt.NDArray[np.int32]
"""Integers `[rows, columns]`, one per cell of a grid."""


def count_layers(people: PersonAnnotations, size: tuple[int, int], label: str) -> tuple[Layer, ...]:
    """Layers that show the counted annotations.

    One point each at the box centre; if only heads are annotated, a heatmap that sums to their number. Annotations
    without any box have no position and are not shown.

    Args:
        people: the counted annotations.
        size: `(height, width)` of the image in pixels.
        label: label of the points.
    """
    bodies, heads = box_centres(people.full_boxes), box_centres(people.head_boxes)
    has_body, has_head = _finite_rows(bodies), _finite_rows(heads)
    if has_head.any() and not has_body.any():
        return (head_heatmap_layer(heads[has_head], size),)
    points = np.where(has_body[:, None], bodies, heads)[has_body | has_head]
    return (PointLayer(label=label, points=points),) if len(points) else ()


def head_heatmap_layer(heads: Points, size: tuple[int, int]) -> HeatmapLayer:
    """The density map of heads that crowd-counting networks are trained on, in persons per cell."""
    values, cell_px = head_heatmap(heads, size, HEATMAP_CELLS)
    unit = f"persons per cell of {cell_px:.3g} px"
    return HeatmapLayer(label="density map of heads", unit=unit, values=values, extent=grid_extent(values, cell_px))


def spacing_layer(points: Points, distances_px: FloatArray, mean_width_px: float) -> PointLayer:
    """People with their mean distance to others in mean box widths; the mean of all is the scene's mean spacing.

    Args:
        points: `[num_people, 2]` x, y in pixels.
        distances_px: `[num_people]` mean distance to the other people in pixels.
        mean_width_px: mean box width in pixels.
    """
    spacings = np.asarray(distances_px / mean_width_px, float)
    return PointLayer(label="mean distance to others", unit="mean box widths", points=points, values=spacings)


def cluster_layers(
    counts: CellCounts, labels: CellCounts, means: FloatArray, cell_px: float, unit: str
) -> tuple[Layer, ...]:
    """The occupied cells of a grid with their counts, and the outline of the cluster with the largest mean count.

    Args:
        counts: `[rows, columns]` boxes per cell.
        labels: `[rows, columns]` number of each cell's cluster, from 1; 0 for an empty cell.
        means: `[num_clusters]` mean count of each cluster, at least one.
        cell_px: side of a cell in pixels.
        unit: unit of the counts.
    """
    values = np.where(counts > 0, counts, np.nan)
    is_fullest = labels == int(means.argmax()) + 1
    num_cells = int(is_fullest.sum())
    label = f"fullest cluster: {means.max():.3g} {unit} over {num_cells} {'cell' if num_cells == 1 else 'cells'}"
    return (
        HeatmapLayer(
            label="occupied cells", unit=unit, values=values, extent=grid_extent(values, cell_px), is_discrete=True
        ),
        LineLayer(label=label, lines=[edge * cell_px for edge in mask_outlines(is_fullest)]),
    )


def mask_outlines(mask: BoolArray) -> list[Points]:
    """The cell sides that separate the inside of a mask `[rows, columns]` from the outside, as lines of two points.

    Consecutive sides on one line are merged.
    """
    padded = np.pad(mask, 1)
    horizontal = _runs(padded[1:] != padded[:-1], padded[1:])
    vertical = _runs((padded[:, 1:] != padded[:, :-1]).T, padded[:, 1:].T)
    lines = [np.array([[start, row], [end, row]], float) for row, start, end in horizontal]
    return lines + [np.array([[column, start], [column, end]], float) for column, start, end in vertical]


def grid_extent(values: FloatArray, cell_px: float) -> tuple[float, float, float, float]:
    """Extent in pixels of a grid of cells that starts at the image's upper left corner: left, top, right, bottom."""
    rows, columns = values.shape
    return (0.0, 0.0, columns * cell_px, rows * cell_px)


def _finite_rows(points: Points) -> BoolArray:
    return np.asarray(np.isfinite(points).all(axis=1))


def _runs(is_side: BoolArray, inside: BoolArray) -> list[tuple[int, int, int]]:
    """Line number, start and end of each run of sides in a line that have the inside on the same hand.

    Both arrays have one row per grid line, padded by one position at both ends.
    """
    runs = []
    for line in np.flatnonzero(is_side.any(axis=1)).tolist():
        for hand in (True, False):
            sides = is_side[line] & (inside[line] == hand)
            steps = np.flatnonzero(np.diff(sides.astype(np.int8), prepend=0, append=0))
            runs += [(line, start - 1, end - 1) for start, end in steps.reshape(-1, 2).tolist()]
    return runs

"""Convex regions of ground, and random positions in them with a minimum distance."""

from __future__ import annotations

import math

import numpy as np

from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_core.utils.arrays import FloatArray, Points

BATCH_SIZE = 256
"""Random positions proposed between two checks of the acceptance rate."""

MIN_ACCEPTED_FRACTION = 0.02
"""Acceptance rate of a batch below which the region counts as full and the minimum distance is reduced; ours."""

SHRINK_FACTOR = 0.97
"""Factor of one reduction of the minimum distance; ours."""

GridCells = dict[tuple[int, int], list[tuple[float, float]]]
"""Points by the (column, row) of their square grid cell, whose side is the minimum distance."""


def ellipse_polygon(centre_m: FloatArray, half_axes_m: FloatArray, rotation_rad: float, num_corners: int) -> Points:
    """Corners on an ellipse, counter-clockwise, `[num_corners, 2]` metres."""
    angles = 2 * math.pi * np.arange(num_corners) / num_corners
    local = np.stack([np.cos(angles), np.sin(angles)], axis=1) * half_axes_m
    cos, sin = math.cos(rotation_rad), math.sin(rotation_rad)
    return np.asarray(centre_m + local @ np.array([[cos, sin], [-sin, cos]]))


def random_points(rng: np.random.Generator, polygon_m: Points, count: int) -> Points:
    """Uniformly distributed points in a convex polygon, `[count, 2]` metres.

    Each point is drawn in two steps: a triangle of the polygon's fan, with probability proportional to its area, and a
    uniform point in that triangle.
    """
    corner, second, third = polygon_m[0], polygon_m[1:-1], polygon_m[2:]
    areas = np.array([polygon_area_m2(np.stack([corner, b, c])) for b, c in zip(second, third, strict=True)])
    triangle = rng.choice(len(areas), count, p=areas / areas.sum())
    root, along = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    return np.asarray(corner + root * ((1 - along) * second[triangle] + along * third[triangle] - corner))


def hard_core_points(
    rng: np.random.Generator, polygon_m: Points, count: int, distance_m: float
) -> tuple[Points, float]:
    """Exactly `count` random points in a convex polygon with a minimum distance, and that distance in metres.

    Random sequential addition: uniform positions are proposed one by one and accepted if no accepted point lies nearer
    than the distance. If the region is full before the count is reached, the distance is reduced in steps, which keeps
    the accepted points valid. The number is therefore exact, and the returned distance holds for every pair; it is at
    most `distance_m`.

    Args:
        rng: random generator.
        polygon_m: `[num_corners, 2]` corners, counter-clockwise.
        count: number of points.
        distance_m: largest minimum distance in metres.
    """
    accepted: list[tuple[float, float]] = []
    while True:
        accepted_before, cells = len(accepted), _grid_cells(accepted, distance_m)
        for x, y in random_points(rng, polygon_m, BATCH_SIZE).tolist():
            if len(accepted) == count:
                return np.array(accepted).reshape(-1, 2), distance_m
            if _is_free(cells, x, y, distance_m):
                accepted.append((x, y))
                cells.setdefault((math.floor(x / distance_m), math.floor(y / distance_m)), []).append((x, y))
        if len(accepted) - accepted_before < MIN_ACCEPTED_FRACTION * BATCH_SIZE:
            distance_m *= SHRINK_FACTOR


def _grid_cells(points: list[tuple[float, float]], side_m: float) -> GridCells:
    cells: GridCells = {}
    for x, y in points:
        cells.setdefault((math.floor(x / side_m), math.floor(y / side_m)), []).append((x, y))
    return cells


def _is_free(cells: GridCells, x: float, y: float, distance_m: float) -> bool:
    """Whether no point in the cell of (x, y) and its eight neighbours lies nearer than the distance."""
    column, row = math.floor(x / distance_m), math.floor(y / distance_m)
    for i in (column - 1, column, column + 1):
        for j in (row - 1, row, row + 1):
            for other_x, other_y in cells.get((i, j), ()):
                if (x - other_x) ** 2 + (y - other_y) ** 2 < distance_m**2:
                    return False
    return True

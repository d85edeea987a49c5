"""Convex regions of ground, and random positions in them that keep a distance from each other."""

from __future__ import annotations

import math

import numpy as np

from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_core.utils.arrays import Points

BATCH = 256
"""Random positions tried between two looks at how many were taken."""

MIN_SUCCESS = 0.02
"""Share of a batch that must find room; below it the distance shrinks, for the region is nearly full."""

SHRINK = 0.97
"""Factor of one such step."""


def clip_half_plane(polygon_m: Points, normal: Points, offset_m: float) -> Points:
    """The part of a convex polygon where normal · point <= offset, `[num_corners, 2]` metres; it may be empty.

    Args:
        polygon_m: `[num_corners, 2]` corners in order.
        normal: `[2]`.
        offset_m: in metres, if the normal has length 1.

    Source: Sutherland and Hodgman, "Reentrant polygon clipping", CACM 1974, for one edge.
    """
    kept = []
    sides = polygon_m @ normal - offset_m
    for start, end, before, after in zip(
        polygon_m, np.roll(polygon_m, -1, axis=0), sides, np.roll(sides, -1), strict=True
    ):
        if before <= 0:
            kept.append(start)
        if before * after < 0:
            kept.append(start + (end - start) * (before / (before - after)))
    return np.array(kept).reshape(-1, 2)


def clip_convex(polygon_m: Points, window_m: Points) -> Points:
    """The intersection of two convex polygons whose corners run counter-clockwise, `[num_corners, 2]` metres."""
    for start, end in zip(window_m, np.roll(window_m, -1, axis=0), strict=True):
        outward = np.array([end[1] - start[1], start[0] - end[0]])
        polygon_m = clip_half_plane(polygon_m, outward, float(outward @ start))
    return polygon_m


def inside_convex(points_m: Points, polygon_m: Points) -> np.ndarray:
    """Which points lie in a convex polygon whose corners run counter-clockwise, `[num_points]` bool."""
    inside = np.ones(len(points_m), bool)
    for start, end in zip(polygon_m, np.roll(polygon_m, -1, axis=0), strict=True):
        edge = end - start
        offsets = points_m - start
        inside &= edge[0] * offsets[:, 1] - edge[1] * offsets[:, 0] >= 0
    return inside


def ellipse_polygon(centre_m: Points, half_axes_m: Points, turn_rad: float, corners: int) -> Points:
    """Corners on an ellipse, counter-clockwise, `[corners, 2]` metres."""
    angles = 2 * math.pi * np.arange(corners) / corners
    local = np.stack([np.cos(angles), np.sin(angles)], axis=1) * half_axes_m
    cos, sin = math.cos(turn_rad), math.sin(turn_rad)
    return np.asarray(centre_m + local @ np.array([[cos, sin], [-sin, cos]]))


def random_points(rng: np.random.Generator, polygon_m: Points, count: int) -> Points:
    """Points spread evenly over a convex polygon, `[count, 2]` metres: a triangle of its fan by area, a point in it."""
    corner, second, third = polygon_m[0], polygon_m[1:-1], polygon_m[2:]
    areas = np.array([polygon_area_m2(np.stack([corner, b, c])) for b, c in zip(second, third, strict=True)])
    chosen = rng.choice(len(areas), count, p=areas / areas.sum())
    root, along = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    return np.asarray(corner + root * ((1 - along) * second[chosen] + along * third[chosen] - corner))


def hard_core_points(
    rng: np.random.Generator, polygon_m: Points, count: int, distance_m: float
) -> tuple[Points, float]:
    """Exactly `count` random points in a convex polygon that keep a distance, and the distance that they keep.

    Random sequential addition: positions are tried one after the other and taken when nobody stands nearer than the
    distance. Where the region fills up before the count is reached, the distance shrinks by steps, which earlier points
    keep anyway; so the number is always exact and the returned distance, at most `distance_m`, holds for every pair.

    Args:
        rng: generator.
        polygon_m: `[num_corners, 2]` corners, counter-clockwise.
        count: number of points.
        distance_m: smallest distance wanted, in metres.
    """
    taken: list[tuple[float, float]] = []
    while True:
        before, cells = len(taken), _cells(taken, distance_m)
        for x, y in random_points(rng, polygon_m, BATCH).tolist():
            if len(taken) == count:
                return np.array(taken).reshape(-1, 2), distance_m
            if _has_room(cells, x, y, distance_m):
                taken.append((x, y))
                cells.setdefault((math.floor(x / distance_m), math.floor(y / distance_m)), []).append((x, y))
        if len(taken) - before < MIN_SUCCESS * BATCH:
            distance_m *= SHRINK


Cells = dict[tuple[int, int], list[tuple[float, float]]]
"""Points by the square, of the distance's side, that they lie in."""


def _cells(points: list[tuple[float, float]], side_m: float) -> Cells:
    cells: Cells = {}
    for x, y in points:
        cells.setdefault((math.floor(x / side_m), math.floor(y / side_m)), []).append((x, y))
    return cells


def _has_room(cells: Cells, x: float, y: float, distance_m: float) -> bool:
    """Whether no point of the square of (x, y) and its eight neighbours lies nearer than the distance."""
    column, row = math.floor(x / distance_m), math.floor(y / distance_m)
    for i in (column - 1, column, column + 1):
        for j in (row - 1, row, row + 1):
            for other_x, other_y in cells.get((i, j), ()):
                if (x - other_x) ** 2 + (y - other_y) ** 2 < distance_m**2:
                    return False
    return True

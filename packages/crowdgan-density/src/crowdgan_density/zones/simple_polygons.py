"""Simple polygons, which need not be convex: points inside them, distances to their outline, and their check."""

from __future__ import annotations

import numpy as np

from crowdgan_core.utils.arrays import BoolArray, FloatArray, Points


def is_inside(points: Points, polygon: Points) -> BoolArray:
    """Whether each point is in a polygon by the even-odd rule, `[num_points]`.

    Args:
        points: `[num_points, 2]`; a point that is not finite is outside.
        polygon: `[num_corners, 2]` corners in either direction.
    """
    start, end = polygon, np.roll(polygon, -1, axis=0)
    x, y = points[:, :1], points[:, 1:]
    spans = (start[:, 1] > y) != (end[:, 1] > y)  # edges that the horizontal line through the point crosses
    rise = np.where(end[:, 1] != start[:, 1], end[:, 1] - start[:, 1], 1.0)
    crossings = start[:, 0] + (y - start[:, 1]) / rise * (end[:, 0] - start[:, 0])
    return np.asarray((spans & (x < crossings)).sum(axis=1) % 2 == 1)


def outline_distances(points: Points, polygon: Points) -> FloatArray:
    """Distance of each point to the nearest edge of a polygon, `[num_points]`, in the unit of the coordinates.

    Args:
        points: `[num_points, 2]`.
        polygon: `[num_corners, 2]` corners in either direction.
    """
    edges = np.roll(polygon, -1, axis=0) - polygon
    offsets = points[:, None] - polygon
    lengths = np.maximum((edges**2).sum(axis=1), np.finfo(float).tiny)
    along = ((offsets * edges).sum(axis=2) / lengths).clip(0, 1)
    nearest = offsets - along[:, :, None] * edges
    return np.asarray(np.sqrt((nearest**2).sum(axis=2)).min(axis=1))


def crossing_edges(polygon: Points) -> tuple[int, int] | None:
    """Indices of two edges of a polygon that meet outside a common corner; None for a simple polygon.

    Edge n is between the corners n and n + 1.

    Args:
        polygon: `[num_corners, 2]` distinct neighbouring corners, num_corners >= 3.
    """
    count = len(polygon)
    start, end = polygon, np.roll(polygon, -1, axis=0)
    for first in range(count):
        others = np.array([n for n in range(first + 1, count) if n != first + 1 and (n + 1) % count != first], np.intp)
        if _folds_back(start[first], end[first], end[(first + 1) % count]):
            return first, (first + 1) % count
        meets = _segments_meet(start[first], end[first], start[others], end[others])
        if meets.any():
            return first, int(others[meets.argmax()])
    return None


def _folds_back(start: FloatArray, corner: FloatArray, end: FloatArray) -> bool:
    """Whether an edge returns along the edge before it."""
    before, after = corner - start, end - corner
    return bool(_cross(before, after) == 0 and before @ after < 0)


def _segments_meet(start: FloatArray, end: FloatArray, starts: Points, ends: Points) -> BoolArray:
    """Whether a segment meets each of other segments, `[num_segments]`."""
    edge, edges = end - start, ends - starts
    sides = np.stack([_cross(edge, starts - start), _cross(edge, ends - start)])
    other_sides = np.stack([_cross(edges, start - starts), _cross(edges, end - starts)])
    separate = (sides[0] * sides[1] > 0) | (other_sides[0] * other_sides[1] > 0)
    low, high = np.minimum(start, end), np.maximum(start, end)
    apart = (np.minimum(starts, ends) > high) | (np.maximum(starts, ends) < low)
    return np.asarray(~separate & ~apart.any(axis=1))


def _cross(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])

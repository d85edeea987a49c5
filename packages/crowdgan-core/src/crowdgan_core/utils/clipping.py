"""Polygons clipped by half-planes and convex polygons, and points in convex polygons."""

from __future__ import annotations

import numpy as np

from crowdgan_core.utils.arrays import BoolArray, FloatArray, Points


def clip_half_plane(polygon_m: Points, normal: FloatArray, offset_m: float) -> Points:
    """The part of a polygon where normal · point <= offset, `[num_corners, 2]` metres; it may be empty.

    Of a polygon that is not convex several parts may remain; edges on the boundary of the half plane join them.

    Args:
        polygon_m: `[num_corners, 2]` corners in order.
        normal: `[2]` normal of the half plane.
        offset_m: distance of the boundary from the origin in metres, if the normal has length 1.

    Source: Sutherland and Hodgman, "Reentrant polygon clipping", CACM 1974, for one edge.
    """
    corners = []
    sides = polygon_m @ normal - offset_m
    for start, end, start_side, end_side in zip(
        polygon_m, np.roll(polygon_m, -1, axis=0), sides, np.roll(sides, -1), strict=True
    ):
        if start_side <= 0:
            corners.append(start)
        if start_side * end_side < 0:
            corners.append(start + (end - start) * (start_side / (start_side - end_side)))
    return np.array(corners).reshape(-1, 2)


def intersect_convex(first_m: Points, second_m: Points) -> Points:
    """Intersection of a simple polygon and a convex one with counter-clockwise corners, `[num_corners, 2]` metres.

    Of a first polygon that is not convex several parts may remain, as with `clip_half_plane`.
    """
    for start, end in zip(second_m, np.roll(second_m, -1, axis=0), strict=True):
        outward = np.array([end[1] - start[1], start[0] - end[0]])
        first_m = clip_half_plane(first_m, outward, float(outward @ start))
    return first_m


def inside_mask(points_m: Points, polygon_m: Points) -> BoolArray:
    """Whether each point lies in a convex polygon with counter-clockwise corners, `[num_points]`."""
    inside = np.ones(len(points_m), bool)
    for start, end in zip(polygon_m, np.roll(polygon_m, -1, axis=0), strict=True):
        edge = end - start
        offsets = points_m - start
        inside &= edge[0] * offsets[:, 1] - edge[1] * offsets[:, 0] >= 0
    return inside

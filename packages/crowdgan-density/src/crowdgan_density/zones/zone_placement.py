"""Zones on the visible ground of an image: area, and the visible part in the image and on the ground.

A projection maps the ground to the image by a 3 x 3 matrix P in homogeneous coordinates, for a camera as well as for a
homography. Straight edges stay straight, so a zone in the image is a polygon on the ground, and the other way round. A
ground position (x, y) is in the image region if P (x, y, 1) = (a, b, d) has left · d ≤ a ≤ right · d and
top · d ≤ b ≤ bottom · d: half planes of the ground, by which a zone is clipped without computing the visible ground,
which may extend to the horizon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crowdgan_core.scenes.camera import Camera, polygon_area_m2
from crowdgan_core.utils.arrays import FloatArray, Points
from crowdgan_core.utils.clipping import clip_half_plane
from crowdgan_density.ground_plane.homography import map_points
from crowdgan_density.ground_plane.view import GroundProjection, MeasuredView
from crowdgan_density.zones.zone_files import Zone

MIN_VISIBLE_FRACTION = 0.1
"""Minimum fraction of a zone's area that must be visible; ours: less does not represent the zone."""

NOT_VISIBLE = "no part of the zone is visible in the image"


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedZone:
    """The visible part of a zone, for one projection."""

    corners_px: Points
    """`[num_corners, 2]` in pixels of the full image."""
    corners_m: Points
    """`[num_corners, 2]` of the same corners on the ground in metres."""
    area_m2: float
    """Area on the ground in m²."""
    visible_fraction: float
    """Visible area over the area of the whole zone."""


def place_zone(zone: Zone, view: MeasuredView, projection: GroundProjection) -> PlacedZone | str:
    """The visible part of a zone on the ground; or the reason why it cannot be measured.

    Args:
        zone: the zone.
        view: measured region of the image.
        projection: map between pixels and ground positions.
    """
    to_pixels = pixel_matrix(projection, view.region_xyxy)
    if zone.unit == "metres":
        whole_m = zone.corners
        visible_m = clip_to_region(whole_m, view.region_xyxy, to_pixels)
        visible_px = map_points(to_pixels, visible_m)
    else:
        to_ground: FloatArray = np.asarray(np.linalg.inv(to_pixels), float)
        if (zone.corners @ to_ground[2, :2] + to_ground[2, 2] <= 0).any():
            return "a corner of the zone is above the horizon"
        whole_m = map_points(to_ground, zone.corners)
        visible_px = _clip_to_rectangle(zone.corners, view.region_xyxy)
        visible_m = map_points(to_ground, visible_px)
    area_m2 = polygon_area_m2(visible_m)
    fraction = min(area_m2 / polygon_area_m2(whole_m), 1.0)
    if fraction == 0:
        return NOT_VISIBLE
    return PlacedZone(corners_px=visible_px, corners_m=visible_m, area_m2=area_m2, visible_fraction=fraction)


def pixel_matrix(projection: GroundProjection, region_xyxy: tuple[float, float, float, float]) -> FloatArray:
    """3 x 3 matrix from ground positions (x, y, 1) in metres to multiples of (u, v, 1) in pixels.

    The multiples are positive for ground in front of the camera. For a homography, this is the side of its horizon that
    contains the middle of the region's lower edge.

    Args:
        projection: a camera, or a homography.
        region_xyxy: the measured region in pixels.
    """
    if isinstance(projection, Camera):
        focal, (centre_x, centre_y) = projection.focal_length_px, projection.centre_px
        sin, cos = math.sin(projection.pitch_rad), math.cos(projection.pitch_rad)
        height = projection.height_m
        return np.array(
            [
                [focal, centre_x * cos, centre_x * height * sin],
                [0.0, centre_y * cos - focal * sin, height * (centre_y * sin + focal * cos)],
                [0.0, cos, height * sin],
            ]
        )
    to_ground = np.array(projection.matrix)
    left, _, right, bottom = region_xyxy
    side = float(to_ground[2] @ [(left + right) / 2, bottom, 1.0])
    return np.asarray(np.linalg.inv(to_ground) * math.copysign(1.0, side))


def clip_to_region(polygon_m: Points, region_xyxy: tuple[float, float, float, float], to_pixels: FloatArray) -> Points:
    """The part of a polygon on the ground that an image region shows, `[num_corners, 2]` metres; it may be empty.

    Args:
        polygon_m: `[num_corners, 2]` corners of a simple polygon.
        region_xyxy: the region in pixels.
        to_pixels: the matrix of `pixel_matrix`.
    """
    left, top, right, bottom = region_xyxy
    across, down, depth = to_pixels
    for inward in (across - left * depth, right * depth - across, down - top * depth, bottom * depth - down):
        scale = float(np.hypot(inward[0], inward[1])) or 1.0
        polygon_m = clip_half_plane(polygon_m, -inward[:2] / scale, float(inward[2]) / scale)
    return polygon_m


def _clip_to_rectangle(polygon: Points, rectangle_xyxy: tuple[float, float, float, float]) -> Points:
    left, top, right, bottom = rectangle_xyxy
    sides = (((-1, 0), -left), ((1, 0), right), ((0, -1), -top), ((0, 1), bottom))
    for normal, offset in sides:
        polygon = clip_half_plane(polygon, np.array(normal, float), offset)
    return polygon

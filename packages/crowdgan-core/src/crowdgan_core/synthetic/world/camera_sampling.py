"""Random cameras, and a region of ground in view for a crowd of a given density."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera, focal_length_px, polygon_area_m2
from crowdgan_core.synthetic.config import SyntheticConfig
from crowdgan_core.synthetic.world.polygons import ellipse_polygon, random_points
from crowdgan_core.utils.arrays import FloatArray, Points
from crowdgan_core.utils.clipping import clip_half_plane, intersect_convex

FOCAL_LENGTHS_35MM = (24, 28, 30, 35, 40, 45, 50)
"""Common 35 mm equivalents in mm, integers as in EXIF: wide-angle to normal lens."""

MIN_PERSON_PX, MIN_PERSON_FRACTION = 18.0, 18 / 640
"""Minimum height of a mean person at the far end of the crowd: in pixels, or as a fraction of the image's longer side.

The smaller of the two applies.
"""

FAR_LIMIT_M = 80.0
"""Maximum forward distance of the crowd in metres."""

MAX_PERSON_FRACTION = 1.7
"""Maximum height of a mean person at the near end of the crowd, as a fraction of the image height; ours."""

MIN_ROW_FRACTION = 0.5
"""Minimum fraction of the rows below the horizon (or below the image's top) that the crowd's ground covers; ours."""

SIDE_MARGIN_M = 0.4
"""Distance in metres that the crowd extends beyond the left and right image edges, where bodies are then cut off."""

MIN_AREA_M2 = 25.0
"""Minimum area of the crowd's ground in m²; on a smaller area the density is not meaningful."""

MIN_PEOPLE = 8
"""Minimum number of people, if the camera sees enough ground."""

MAX_ATTEMPTS = 60
"""Maximum number of cameras, or of group positions, that are drawn; after that the last camera, or a strip, is used."""

FULL_VIEW_PROBABILITY = 0.65
"""Probability that the crowd fills all visible ground up to its far end; otherwise it fills a part of it."""

BISECTION_STEPS = 34
"""Steps of a bisection; the error is far below a micrometre."""


@dataclass(frozen=True, kw_only=True)
class CameraView:
    """A camera and the region of ground in its view that a crowd occupies."""

    camera: Camera

    focal_35mm: int
    """35 mm equivalent of the camera's focal length in mm."""

    region_m: Points
    """Convex polygon `[num_corners, 2]` in metres, counter-clockwise."""

    far_m: float
    """Forward distance in metres at which the ground of crowds ends; scenery stands beyond."""


def random_camera_view(rng: np.random.Generator, config: SyntheticConfig, density: float) -> CameraView:
    """A random camera and ground for a crowd of `density` persons/m² with at most `config.max_people` people.

    Cameras are drawn until one sees enough ground for the smallest crowd and no more than `max_people` fill. If none
    does, the last camera is used, with the largest permitted ground.
    """
    is_full = config.crowd_region == "full"
    for _ in range(MAX_ATTEMPTS):
        camera, focal_35mm = _random_camera(rng, config)
        limit_m = visible_limit_m(camera) if is_full else far_limit_m(camera)
        largest_m2 = min(config.max_people / density, polygon_area_m2(occupied_ground(camera, limit_m)))
        filling_m2 = polygon_area_m2(occupied_ground(camera, _filling_distance_m(camera)))
        smallest_m2 = max(MIN_AREA_M2, MIN_PEOPLE / density, filling_m2)
        if 0 < smallest_m2 <= largest_m2:
            break
    area_m2 = largest_m2
    if not is_full:
        area_m2 = min(largest_m2, smallest_m2 * max(1.0, largest_m2 / smallest_m2) ** rng.random())
    if is_full or rng.random() < FULL_VIEW_PROBABILITY:
        far_m = _distance_for_area(camera, area_m2, limit_m)
        return CameraView(camera=camera, focal_35mm=focal_35mm, region_m=occupied_ground(camera, far_m), far_m=far_m)
    far_m = _distance_for_area(camera, area_m2 * rng.uniform(1.3, 3), limit_m)
    region = _random_subregion(rng, occupied_ground(camera, far_m), area_m2)
    return CameraView(camera=camera, focal_35mm=focal_35mm, region_m=region, far_m=far_m)


def _random_camera(rng: np.random.Generator, config: SyntheticConfig) -> tuple[Camera, int]:
    """A camera with log-uniform height, and its 35 mm equivalent in mm."""
    low, high = config.camera_height_m
    focal_35mm = int(rng.choice(_focal_lengths_35mm(*config.focal_length_mm)))
    camera = Camera(
        height_m=low * (high / low) ** rng.random(),
        pitch_rad=math.radians(rng.uniform(*config.camera_pitch_deg)),
        focal_length_px=focal_length_px(focal_35mm, config.size),
        size=config.size,
    )
    return camera, focal_35mm


def _focal_lengths_35mm(low: int, high: int) -> Sequence[int]:
    """Common focal lengths from `low` to `high` mm; all whole numbers if none is common."""
    return [length for length in FOCAL_LENGTHS_35MM if low <= length <= high] or range(low, high + 1)


def visible_limit_m(camera: Camera) -> float:
    """Forward distance in metres of the ground at the top of the image; with the horizon in view, `far_limit_m`."""
    top_m = _distance_at_row(camera, 0.0)
    return max(min(FAR_LIMIT_M, top_m), near_limit_m(camera) + 2) if math.isfinite(top_m) else far_limit_m(camera)


def far_limit_m(camera: Camera) -> float:
    """Maximum forward distance of the crowd in metres, at least 2 m beyond the nearest people.

    At this distance a mean person is still tall enough to be annotated and the head is in the image.
    """
    smallest_px = min(MIN_PERSON_PX, MIN_PERSON_FRACTION * max(camera.size))
    tall_enough_m = camera.focal_length_px * MEAN_HEIGHT_M / smallest_px
    head_leaves_m = _distance_at_row(camera, 0.0) * (1 - MEAN_HEIGHT_M / camera.height_m)
    return max(min(FAR_LIMIT_M, tall_enough_m, head_leaves_m), near_limit_m(camera) + 2)


def near_limit_m(camera: Camera) -> float:
    """Forward distance of the nearest people in metres; their feet may be below the image if the head is in it."""
    height, _ = camera.size
    feet_enter_m = _distance_at_row(camera, height)
    head_enters_m = feet_enter_m * (1 - MEAN_HEIGHT_M / camera.height_m) + 0.1
    fits_m = camera.focal_length_px * MEAN_HEIGHT_M / (MAX_PERSON_FRACTION * height)
    return min(feet_enter_m, max(head_enters_m, fits_m))


def _filling_distance_m(camera: Camera) -> float:
    """Forward distance in metres up to which the ground covers `MIN_ROW_FRACTION` of the rows that show ground."""
    height, _ = camera.size
    top = max(camera.horizon_row, 0.0)
    return _distance_at_row(camera, height - MIN_ROW_FRACTION * (height - top))


def _distance_at_row(camera: Camera, row: float) -> float:
    """Forward distance in metres of the ground at a row, infinite at and above the horizon."""
    distance = camera.ground_from_pixels(np.array([[camera.centre_px[0], row]]))[0, 1]
    return math.inf if math.isnan(distance) else float(distance)


def occupied_ground(camera: Camera, far_m: float) -> Points:
    """Ground of a crowd that fills the view up to `far_m`: a trapezoid in metres, `[4, 2]`.

    It contains the visible ground, a strip nearer to the camera, and a margin at both sides. Its corners are near left,
    near right, far right and far left.
    """
    distances = np.array([near_limit_m(camera)] * 2 + [far_m] * 2)
    signs = np.array([-1.0, 1.0, 1.0, -1.0])
    points = np.stack([np.zeros(4), distances, np.zeros(4)], axis=1)
    half_m = camera.depth(points) * camera.centre_px[0] / camera.focal_length_px + SIDE_MARGIN_M
    return np.stack([signs * half_m, distances], axis=1)


def _distance_for_area(camera: Camera, area_m2: float, limit_m: float) -> float:
    """Forward distance in metres up to which the occupied ground has this area; at most `limit_m`.

    The breadth 2h of the ground grows by 2s per metre from that at its near end. The area at the distance x from there
    is s x² + 2h x.
    """
    near_m, half_m = near_limit_m(camera), float(occupied_ground(camera, limit_m)[1, 0])
    slope = math.cos(camera.pitch_rad) * camera.centre_px[0] / camera.focal_length_px
    return min(limit_m, near_m + area_m2 / (half_m + math.sqrt(half_m**2 + slope * area_m2)))


def _random_subregion(rng: np.random.Generator, ground: Points, area_m2: float) -> Points:
    """A convex part of the ground of at most this area: one side of an oblique line, or an elliptic group."""
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * math.pi)
        return _cut_to_area(ground, np.array([math.cos(angle), math.sin(angle)]), area_m2)
    for _ in range(MAX_ATTEMPTS):
        ratio = rng.uniform(0.6, 1.6)
        half_axes = math.sqrt(area_m2 / math.pi) * np.array([ratio, 1 / ratio])
        centre = random_points(rng, ground, 1)[0]
        group = intersect_convex(ellipse_polygon(centre, half_axes, rng.uniform(0, math.pi), 14), ground)
        if polygon_area_m2(group) > 0.8 * area_m2:
            return group
    return _cut_to_area(ground, np.array([0.0, 1.0]), area_m2)


def _cut_to_area(ground: Points, normal: FloatArray, area_m2: float) -> Points:
    """The part of the ground with this area on one side of a line with this normal."""
    offsets = ground @ normal
    offset = _bisect(
        lambda offset_m: polygon_area_m2(clip_half_plane(ground, normal, offset_m)),
        float(offsets.min()),
        float(offsets.max()),
        area_m2,
    )
    return clip_half_plane(ground, normal, offset)


def _bisect(area_m2_at: Callable[[float], float], low: float, high: float, area_m2: float) -> float:
    """Argument between `low` and `high` at which an increasing function reaches this area; `high` if it never does."""
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        if area_m2_at(middle) < area_m2:
            low = middle
        else:
            high = middle
    return high

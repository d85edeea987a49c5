"""Random cameras, and the ground before them that a crowd of a wanted density occupies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera, focal_length_px, polygon_area_m2
from crowdgan_core.synthetic.world.polygons import clip_convex, clip_half_plane, ellipse_polygon, random_points
from crowdgan_core.utils.arrays import Points

CAMERA_HEIGHT_M = (2.0, 9.0)
"""Camera heights: from a raised arm to a second floor; ours."""

PITCH_DEG = (4.0, 28.0)
"""Camera pitches below the horizontal; ours."""

FOCAL_35MM = (24, 28, 30, 35, 40, 45, 50)
"""35 mm equivalents in mm, whole as EXIF stores them: wide angle to normal lens."""

MIN_PERSON_PX, MIN_PERSON_SHARE = 18.0, 18 / 640
"""Height of a mean person at the far end of the crowd, in pixels, or as a share of a smaller image's longer side."""

FAR_LIMIT_M = 80.0
"""The crowd ends at this forward distance at the latest."""

MAX_PERSON_SHARE = 1.7
"""The nearest persons are at most this many image heights tall, or the image would show nothing else."""

MIN_ROW_SHARE = 0.5
"""The crowd's ground reaches up at least this share of the rows between the image's bottom and the horizon or top."""

SIDE_MARGIN_M = 0.4
"""The crowd goes on this far beyond the left and right edges of the image, so that bodies are cut there too."""

MIN_AREA_M2 = 25.0
"""Area of the smallest crowd; less says nothing of a density."""

MIN_PEOPLE = 8
"""Persons in the smallest crowd, where the camera sees ground enough."""

TRIES = 60
"""Cameras, or places of a group, tried for one that fits; then the last one must do."""

WHOLE_VIEW_SHARE = 0.65
"""Share of crowds that fill all visible ground between near and far; the others are a part of it or a group."""

BISECTIONS = 50
"""Halvings of an interval of metres: far below a micrometre."""


@dataclass(frozen=True, kw_only=True)
class CameraView:
    """A camera and the ground before it that a crowd occupies."""

    camera: Camera

    focal_35mm: int
    """35 mm equivalent of the camera's focal length in mm."""

    region_m: Points
    """Convex polygon `[num_corners, 2]` in metres, counter-clockwise."""

    far_m: float
    """Forward distance at which crowds end; scenery stands beyond."""


def random_view(rng: np.random.Generator, size: tuple[int, int], density: float, max_people: int) -> CameraView:
    """A camera, and ground for a crowd of `density` persons/m² with at most `max_people`.

    Cameras are drawn until one sees ground enough for a crowd that is large enough, and not too much for
    `max_people`; where none does, the last one is taken and the ground is as large as it may be.
    """
    for _ in range(TRIES):
        camera, focal_35mm = _random_camera(rng, size)
        largest_m2 = min(max_people / density, polygon_area_m2(occupied_ground(camera, far_limit_m(camera))))
        filling_m2 = polygon_area_m2(occupied_ground(camera, _filling_distance_m(camera)))
        smallest_m2 = max(MIN_AREA_M2, MIN_PEOPLE / density, filling_m2)
        if 0 < smallest_m2 <= largest_m2:
            break
    area_m2 = min(largest_m2, smallest_m2 * max(1.0, largest_m2 / smallest_m2) ** rng.random())
    if rng.random() < WHOLE_VIEW_SHARE:
        far_m = _far_for_area(camera, area_m2)
        return CameraView(camera=camera, focal_35mm=focal_35mm, region_m=occupied_ground(camera, far_m), far_m=far_m)
    far_m = _far_for_area(camera, area_m2 * rng.uniform(1.3, 3))
    region = _random_part(rng, occupied_ground(camera, far_m), area_m2)
    return CameraView(camera=camera, focal_35mm=focal_35mm, region_m=region, far_m=far_m)


def _random_camera(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Camera, int]:
    """A camera and its 35 mm equivalent in mm; heights are spread evenly on a log scale."""
    low, high = CAMERA_HEIGHT_M
    focal_35mm = int(rng.choice(FOCAL_35MM))
    camera = Camera(
        height_m=low * (high / low) ** rng.random(),
        pitch_rad=math.radians(rng.uniform(*PITCH_DEG)),
        focal_length_px=focal_length_px(focal_35mm, size),
        size=size,
    )
    return camera, focal_35mm


def far_limit_m(camera: Camera) -> float:
    """Forward distance in metres up to which a mean person is tall enough to be annotated and the head is in view.

    At least 2 m beyond the nearest people.
    """
    smallest_px = min(MIN_PERSON_PX, MIN_PERSON_SHARE * max(camera.size))
    tall_enough_m = camera.focal_length_px * MEAN_HEIGHT_M / smallest_px
    head_leaves_m = _distance_at_row(camera, 0.0) * (1 - MEAN_HEIGHT_M / camera.height_m)
    return max(min(FAR_LIMIT_M, tall_enough_m, head_leaves_m), near_limit_m(camera) + 2)


def near_limit_m(camera: Camera) -> float:
    """Forward distance in metres of the nearest people: their feet may be below the image while the head is in it."""
    height, _ = camera.size
    feet_enter_m = _distance_at_row(camera, height)
    head_enters_m = feet_enter_m * (1 - MEAN_HEIGHT_M / camera.height_m) + 0.1
    fits_m = camera.focal_length_px * MEAN_HEIGHT_M / (MAX_PERSON_SHARE * height)
    return min(feet_enter_m, max(head_enters_m, fits_m))


def _filling_distance_m(camera: Camera) -> float:
    """Forward distance in metres up to which the ground fills `MIN_ROW_SHARE` of the rows that show any."""
    height, _ = camera.size
    top = max(camera.horizon_row, 0.0)
    return _distance_at_row(camera, height - MIN_ROW_SHARE * (height - top))


def _distance_at_row(camera: Camera, row: float) -> float:
    """Forward distance in metres of the ground at a row, infinite at and above the horizon."""
    distance = camera.ground_from_pixels(np.array([[camera.centre_px[0], row]]))[0, 1]
    return math.inf if math.isnan(distance) else float(distance)


def occupied_ground(camera: Camera, far_m: float) -> Points:
    """Ground for a crowd that fills the view up to `far_m`: what is seen, a strip nearer, and a margin at the sides.

    Returns:
        `[4, 2]` metres: near left, near right, far right, far left.
    """
    distances = np.array([near_limit_m(camera)] * 2 + [far_m] * 2)
    signs = np.array([-1.0, 1.0, 1.0, -1.0])
    points = np.stack([np.zeros(4), distances, np.zeros(4)], axis=1)
    half_m = camera.depth(points) * camera.centre_px[0] / camera.focal_length_px + SIDE_MARGIN_M
    return np.stack([signs * half_m, distances], axis=1)


def _far_for_area(camera: Camera, area_m2: float) -> float:
    """Forward distance up to which the occupied ground has this area, by bisection; at most the far limit."""
    low, high = near_limit_m(camera), far_limit_m(camera)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if polygon_area_m2(occupied_ground(camera, middle)) < area_m2:
            low = middle
        else:
            high = middle
    return high


def _random_part(rng: np.random.Generator, ground: Points, area_m2: float) -> Points:
    """A convex part of the ground of at most this area: cut off by a slanting line, or a rounded group in it."""
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * math.pi)
        return _cut_to_area(ground, np.array([math.cos(angle), math.sin(angle)]), area_m2)
    for _ in range(TRIES):
        ratio = rng.uniform(0.6, 1.6)
        half_axes = math.sqrt(area_m2 / math.pi) * np.array([ratio, 1 / ratio])
        centre = random_points(rng, ground, 1)[0]
        part = clip_convex(ellipse_polygon(centre, half_axes, rng.uniform(0, math.pi), 14), ground)
        if polygon_area_m2(part) > 0.8 * area_m2:
            return part
    return _cut_to_area(ground, np.array([0.0, 1.0]), area_m2)


def _cut_to_area(ground: Points, normal: Points, area_m2: float) -> Points:
    """The part of the ground on one side of a line with this normal that has this area, by bisection."""
    offsets = ground @ normal
    low, high = float(offsets.min()), float(offsets.max())
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if polygon_area_m2(clip_half_plane(ground, normal, middle)) < area_m2:
            low = middle
        else:
            high = middle
    return clip_half_plane(ground, normal, high)

"""People of whom only the head is annotated, on the ground of a known camera.

Crowd-counting datasets annotate one point per head. Heads lie on a plane about 1.58 m above the ground, so a camera or
a homography gives the position of each person on the ground, and the box of a standing person of mean height.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes, Points
from crowdgan_density.boxes import box_centres, valid_full_boxes
from crowdgan_density.ground_plane.homography import Homography
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.view import GroundProjection, full_scene

HEAD_CENTRE_HEIGHT_M = 1.58
"""Height of the centre of the head of a standing person in metres: the mean height less half a head."""

MIN_HEIGHT_ABOVE_HEADS_M = 0.3
"""Minimum height in metres of a camera above the centres of heads, ours; seen from nearer, heads are in one row."""

STANDING_HEIGHT_SD_M = 0.09
"""Standard deviation of standing heights in metres."""

MAX_AREA_FACTOR = 4.0
"""Maximum factor by which unknown heights may enlarge the area of groups; ours."""

MIN_FRACTION_BELOW_HORIZON = 0.95
"""Minimum fraction of the heads that must be below the horizon; ours: a few may be wrong."""

BOX_WIDTH_FRACTION = 0.36
"""Width of a box as a fraction of its height, ours; it matters only for occlusion."""

CAMERA_NEEDED = (
    "only heads are annotated, so the camera cannot be calibrated (set one of homography, cameras or perspective)"
)

HOMOGRAPHY_WITHOUT_CAMERA = (
    "only heads are annotated, and the homography does not determine the camera's focal length (set focal_mm35)"
)

HEADS_ABOVE_HORIZON = "heads are above the horizon of the given camera, which does not fit the image"

HEADS_TOO_FLAT = (
    "only heads are annotated, and the camera is so low that people's unknown heights scatter their positions too much"
)

CAMERA_TOO_LOW = "only heads are annotated, and the camera is not above them"


def has_only_heads(scene: Scene) -> bool:
    """Whether the people of the full image have heads, points or boxes, and no full boxes."""
    scene = full_scene(scene)
    return bool(len(_head_centres(scene))) and not len(valid_full_boxes(scene))


def boxes_of_heads(scene: Scene, projection: GroundProjection, focal_length_px: float | None) -> Boxes | str:
    """Full boxes xywh in pixels of the full image of people of mean height with these heads, `[num_people, 4]`.

    Args:
        scene: a scene with `has_only_heads`.
        projection: camera, or homography of the ground.
        focal_length_px: focal length of a homography; None if unknown.

    Returns:
        The reason, if the projection is not defined above the ground.
    """
    heads = _head_centres(full_scene(scene))
    planes = [
        plane_at_height(projection, height_m, full_scene(scene).size, focal_length_px)
        for height_m in (HEAD_CENTRE_HEIGHT_M, MEAN_HEIGHT_M)
    ]
    head_plane, top_plane = planes
    if head_plane is None or top_plane is None:
        return CAMERA_TOO_LOW if isinstance(projection, Camera) else HOMOGRAPHY_WITHOUT_CAMERA
    positions = head_plane.ground_from_pixels(heads)
    positions = positions[np.isfinite(positions).all(axis=1)]
    boxes = _boxes(projection.pixels_from_ground(positions), top_plane.pixels_from_ground(positions))
    return boxes if len(boxes) >= MIN_FRACTION_BELOW_HORIZON * len(heads) else HEADS_ABOVE_HORIZON


def plane_at_height(
    projection: GroundProjection, height_m: float, size: tuple[int, int], focal_length_px: float | None
) -> GroundProjection | None:
    """The projection to the plane at a height above the ground in metres; None if it is not defined, or too near.

    Seen from the same place, this plane is the ground of a camera that is lower by the height.
    """
    if isinstance(projection, Homography):
        return projection.at_height(height_m, size, focal_length_px)
    if projection.height_m - height_m < MIN_HEIGHT_ABOVE_HEADS_M:
        return None
    return replace(projection, height_m=projection.height_m - height_m)


def correct_for_heights(measurement: GroundMeasurement, focal_length_px: float | None) -> GroundMeasurement | str:
    """The measurement with all densities corrected for the unknown heights of people, or a reason.

    A taller person seems to be nearer. This scatters positions along the lines of sight, and hulls, which contain the
    extremes, become larger: by about det S / det (S − N), with the covariance S of positions in groups and that of the
    scatter N; ours. The upper bound of the interval is multiplied by the factor to the power of 1.5.
    """
    head_plane, taller_plane = (
        plane_at_height(measurement.projection, height_m, measurement.view.size, focal_length_px)
        for height_m in (HEAD_CENTRE_HEIGHT_M, HEAD_CENTRE_HEIGHT_M + STANDING_HEIGHT_SD_M)
    )
    if head_plane is None or taller_plane is None:
        return HEADS_TOO_FLAT
    positions, groups = measurement.positions_m, measurement.groups_m
    shifts = taller_plane.ground_from_pixels(head_plane.pixels_from_ground(positions)) - positions
    scatter = shifts.T @ shifts / len(shifts)
    centred = np.concatenate([group - group.mean(axis=0) for group in groups])
    spread = centred.T @ centred / len(centred)
    remaining = np.linalg.det(spread - scatter) if np.linalg.eigvalsh(spread - scatter).min() > 0 else 0.0
    if not remaining > np.linalg.det(spread) / MAX_AREA_FACTOR:
        return HEADS_TOO_FLAT
    factor = float(np.linalg.det(spread) / remaining)
    low, high = measurement.interval_per_m2
    return replace(
        measurement,
        density_per_m2=measurement.density_per_m2 * factor,
        people_per_position=measurement.people_per_position * factor,
        interval_per_m2=(low, high * factor**1.5),
    )


def _boxes(feet_px: Points, tops_px: Points) -> Boxes:
    """Boxes xywh in pixels between feet and tops of heads, `[num_people, 4]`; invalid ones are skipped."""
    heights = feet_px[:, 1] - tops_px[:, 1]
    widths = BOX_WIDTH_FRACTION * heights
    boxes = np.stack([feet_px[:, 0] - widths / 2, tops_px[:, 1], widths, heights], axis=1)
    return boxes[np.isfinite(boxes).all(axis=1) & (heights > 0)]


def _head_centres(scene: Scene) -> Points:
    """Centres of the heads of people in pixels, `[num_heads, 2]`, without ignore regions."""
    centres = box_centres(scene.person_head_boxes)
    return centres[np.isfinite(centres).all(axis=1)]

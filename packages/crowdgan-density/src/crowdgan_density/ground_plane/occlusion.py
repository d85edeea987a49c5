"""Fraction of the people that is occluded by nearer people, and therefore not annotated."""

from __future__ import annotations

import numpy as np

from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera
from crowdgan_core.utils.arrays import BoolArray, Boxes, Points

BODY_POINTS = np.array([(x, y) for y in (0.03, 0.1, 0.3, 0.55, 0.8) for x in (-0.05, 0.0, 0.05)])
"""Points of a standing body that must all be covered for it to be occluded, `[15, 2]`: offsets from the vertical axis
and from the top, as fractions of its height; ours."""

MAX_PEOPLE = 100
"""Maximum number of people between whom the ground is sampled; more are subsampled evenly, which saves time."""

MAX_OCCLUDED_FRACTION = 0.5
"""Maximum occluded fraction of the ground, ours: the density behind a dense row of people is unknown."""

CERTAIN_OVERLAP_FRACTION = 0.6
"""Fraction of their width that nearer people are assigned when testing whether an annotated person is occluded: a
visible elbow is enough to be annotated."""

HEAD_HEIGHT_FRACTION = 0.14
"""Height of the head as a fraction of a person's height."""

MIN_FEET_OFFSET_FRACTION = 0.02
"""Minimum offset of the feet of a nearer person, as a fraction of that person's height; below, it may be the same
person."""

OPAQUE_WIDTH_FRACTIONS = (0.12, 0.24)
"""Opaque widths of head and body, as fractions of a person's height; ours."""


def occluded_fraction(positions_m: Points, boxes_xywh: Boxes, camera: Camera) -> float:
    """Fraction of the people that is not annotated because nearer people occlude them, 0 to 1.

    On a fraction H of the ground a person would be occluded. If annotators skip occluded people, a fraction H of all
    people is not annotated. If they annotate everyone, the same fraction of the annotated people is occluded. Hence
    the result 1 − (1 − H) / (1 − occluded fraction of the annotated people).

    Args:
        positions_m: `[num_people, 2]` of the annotated people on the ground.
        boxes_xywh: `[num_nearer, 4]` full boxes in pixels of all people that may occlude others.
        camera: camera of the image.
    """
    if not len(positions_m):
        return 0.0
    sample = np.linspace(0, len(positions_m) - 1, min(len(positions_m), MAX_PEOPLE)).astype(int)
    of_people = float(_is_occluded(positions_m[sample], boxes_xywh, camera, CERTAIN_OVERLAP_FRACTION).mean())
    of_ground = occluded_ground_fraction(positions_m[sample], boxes_xywh, camera)
    return max(0.0, 1 - (1 - of_ground) / max(1 - of_people, 1 - MAX_OCCLUDED_FRACTION))


def occluded_ground_fraction(positions_m: Points, boxes_xywh: Boxes, camera: Camera) -> float:
    """Fraction of the ground between people on which a standing person would be occluded by nearer people, 0 to 1.

    The ground is sampled at the centroids of the Delaunay triangles of the positions, weighted by their areas.

    Args:
        positions_m: `[num_people, 2]` of people on the ground.
        boxes_xywh: `[num_nearer, 4]` full boxes in pixels of all people that may occlude others.
        camera: camera of the image.
    """
    from scipy.spatial import Delaunay, QhullError  # imported late: `crowdgan --help` must not load scipy

    try:
        corners = positions_m[Delaunay(positions_m).simplices]
    except (QhullError, ValueError):  # collinear, or fewer than three
        return 0.0
    sides = corners[:, 1:] - corners[:, :1]
    areas = np.abs(sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0])
    occluded = _is_occluded(corners.mean(axis=1), boxes_xywh, camera)
    return min(float((occluded * areas).sum() / areas.sum()), MAX_OCCLUDED_FRACTION)


def _is_occluded(positions_m: Points, boxes_xywh: Boxes, camera: Camera, width_factor: float = 1.0) -> BoolArray:
    """Whether a standing person at each position would be occluded, `[num_positions]`.

    Args:
        positions_m: `[num_positions, 2]`.
        boxes_xywh: `[num_nearer, 4]` full boxes in pixels of people that may occlude.
        camera: camera of the image.
        width_factor: factor of the opaque widths of these people.
    """
    ground = np.zeros((len(positions_m), 1))
    feet = camera.project(np.hstack([positions_m, ground]))
    heights = feet[:, 1] - camera.project(np.hstack([positions_m, ground + MEAN_HEIGHT_M]))[:, 1]
    x = feet[:, :1] + BODY_POINTS[:, 0] * heights[:, None]
    y = (feet[:, 1] - heights)[:, None] + BODY_POINTS[:, 1] * heights[:, None]
    covered = np.zeros(x.shape, bool)
    for left, top, width, height in boxes_xywh.tolist():
        is_nearer = feet[:, 1] < top + height - MIN_FEET_OFFSET_FRACTION * height
        from_top = (y - top) / height
        opaque_width = np.where(from_top < HEAD_HEIGHT_FRACTION, *OPAQUE_WIDTH_FRACTIONS) * width_factor * height
        is_inside = (from_top >= 0) & (from_top <= 1) & (np.abs(x - left - width / 2) <= opaque_width / 2)
        covered |= is_nearer[:, None] & is_inside
    return np.asarray(covered.all(axis=1))

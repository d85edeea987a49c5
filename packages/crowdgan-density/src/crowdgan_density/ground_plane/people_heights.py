"""Heights of people by a projection, and the reason why a projection does not fit the people of an image."""

from __future__ import annotations

import numpy as np

from crowdgan_core.scenes.camera import MEAN_HEIGHT_M, Camera
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_core.utils.formatting import format_plain
from crowdgan_density.ground_plane.calibration import inlier_mask, relative_heights
from crowdgan_density.ground_plane.homography import Homography
from crowdgan_density.ground_plane.view import GroundProjection, MeasuredView

MIN_PEOPLE = 5
"""Minimum number of people with boxes for the calibration of a camera."""

MIN_INLIER_FRACTION = 0.6
"""Minimum fraction of the boxes that must be consistent with one camera over flat ground."""

HOMOGRAPHY_HEIGHTS_M = (0.55, 3.0)
"""Plausible median heights of people by a homography in metres, ours: from boxes of half the body, or a homography that
does not determine the camera's pitch, to adults in loose boxes. 300 synthetic scenes have 1.61 to 1.74, the frames of
PETS2009 1.76 to 1.81; with feet instead of metres they would have 0.5, or 5."""

MAX_HOMOGRAPHY_SPREAD = 0.15
"""Maximum median relative deviation of people's heights by a homography from their median, ours. 300 synthetic scenes
have at most 0.06, and with 20 % outlier boxes 0.14; with a homography of the vertically mirrored image 98 % have
more."""


def people_heights_m(view: MeasuredView, projection: GroundProjection) -> FloatArray:
    """Heights of people in metres by a projection, `[num_finite]`, without those of people above the horizon."""
    if isinstance(projection, Camera):
        heights_m = relative_heights(view.boxes_xywh, projection) * MEAN_HEIGHT_M
    else:
        heights_m = projection.heights_m(view.feet_px, view.boxes_xywh[:, 1], view.size)
    return np.asarray(heights_m[np.isfinite(heights_m)])


def projection_problem(view: MeasuredView, projection: GroundProjection) -> str | None:
    """The reason why a projection does not fit the people of an image; None if it does, or without measured heights."""
    if not (view.heights_measured and len(view.boxes_xywh)):
        return None
    if isinstance(projection, Homography):
        problem = _homography_problem(people_heights_m(view, projection))
        return None if problem is None else f"the homography does not fit the image: {problem}"
    problem = _camera_problem(view, projection)
    return None if problem is None else f"the given camera does not fit the image: {problem}"


def _homography_problem(heights_m: FloatArray) -> str | None:
    if not len(heights_m):
        return "no person stands on its ground"
    median = float(np.median(heights_m))
    if not HOMOGRAPHY_HEIGHTS_M[0] <= median <= HOMOGRAPHY_HEIGHTS_M[1]:
        return f"{_describe_median(heights_m)}; check its unit and image size"
    spread = float(np.median(np.abs(heights_m / median - 1)))
    if spread > MAX_HOMOGRAPHY_SPREAD:
        return f"people's heights would differ by {spread:.0%} (median)"
    return None


def _camera_problem(view: MeasuredView, camera: Camera) -> str | None:
    inliers = inlier_mask(view.boxes_xywh, camera)
    if len(inliers) < MIN_PEOPLE or inliers.mean() >= MIN_INLIER_FRACTION:
        return None
    heights_m = people_heights_m(view, camera)
    if len(heights_m) < MIN_INLIER_FRACTION * len(inliers):
        return f"the feet of {len(inliers) - len(heights_m)} of {len(inliers)} people are above its horizon"
    return f"{_describe_median(heights_m)}; {1 - inliers.mean():.0%} of all boxes have implausible heights"


def _describe_median(heights_m: FloatArray) -> str:
    return f"people would be {format_plain(float(np.median(heights_m)))} m tall (median of {len(heights_m)} boxes)"

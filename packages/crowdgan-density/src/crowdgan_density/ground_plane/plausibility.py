"""Plausibility checks of a camera: reasons to distrust densities that have no visible fault themselves.

A wrong focal length, or one shared camera for images of two cameras, leaves densities that look normal. People's boxes
contradict them: heights that fit another focal length much better, or that are wrong in some images or in all. A shape
of boxes that standing people do not have reveals boxes of a part of the body.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.utils.arrays import Boxes, FloatArray
from crowdgan_core.utils.formatting import format_plain, join_limited
from crowdgan_core.utils.sampling import evenly_spaced
from crowdgan_density.ground_plane.calibration import (
    LOG_HEIGHT_SD,
    MEDIAN_SD_FACTOR,
    focal_length_log_evidence,
    inlier_mask,
    log_relative_heights,
)
from crowdgan_density.ground_plane.people_heights import MIN_INLIER_FRACTION, MIN_PEOPLE
from crowdgan_density.ground_plane.view import MeasuredView

FOCAL_FACTORS = (0.25, 1 / 3, 0.5, 2 / 3, 1.5, 2.0, 3.0, 4.0)
"""Factors of the stated focal length with which it is compared."""

MIN_LOG_EVIDENCE_RATIO = 10.5
"""Log of the ratio of the evidence for another focal length to that for the stated one above which there is a
warning, ours. 300 synthetic scenes with exact focal lengths have at most 4.6, sets of ten of them at most 10.0, and
with 20 % outlier boxes no scene has more than the limit. With 1 / 2.8 of the focal length 60 % of the scenes have more,
with half of it 34 %, and all sets of ten; with twice the focal length one in 100 scenes, and a third of the sets."""

MAX_IMAGES = 50
"""Maximum number of images whose people are compared with a focal length; more are sampled evenly."""

CAMERA_HEIGHTS_M = (1.0, 40.0)
"""Plausible camera heights in metres, ours: from below eye level to the roof of a house."""

MAX_HEIGHT_SDS = 3.5
"""Maximum median deviation of people's heights in one image from the mean height by a shared camera, in standard
errors, ours: of 276 synthetic scenes whose people were divided into six images none has more than 2.9. Of pairs of
scenes of two cameras, a fifth is refused for too few consistent boxes, and 90 % of the others have more than 3.5."""

MEDIAN_HEIGHTS_M = (1.45, 1.95)
"""Plausible median heights of people in metres, ours: from groups with many children to adults in loose boxes. 300
synthetic scenes have 1.61 to 1.74 by the homography of the camera, and the frames of PETS2009 1.76 to 1.81."""

MEDIAN_HEIGHT_SDS = 2.0
"""Number of standard errors of the median from which it is significantly outside the plausible range."""

NORMAL_MAD = 0.6745
"""Median absolute deviation of a normal distribution, in standard deviations."""

MEDIAN_WIDTHS = (0.18, 0.55)
"""Plausible median widths of full boxes in heights, ours. Images of synthetic people have 0.28 to 0.49, CrowdHuman and
MOTChallenge 0.32 to 0.38, and the frames of PETS2009 0.41 to 0.49; boxes of the upper half of the body have twice as
much."""


def focal_length_warning(images: Sequence[tuple[MeasuredView, float]]) -> str | None:
    """Reason to doubt the focal lengths of images, which may all be wrong by one factor; None if there is none.

    Args:
        images: people and stated focal length in pixels of each image.
    """
    factors = np.array([1.0, *FOCAL_FACTORS])
    evidence: FloatArray = np.zeros(len(factors))
    checked = [(view, focal) for view, focal in images if len(view.boxes_xywh) >= MIN_PEOPLE]
    for view, focal in evenly_spaced(checked, MAX_IMAGES):
        evidence += focal_length_log_evidence(view.boxes_xywh, view.size, focal * factors)
    best = int(evidence.argmax())
    if evidence[best] - evidence[0] <= MIN_LOG_EVIDENCE_RATIO:
        return None
    other = "longer" if factors[best] > 1 else "shorter"
    return (
        f"people's heights fit a {other} focal length much better than the stated one; "
        "check focal_mm35 or the EXIF data, and that images are not cropped"
    )


def camera_height_warning(camera: Camera) -> str | None:
    """Reason to doubt a camera of implausible height; None if there is none."""
    low, high = CAMERA_HEIGHTS_M
    if low <= camera.height_m <= high:
        return None
    return f"the camera would be {camera.height_m:.3g} m high; {low:g} to {high:g} m are plausible"


def people_heights_warning(heights_m: FloatArray, projection: str) -> str | None:
    """Reason to doubt a given projection by which people are too tall or too short; None if there is none.

    Args:
        heights_m: `[num_people]` heights of people by the projection in metres.
        projection: name of the projection, for example `homography`.
    """
    if len(heights_m) < MIN_PEOPLE:
        return None
    median = float(np.median(heights_m))
    sd = float(np.median(np.abs(heights_m - median))) / NORMAL_MAD
    margin = MEDIAN_HEIGHT_SDS * MEDIAN_SD_FACTOR * sd / math.sqrt(len(heights_m))
    low, high = MEDIAN_HEIGHTS_M
    if low - margin <= median <= high + margin:
        return None
    return (
        f"people would be {format_plain(median)} m tall by the {projection} (median of {len(heights_m)} boxes), and "
        f"{low:g} to {high:g} m are plausible; check its unit, its image size, and that boxes are those of full bodies"
    )


def box_shape_warning(boxes_xywh: Boxes) -> str | None:
    """Reason to doubt that boxes, `[num_people, 4]`, enclose full bodies, by their width; None if there is none."""
    if len(boxes_xywh) < MIN_PEOPLE:
        return None
    median = float(np.median(boxes_xywh[:, 2] / boxes_xywh[:, 3]))
    if MEDIAN_WIDTHS[0] <= median <= MEDIAN_WIDTHS[1]:
        return None
    return (
        f"boxes are {format_plain(median, 2)} times as wide as high (median of {len(boxes_xywh)}), and full bodies of "
        "standing people 0.3 to 0.5 times; boxes of a part of the body make densities wrong"
    )


def deviating_views(views: Sequence[MeasuredView], camera: Camera) -> list[int]:
    """Indices of the images whose people contradict a camera that all images share, in order.

    People of these images would be too tall or too small, or of very different heights: the camera was moved, or the
    images are of another camera. Images with fewer than `MIN_PEOPLE` people are not checked.
    """
    return [
        index for index, view in enumerate(views) if len(view.boxes_xywh) >= MIN_PEOPLE and _contradicts(view, camera)
    ]


def shared_camera_warning(names: Sequence[str], views: Sequence[MeasuredView], camera: Camera) -> str | None:
    """Reason to doubt that one camera took all images; None if there is none.

    Args:
        names: names of the images.
        views: people of the images.
        camera: the shared camera.
    """
    deviating = [names[index] for index in deviating_views(views, camera)]
    if not deviating:
        return None
    return (
        f"people's heights do not fit the shared camera in {len(deviating)} of {len(views)} images "
        f"({join_limited(deviating, 3)}): the camera was moved, or the images are of several cameras"
    )


def _contradicts(view: MeasuredView, camera: Camera) -> bool:
    """Whether the median height of people deviates significantly from the mean, or few boxes are inliers."""
    if inlier_mask(view.boxes_xywh, camera).mean() < MIN_INLIER_FRACTION:
        return True
    logs = log_relative_heights(view.boxes_xywh, camera)
    median_sd = MEDIAN_SD_FACTOR * LOG_HEIGHT_SD / math.sqrt(len(logs))
    return abs(float(np.median(logs[np.isfinite(logs)]))) > MAX_HEIGHT_SDS * median_sd

"""Cameras from a perspective: the number of pixels per metre on the ground at two rows of the image.

On flat ground seen by a camera without roll, the number of pixels per metre in the direction of the rows increases
linearly from 0 at the horizon: a cos θ / C pixels per metre, a rows below it. Two rows therefore give the horizon and
cos θ / C, and with the focal length the pitch θ = atan((cy − horizon) / f) and the camera height C.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.camera import FILM_LONG_SIDE_MM, Camera
from crowdgan_density.ground_plane.calibration import PRIOR_FOCAL_RANGE_35MM

NUM_FOCALS = 9
"""Number of equally probable focal lengths if the focal length is unknown; odd, so that their median is one of them."""


def check_perspective(perspective: Sequence[float], estimator: str) -> None:
    """Checks that a perspective has two rows with pixels per metre that increase downwards.

    Raises:
        ConfigError: it does not; the message names the estimator.
    """
    if len(perspective) != 4:
        raise ConfigError(
            f"{estimator}: perspective has {len(perspective)} numbers; it must have two rows with two each"
        )
    (upper, upper_scale), (lower, lower_scale) = sorted([tuple(perspective[:2]), tuple(perspective[2:])])
    if not (all(map(math.isfinite, perspective)) and upper < lower and 0 < upper_scale < lower_scale):
        raise ConfigError(
            f"{estimator}: perspective has {upper_scale:g} px per metre in row {upper:g} and {lower_scale:g} in row "
            f"{lower:g}; there must be two rows, and more pixels per metre in the lower one"
        )


def cameras_of_perspective(
    perspective: Sequence[float], size: tuple[int, int], focal_length_px: float | None
) -> list[Camera]:
    """Cameras with this perspective, equally probable, the median focal length first.

    Args:
        perspective: row in pixels and pixels per metre on the ground there, of two rows, as for `check_perspective`.
        size: `(height, width)` of the image in pixels.
        focal_length_px: focal length in pixels; None if unknown: 35 mm equivalents of 24 to 50 mm are equally probable.
    """
    row, scale, other_row, other_scale = perspective
    slope = (other_scale - scale) / (other_row - row)  # cos θ / C
    horizon = row - scale / slope
    if focal_length_px is not None:
        focals = [focal_length_px]
    else:
        focals = (np.geomspace(*PRIOR_FOCAL_RANGE_35MM, NUM_FOCALS) / FILM_LONG_SIDE_MM * max(size)).tolist()
    pitches = [math.atan((size[0] / 2 - horizon) / focal) for focal in focals]
    cameras = [
        Camera(height_m=math.cos(pitch) / slope, pitch_rad=pitch, focal_length_px=focal, size=size)
        for pitch, focal in zip(pitches, focals, strict=True)
    ]
    return [cameras[len(cameras) // 2], *cameras]

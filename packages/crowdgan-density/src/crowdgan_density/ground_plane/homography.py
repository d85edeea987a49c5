"""Homographies from the image to the ground, as published with some datasets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.arrays import FloatArray, Points

MAX_FILE_BYTES = 2**20
"""Maximum number of bytes read from a file; it contains eleven numbers."""

MIN_DETERMINANT = 1e-12
"""Determinant of the matrix, scaled to a largest element of 1, below which it counts as singular."""


@dataclass(frozen=True, kw_only=True)
class Homography:
    """A projective map from pixels to the ground in metres."""

    matrix: tuple[tuple[float, ...], ...]
    """3 x 3; maps (u, v, 1) in pixels to a multiple of (x, y, 1) in metres."""

    def ground_from_pixels(self, pixels: Points) -> Points:
        """Ground positions of pixels, `[num_points, 2]` metres; NaN on the horizon."""
        return map_points(np.array(self.matrix), pixels)

    def metres_per_pixel(self, pixels: Points) -> FloatArray:
        """Length on the ground of one pixel in the direction of the image rows, `[num_points]` metres."""
        left, right = (self.ground_from_pixels(pixels + np.array([shift, 0.0])) for shift in (-0.5, 0.5))
        return np.asarray(np.linalg.norm(right - left, axis=1))

    def pixels_from_ground(self, ground_m: Points) -> Points:
        """Pixels of ground positions, `[num_points, 2]`; NaN if a position has no projection."""
        return map_points(np.linalg.inv(np.array(self.matrix)), ground_m)


@lru_cache(maxsize=8)
def read_homography(path: Path, size: tuple[int, int]) -> Homography:
    """The homography in a JSON file: `image_to_ground_m`, 3 x 3, and optionally `image_size` [width, height].

    Args:
        path: the file.
        size: `(height, width)` of the images in pixels; a homography of another image size is scaled.

    Raises:
        ConfigError: the file cannot be read, or contains no homography; the message names it.
    """
    try:
        data = json.loads(path.read_bytes()[:MAX_FILE_BYTES])
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid JSON ({error})") from error
    matrix = _finite_array(data.get("image_to_ground_m") if isinstance(data, dict) else None, (3, 3))
    if matrix is None or abs(np.linalg.det(matrix / np.abs(matrix).max())) < MIN_DETERMINANT:
        raise ConfigError(f"{path}: image_to_ground_m must be an invertible 3 x 3 matrix from pixels to metres")
    if "image_size" in data:
        sides = _finite_array(data["image_size"], (2,))
        if sides is None or min(sides) <= 0:
            raise ConfigError(f"{path}: image_size must be [width, height] in pixels")
        matrix = matrix @ np.diag([sides[0] / size[1], sides[1] / size[0], 1.0])
    return Homography(matrix=tuple(tuple(row) for row in matrix.tolist()))


def map_points(matrix: FloatArray, points: Points) -> Points:
    """Points mapped by a 3 x 3 matrix, `[num_points, 2]`; NaN at infinity."""
    mapped = np.hstack([points, np.ones((len(points), 1))]) @ matrix.T
    return np.asarray(mapped[:, :2] / np.where(mapped[:, 2:] != 0, mapped[:, 2:], np.nan))


def _finite_array(value: Any, shape: tuple[int, ...]) -> FloatArray | None:
    """An array of finite numbers of a shape, not all 0; None for any other value."""
    try:
        array = np.array(value, float)
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array.shape == shape and np.isfinite(array).all() and array.any() else None

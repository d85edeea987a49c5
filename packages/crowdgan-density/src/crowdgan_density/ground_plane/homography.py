"""Homographies from the image to the ground, as published with some datasets."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.arrays import BoolArray, FloatArray, Points

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

    def is_ground(self, pixels: Points, ground_px: Points) -> BoolArray:
        """Whether pixels are on the same side of the horizon as a pixel that shows ground, `[num_points]`."""
        row = np.array(self.matrix[2])
        return np.asarray((pixels @ row[:2] + row[2]) * (ground_px @ row[:2] + row[2]) > 0)

    def metres_per_pixel(self, pixels: Points) -> FloatArray:
        """Length on the ground of one pixel in the direction of the image rows, `[num_points]` metres."""
        left, right = (self.ground_from_pixels(pixels + np.array([shift, 0.0])) for shift in (-0.5, 0.5))
        return np.asarray(np.linalg.norm(right - left, axis=1))

    def at_height(self, height_m: float, size: tuple[int, int], focal_length_px: float | None) -> Homography | None:
        """The homography of a plane at a height above the ground in metres; None if the camera is not determined.

        Source: the camera of a homography is that of Zhang, "A flexible new technique for camera calibration", PAMI
        2000, for square pixels and the principal point at the image centre.

        Args:
            height_m: height of the plane above the ground in metres.
            size: `(height, width)` of the image in pixels.
            focal_length_px: focal length in pixels; None: that of the homography.
        """
        to_centre = np.array([[1.0, 0.0, -size[1] / 2], [0.0, 1.0, -size[0] / 2], [0.0, 0.0, 1.0]])
        columns = to_centre @ np.linalg.inv(np.array(self.matrix))
        columns /= np.abs(columns).max()
        focal = focal_length_px or _focal_length(columns)
        if focal is None:
            return None
        rays = np.diag([1 / focal, 1 / focal, 1.0]) @ columns
        rays /= math.sqrt(float(np.linalg.norm(rays[:, 0]) * np.linalg.norm(rays[:, 1])))
        up = np.cross(rays[:, 0], rays[:, 1])
        if up @ rays[:, 2] > 0:  # the camera is above the ground
            up = -up
        rays[:, 2] += height_m * up
        matrix = np.linalg.inv(np.linalg.inv(to_centre) @ np.diag([focal, focal, 1.0]) @ rays)
        return Homography(matrix=tuple(tuple(row) for row in matrix.tolist()))

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


def _focal_length(columns: FloatArray) -> float | None:
    """Focal length in pixels from a map from the ground to centred pixels, 3 x 3; None if it has none.

    The axes of the ground have equal length and are perpendicular: two linear equations for 1/f².
    """
    (x1, x2), (y1, y2), (z1, z2) = columns[:, :2].tolist()
    factors = np.array([x1 * x2 + y1 * y2, x1**2 + y1**2 - x2**2 - y2**2])
    constants = np.array([z1 * z2, z1**2 - z2**2])
    inverse_square = -float(factors @ constants) / float(factors @ factors) if factors.any() else 0.0
    return 1 / math.sqrt(inverse_square) if inverse_square > 0 else None


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

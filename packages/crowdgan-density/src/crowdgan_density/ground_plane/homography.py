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
from crowdgan_core.utils.formatting import join_limited

MAX_FILE_BYTES = 2**20
"""Maximum number of bytes read from a file; it contains eleven numbers."""

MATRIX_KEY = "image_to_ground_m"
"""Key of the matrix in a file."""

MIN_DETERMINANT = 1e-12
"""Determinant of the matrix, scaled to a largest element of 1, below which it counts as singular."""

MAX_SHAPE_DIFFERENCE = 0.01
"""Maximum difference of the logarithms of two ratios of width to height that count as equal: sizes are rounded, and
videos of 1080 rows have up to 1088."""


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

    def projection_matrix(self, size: tuple[int, int], focal_length_px: float | None) -> FloatArray | None:
        """3 x 4 matrix from (x, y, z, 1) in metres, z up, to multiples of (u, v, 1) in pixels; None if not determined.

        Source: the camera of a homography is that of Zhang, "A flexible new technique for camera calibration", PAMI
        2000, for square pixels and the principal point at the image centre.

        Args:
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
        rays = np.column_stack([rays[:, :2], up, rays[:, 2]])
        return np.asarray(np.linalg.inv(to_centre) @ np.diag([focal, focal, 1.0]) @ rays)

    def at_height(self, height_m: float, size: tuple[int, int], focal_length_px: float | None) -> Homography | None:
        """The homography of a plane at a height above the ground in metres; None if the camera is not determined.

        Arguments other than the height are those of `projection_matrix`.
        """
        projection = self.projection_matrix(size, focal_length_px)
        if projection is None:
            return None
        plane = projection[:, [0, 1, 3]]
        plane[:, 2] += height_m * projection[:, 2]
        return Homography(matrix=tuple(tuple(row) for row in np.linalg.inv(plane).tolist()))

    def heights_m(self, feet_px: Points, top_rows_px: FloatArray, size: tuple[int, int]) -> FloatArray:
        """Heights in metres of people on the ground whose feet and uppermost rows are seen, `[num_people]`.

        If the homography does not determine the camera, it is assumed horizontal, and heights are too small by the
        cosine of the pitch. NaN on the horizon.

        Args:
            feet_px: `[num_people, 2]` feet in pixels.
            top_rows_px: `[num_people]` rows of the tops of heads in pixels.
            size: `(height, width)` of the image in pixels.
        """
        projection = self.projection_matrix(size, None)
        if projection is None:
            return np.asarray((feet_px[:, 1] - top_rows_px) * self.metres_per_pixel(feet_px))
        ground = self.ground_from_pixels(feet_px)
        down, depth = projection[[1, 2]][:, [0, 1, 3]] @ np.column_stack([ground, np.ones(len(ground))]).T
        slopes = top_rows_px * projection[2, 2] - projection[1, 2]
        return np.asarray((down - top_rows_px * depth) / np.where(slopes != 0, slopes, np.nan))

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
    _check_keys(path, data)
    matrix = _finite_array(data[MATRIX_KEY], (3, 3))
    if matrix is None or abs(np.linalg.det(matrix / np.abs(matrix).max())) < MIN_DETERMINANT:
        raise ConfigError(f"{path}: image_to_ground_m must be an invertible 3 x 3 matrix from pixels to metres")
    if "image_size" in data:
        sides = _finite_array(data["image_size"], (2,))
        if sides is None or min(sides) <= 0:
            raise ConfigError(f"{path}: image_size must be [width, height] in pixels")
        _check_shape(path, (float(sides[0]), float(sides[1])), size)
        matrix = matrix @ np.diag([sides[0] / size[1], sides[1] / size[0], 1.0])
    return Homography(matrix=tuple(tuple(row) for row in matrix.tolist()))


def _check_keys(path: Path, data: Any) -> None:
    """Checks that the content of a file is an object with a homography.

    Raises:
        ConfigError: it is not; the message names the keys.
    """
    keys = f"allowed are {MATRIX_KEY}, 3 x 3 from pixels to metres, and image_size, [width, height] in pixels"
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: the content must be an object; {keys}")
    if MATRIX_KEY not in data:
        found = join_limited(map(repr, data), 5) or "no keys"
        raise ConfigError(f"{path}: {MATRIX_KEY} is missing; found {found}, {keys}")


def _check_shape(path: Path, sides: tuple[float, float], size: tuple[int, int]) -> None:
    """Checks that images of a homography with the size `sides`, (width, height), are images of `size` (height, width).

    Raises:
        ConfigError: their ratios of width to height differ.
    """
    width, height = sides
    if abs(math.log(width / height * size[0] / size[1])) > MAX_SHAPE_DIFFERENCE:
        raise ConfigError(
            f"{path}: image_size is {width:g} x {height:g} px, and an image has {size[1]} x {size[0]} px; they must "
            "have the same ratio of width to height"
        )


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

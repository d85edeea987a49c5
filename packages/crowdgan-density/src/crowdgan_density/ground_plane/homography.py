"""Known homographies from the image to the ground, which real datasets come with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import ConfigError

Points = npt.NDArray[np.float64]

MAX_BYTES = 2**20
"""Size above which a file is refused: it holds eleven numbers."""


@dataclass(frozen=True, kw_only=True)
class Homography:
    """A projective map from pixels to the ground in metres."""

    matrix: tuple[tuple[float, ...], ...]
    """3 x 3; takes (u, v, 1) in pixels to (x, y, 1) in metres, times a factor."""

    def ground_from_pixels(self, pixels: Points) -> Points:
        """Ground that pixels show, `[num_points, 2]` metres; NaN on the horizon."""
        image = np.hstack([pixels, np.ones((len(pixels), 1))]) @ np.array(self.matrix).T
        return np.asarray(image[:, :2] / np.where(image[:, 2:] != 0, image[:, 2:], np.nan))

    def pixels_from_ground(self, ground_m: Points) -> Points:
        """Pixels that show ground, `[num_points, 2]`; NaN for ground that is nowhere in the plane of the image."""
        plane = np.hstack([ground_m, np.ones((len(ground_m), 1))]) @ np.linalg.inv(np.array(self.matrix)).T
        return np.asarray(plane[:, :2] / np.where(plane[:, 2:] != 0, plane[:, 2:], np.nan))


@lru_cache(maxsize=8)
def read_homography(path: Path, size: tuple[int, int]) -> Homography:
    """The homography in a JSON file: `image_to_ground_m`, 3 x 3, and optionally `image_size` [width, height].

    Args:
        path: the file.
        size: `(height, width)` of the images in pixels; a file for another size is scaled.

    Raises:
        ConfigError: the file cannot be read, or holds no homography; the message names it.
    """
    try:
        data = json.loads(path.read_bytes()[:MAX_BYTES])
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: no homography can be read ({error})") from error
    matrix = _numbers(data.get("image_to_ground_m") if isinstance(data, dict) else None, (3, 3))
    if matrix is None or abs(np.linalg.det(matrix / np.abs(matrix).max())) < 1e-12:
        raise ConfigError(f"{path}: image_to_ground_m must be an invertible 3 x 3 matrix from pixels to metres")
    if "image_size" in data:
        sides = _numbers(data["image_size"], (2,))
        if sides is None or min(sides) <= 0:
            raise ConfigError(f"{path}: image_size must be [width, height] in pixels")
        matrix = matrix @ np.diag([sides[0] / size[1], sides[1] / size[0], 1.0])
    return Homography(matrix=tuple(tuple(row) for row in matrix.tolist()))


def _numbers(value: Any, shape: tuple[int, ...]) -> Points | None:
    """An array of finite numbers of a shape; None where it is anything else."""
    try:
        array = np.array(value, float)
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array.shape == shape and np.isfinite(array).all() and array.any() else None

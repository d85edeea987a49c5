"""The network: blobs for people on open ground, as a function of image coordinates, so that transforms are exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]

LATENT_DIM = 5
"""Latent dimensions per blob: two for its position, three for its colour."""

POSITION_SD = 0.1
"""Standard deviation of a blob's position, in image widths."""

COLOUR_SD = 35.0
"""Standard deviation of a blob's colour, in grey levels."""

FAR_COLOUR, NEAR_COLOUR = np.array([[205, 214, 222], [150, 145, 138]], np.float32)
"""Colours of the ground, RGB."""


@dataclass(frozen=True, kw_only=True)
class View:
    """Size and transform of the image."""

    size: tuple[int, int]
    """`(height, width)` in pixels."""

    translate: tuple[float, float] = (0.0, 0.0)
    """Translation in image widths, right and down."""

    rotate_deg: float = 0.0
    """Counterclockwise rotation about the image centre, before the translation."""

    def points(self) -> tuple[Float32Array, Float32Array]:
        """Coordinates `[height, width]` of the pixels: x right and y down from the centre, in image widths."""
        height, width = self.size
        y, x = np.mgrid[:height, :width].astype(np.float32)
        x = (x + 0.5) / width - 0.5 - self.translate[0]
        y = (y + 0.5 - height / 2) / width - self.translate[1]
        cos, sin = np.cos(np.deg2rad(self.rotate_deg)), np.sin(np.deg2rad(self.rotate_deg))
        return cos * x - sin * y, sin * x + cos * y


def draw_crowd(count: float, positions: Float32Array, colours: Float32Array, view: View) -> npt.NDArray[np.uint8]:
    """An image `[height, width, 3]` of the first `count` blobs; a fractional part is the opacity of the last one.

    Args:
        count: number of blobs.
        positions: `[num_blobs, 2]` x and y of their feet, in image widths from the centre.
        colours: `[num_blobs, 3]` in grey levels.
        view: size and transform of the image.
    """
    x, y = view.points()
    shade = np.clip(0.5 + 0.7 * y, 0, 1)[..., None]
    image = (1 - shade) * FAR_COLOUR + shade * NEAR_COLOUR
    opacity = np.clip(count - np.arange(len(positions)), 0, 1)
    for index in np.argsort(positions[:, 1], kind="stable"):
        if opacity[index] > 0:
            depth = positions[index, 1]
            coverage = opacity[index] * _body_coverage(x - positions[index, 0], y - depth, depth, view)
            image = image * (1 - coverage[..., None]) + coverage[..., None] * colours[index]
    pixels: npt.NDArray[np.uint8] = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return pixels


def _body_coverage(x: Float32Array, y: Float32Array, depth: float, view: View) -> Float32Array:
    """Fraction of each pixel covered by a body with its feet at the origin; bodies lower in the image are larger."""
    height = 0.12 + 0.1 * (depth + 0.5)
    sharpness = view.size[1] * height / 4
    torso = 1 - np.hypot(x / (0.2 * height), (y + 0.4 * height) / (0.4 * height))
    head = 1 - np.hypot(x / (0.12 * height), (y + 0.9 * height) / (0.13 * height))
    coverage: Float32Array = np.clip(np.maximum(torso, 0.5 * head) * sharpness + 0.5, 0, 1)
    return coverage

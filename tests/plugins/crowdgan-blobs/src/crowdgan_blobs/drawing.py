"""The network: blobs for people on an open place, as a function of where one looks, so that it can be moved exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

Z_WIDTH = 5
"""Numbers per blob in the latent: two for its place, three for its colour."""

PLACE_SPREAD = 0.1
"""How far the latent moves a blob, in image widths per standard deviation."""

COLOUR_SPREAD = 35.0
"""How far it shifts a colour, in grey levels per standard deviation."""


FAR, NEAR = np.array([[205, 214, 222], [150, 145, 138]], np.float32)
"""Colours of the ground."""


@dataclass(frozen=True, kw_only=True)
class View:
    """Where one looks at the place, and in how many pixels."""

    size: tuple[int, int]
    """`(height, width)` in pixels."""

    translate: tuple[float, float] = (0.0, 0.0)
    """By how much the image is moved, in its widths, right and down."""

    rotate_deg: float = 0.0
    """By how much it is turned about its centre before that, anticlockwise."""

    def points(self) -> tuple[Floats, Floats]:
        """The places that the pixels show: x to the right and y down from the centre, in image widths."""
        height, width = self.size
        y, x = np.mgrid[:height, :width].astype(np.float32)
        x = (x + 0.5) / width - 0.5 - self.translate[0]
        y = (y + 0.5 - height / 2) / width - self.translate[1]
        cos, sin = np.cos(np.deg2rad(self.rotate_deg)), np.sin(np.deg2rad(self.rotate_deg))
        return cos * x - sin * y, sin * x + cos * y


def draw_crowd(count: float, places: Floats, colours: Floats, view: View) -> npt.NDArray[np.uint8]:
    """An image `[height, width, 3]` of the first `count` blobs; the last one fades in with the fraction.

    Args:
        count: number of blobs.
        places: `[num_blobs, 2]` x and y of their feet, in image widths from the centre.
        colours: `[num_blobs, 3]` in grey levels.
        view: where one looks.
    """
    x, y = view.points()
    shade = np.clip(0.5 + 0.7 * y, 0, 1)[..., None]
    image = (1 - shade) * FAR + shade * NEAR
    present = np.clip(count - np.arange(len(places)), 0, 1)
    for index in np.argsort(places[:, 1], kind="stable"):
        if present[index] > 0:
            cover = present[index] * _body(x - places[index, 0], y - places[index, 1], places[index, 1], view)
            image = image * (1 - cover[..., None]) + cover[..., None] * colours[index]
    drawn: npt.NDArray[np.uint8] = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return drawn


def _body(x: Floats, y: Floats, depth: float, view: View) -> Floats:
    """How much of each pixel a body covers whose feet are at the origin; those further down are nearer, so larger."""
    tall = 0.12 + 0.1 * (depth + 0.5)
    edge = view.size[1] * tall / 4
    torso = 1 - np.hypot(x / (0.2 * tall), (y + 0.4 * tall) / (0.4 * tall))
    head = 1 - np.hypot(x / (0.12 * tall), (y + 0.9 * tall) / (0.13 * tall))
    cover: Floats = np.clip(np.maximum(torso, 0.5 * head) * edge + 0.5, 0, 1)
    return cover

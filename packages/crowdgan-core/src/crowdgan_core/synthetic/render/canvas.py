"""A layer to draw flat shapes on that stand somewhere in the world."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.synthetic.render.sky import Colour, haze_share

Array = npt.NDArray[np.float64]

OVERSAMPLING = 2
"""Buildings are drawn this many times larger and averaged down."""

PREMULTIPLIED = "RGBX"
"""Mode of canvases: four plain channels, the last holding alpha; averaging then yields colours multiplied by alpha."""

FARTHEST_PX = 1e5
"""Polygons with corners farther from the image than this are left out, for they are seen from too near."""


class Canvas:
    """Draws flat shapes that stand in the world onto an enlarged layer, with haze."""

    def __init__(self, layer: Image.Image, camera: Camera, haze: Colour) -> None:
        self.draw = ImageDraw.Draw(layer)
        self.layer_size = np.array(layer.size)
        self.camera = camera
        self.haze = haze

    def quads(self, corners_m: Array, colours: Array) -> None:
        """Fills polygons; those outside the layer or with a corner behind the camera are left out.

        Args:
            corners_m: `[num_quads, num_corners, 3]` metres.
            colours: `[num_quads, 3]` or `[3]` RGB.
        """
        count, corners, _ = corners_m.shape
        pixels = self.camera.project(corners_m.reshape(-1, 3)).reshape(count, corners, 2) * OVERSAMPLING - 0.5
        share = haze_share(corners_m[..., 1].mean(axis=1))[:, None]
        inks = (np.broadcast_to(colours, (count, 3)) * (1 - share) + self.haze * share).clip(0, 255).astype(int)
        usable = np.isfinite(pixels).all(axis=(1, 2)) & (np.abs(pixels) < FARTHEST_PX).all(axis=(1, 2))
        low, high = pixels.min(axis=1), pixels.max(axis=1)
        usable &= (high > 0).all(axis=1) & (low < self.layer_size).all(axis=1)
        for outline, ink in zip(pixels[usable].reshape(-1, 2 * corners).tolist(), inks[usable].tolist(), strict=True):
            self.draw.polygon(outline, (*ink, 255))

    def highest_m(self, y_m: float) -> float:
        """Height in metres up to which things at this forward distance are safely before the camera."""
        sin = math.sin(self.camera.pitch_rad)
        if sin <= 0:
            return math.inf
        return self.camera.height_m + 0.8 * y_m * math.cos(self.camera.pitch_rad) / sin


def facade_quads(x_m: Array, y_m: Array, low_m: Array, high_m: Array) -> Array:
    """Upright rectangles over ground segments, `[num_quads, 4, 3]` metres.

    Args:
        x_m: `[num_quads, 2]` ends of the segments.
        y_m: `[num_quads, 2]`.
        low_m: `[num_quads]` lower edges.
        high_m: `[num_quads]` upper edges.
    """
    start, end = np.stack([x_m[:, 0], y_m[:, 0]], axis=1), np.stack([x_m[:, 1], y_m[:, 1]], axis=1)
    corners = [(start, low_m), (end, low_m), (end, high_m), (start, high_m)]
    return np.stack([np.column_stack([ground, up]) for ground, up in corners], axis=1)


def disc_quads(centres_m: Array, radii_m: Array) -> Array:
    """Upright discs facing the camera as 10-sided polygons, `[num_discs, 10, 3]` metres."""
    turns = 2 * np.pi * np.arange(10) / 10
    ring = np.stack([np.cos(turns), np.zeros(10), np.sin(turns)], axis=1)
    return np.asarray(centres_m[:, None] + ring * radii_m[:, None, None])

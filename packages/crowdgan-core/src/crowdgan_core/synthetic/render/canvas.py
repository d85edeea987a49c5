"""Oversampled image layer for flat polygons at positions in the world."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.synthetic.haze import Colour, haze_fraction
from crowdgan_core.utils.arrays import FloatArray

OVERSAMPLING_FACTOR = 2
"""Factor by which scenery is enlarged while it is drawn, for antialiasing."""

CANVAS_MODE = "RGBa"
"""Pillow mode of canvases: colours premultiplied by alpha, so that averages of pixels are correct."""

MAX_COORDINATE_PX = 1e5
"""Maximum distance of a polygon's corner from the image's origin in pixels; farther polygons are skipped."""


class Canvas:
    """Draws flat polygons, given in metres, with haze onto an enlarged layer."""

    def __init__(self, layer: Image.Image, camera: Camera, haze: Colour) -> None:
        self.draw = ImageDraw.Draw(layer)
        self.layer_size = np.array(layer.size)
        self.camera = camera
        self.haze = haze

    def draw_polygons(self, corners_m: FloatArray, colours: FloatArray) -> None:
        """Fills polygons; polygons outside the layer, or with a corner behind the camera, are skipped.

        Args:
            corners_m: `[num_polygons, num_corners, 3]` metres.
            colours: `[num_polygons, 3]` or `[3]` RGB.
        """
        count, num_corners, _ = corners_m.shape
        pixels = self.camera.project(corners_m.reshape(-1, 3)).reshape(count, num_corners, 2)
        pixels = pixels * OVERSAMPLING_FACTOR
        fraction = haze_fraction(corners_m[..., 1].mean(axis=1))[:, None]
        fills = np.broadcast_to(colours, (count, 3)) * (1 - fraction) + self.haze * fraction
        fills = fills.clip(0, 255).astype(int)
        drawable = np.isfinite(pixels).all(axis=(1, 2)) & (np.abs(pixels) < MAX_COORDINATE_PX).all(axis=(1, 2))
        low, high = pixels.min(axis=1), pixels.max(axis=1)
        drawable &= (high > 0).all(axis=1) & (low < self.layer_size).all(axis=1)
        outlines = pixels[drawable].reshape(-1, 2 * num_corners).tolist()
        for outline, fill in zip(outlines, fills[drawable].tolist(), strict=True):
            self.draw.polygon(outline, (*fill, 255))

    def max_height_m(self, y_m: float) -> float:
        """Height in metres up to which objects at this forward distance are in front of the camera, with a margin."""
        sin = math.sin(self.camera.pitch_rad)
        if sin <= 0:
            return math.inf
        return self.camera.height_m + 0.8 * y_m * math.cos(self.camera.pitch_rad) / sin


def upright_rectangles(x_m: FloatArray, y_m: FloatArray, low_m: FloatArray, high_m: FloatArray) -> FloatArray:
    """Upright rectangles over ground segments, `[num_rectangles, 4, 3]` metres.

    Args:
        x_m: `[num_rectangles, 2]` x of the segments' ends.
        y_m: `[num_rectangles, 2]` y of the segments' ends.
        low_m: `[num_rectangles]` heights of the lower edges.
        high_m: `[num_rectangles]` heights of the upper edges.
    """
    start, end = np.stack([x_m[:, 0], y_m[:, 0]], axis=1), np.stack([x_m[:, 1], y_m[:, 1]], axis=1)
    corners = [(start, low_m), (end, low_m), (end, high_m), (start, high_m)]
    return np.stack([np.column_stack([ground, up]) for ground, up in corners], axis=1)


def upright_discs(centres_m: FloatArray, radii_m: FloatArray) -> FloatArray:
    """Upright discs parallel to the image's rows, as 10-sided polygons, `[num_discs, 10, 3]` metres."""
    angles = 2 * np.pi * np.arange(10) / 10
    ring = np.stack([np.cos(angles), np.zeros(10), np.sin(angles)], axis=1)
    return np.asarray(centres_m[:, None] + ring * radii_m[:, None, None])

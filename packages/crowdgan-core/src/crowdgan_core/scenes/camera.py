"""A pinhole camera over a flat ground plane: conversion between metres and pixels.

The camera has height C above the ground, pitch θ below the horizontal, focal length f and no roll; the principal
point is the image centre (cx, cy). Ground coordinates in metres: x to the right, y forward, z up, with the origin
on the ground below the camera. Pixel coordinates are continuous: the pixel in row i and column j covers
`[j, j + 1) × [i, i + 1)`, so that the centre of an image of size (height, width) is (width / 2, height / 2).

A row v lies δ(v) = θ + atan((v − cy)/f) below the horizontal. A point (x, y, z) projects to

    u = cx + f · x / d,   v = cy + f · ((C − z) cos θ − y sin θ) / d,   d = y cos θ + (C − z) sin θ,

hence y = (C − z) / tan δ(v) and x = (u − cx) · d / f.

Source: the pinhole model without roll, as in Hoiem, Efros and Hebert, "Putting Objects in Perspective", CVPR 2006,
who approximate for small pitch; these formulas are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.arrays import Points

MEAN_HEIGHT_M = 1.685
"""Mean standing height of a person in metres (value of the published tool); sets the scale of images of people."""

FILM_LONG_SIDE_MM = 36.0
"""Long side of a 35 mm film frame in mm (ISO 1007: 24 mm x 36 mm), to which `FocalLengthIn35mmFilm` refers."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera without roll over a flat ground plane.

    Raises:
        ConfigError: height or focal length is not positive, pitch is not between -π/2 and π/2, or the image is empty.
    """

    height_m: float
    """C, height of the camera above the ground in metres."""

    pitch_rad: float
    """θ, angle of the optical axis below the horizontal in radians; negative if the camera looks up."""

    focal_length_px: float
    """f, focal length in pixels."""

    size: tuple[int, int]
    """`(height, width)` of the image in pixels."""

    def __post_init__(self) -> None:
        for name in ("height_m", "focal_length_px"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"camera: {name} is {value}; it must be above 0")
        if not abs(self.pitch_rad) < math.pi / 2:
            raise ConfigError(f"camera: pitch_rad is {self.pitch_rad}; it must lie between -π/2 and π/2")
        if min(self.size) < 1:
            raise ConfigError(f"camera: size is {self.size}; height and width must be at least 1 px")

    def __repr__(self) -> str:
        """For example `Camera(5.1 m high, 19.6° down, 560 px, 640x480)`."""
        pitch_deg = math.degrees(self.pitch_rad)
        direction = "down" if pitch_deg >= 0 else "up"
        height, width = self.size
        angle = f"{abs(pitch_deg):.1f}° {direction}"
        return f"Camera({self.height_m:.1f} m high, {angle}, {self.focal_length_px:.0f} px, {width}x{height})"

    @property
    def centre_px(self) -> tuple[float, float]:
        """Principal point (cx, cy) in pixels."""
        height, width = self.size
        return width / 2, height / 2

    @property
    def horizon_row(self) -> float:
        """Row of the horizon in pixels, cy − f tan θ, possibly outside the image."""
        return self.centre_px[1] - self.focal_length_px * math.tan(self.pitch_rad)

    def depression(self, rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Angle of rows below the horizontal in radians, δ(v) = θ + atan((v − cy)/f); negative above the horizon.

        Args:
            rows: rows v in pixels, of any shape.
        """
        tangents = (np.asarray(rows, float) - self.centre_px[1]) / self.focal_length_px
        return np.asarray(self.pitch_rad + np.arctan(tangents))

    def row_of_distance(self, distances_m: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Rows in pixels of the ground at forward distances; the inverse of y = C / tan δ(v).

        Args:
            distances_m: forward distances y in metres, of any shape.
        """
        distances = np.asarray(distances_m, float)
        points = np.stack([np.zeros(distances.size), distances.ravel(), np.zeros(distances.size)], axis=1)
        return self.project(points)[:, 1].reshape(distances.shape)

    def depth(self, points_m: Points) -> npt.NDArray[np.float64]:
        """Distance along the optical axis in metres, d = y cos θ + (C − z) sin θ, `[num_points]`.

        A length of 1 m perpendicular to the optical axis at this depth measures f / d pixels.

        Args:
            points_m: `[num_points, 3]` points (x, y, z) in metres.
        """
        below = self.height_m - points_m[:, 2]
        return np.asarray(points_m[:, 1] * math.cos(self.pitch_rad) + below * math.sin(self.pitch_rad))

    def project(self, points_m: Points) -> Points:
        """Pixels (u, v) of points, `[num_points, 2]`; NaN for points that are not in front of the camera.

        Args:
            points_m: `[num_points, 3]` points (x, y, z) in metres.
        """
        points = np.asarray(points_m, float).reshape(-1, 3)
        depth = self.depth(points)
        depth = np.where(depth > 0, depth, np.nan)
        below = self.height_m - points[:, 2]
        down = below * math.cos(self.pitch_rad) - points[:, 1] * math.sin(self.pitch_rad)
        scale = self.focal_length_px / depth
        return np.stack([self.centre_px[0] + scale * points[:, 0], self.centre_px[1] + scale * down], axis=1)

    def ground_from_pixels(self, pixels: Points) -> Points:
        """Ground coordinates (x, y) of pixels in metres, `[num_points, 2]`; NaN at and above the horizon.

        y = C / tan δ(v) and x = (u − cx)(y cos θ + C sin θ)/f.

        Args:
            pixels: `[num_points, 2]` pixel coordinates (u, v).
        """
        pixels = np.asarray(pixels, float).reshape(-1, 2)
        tangents = (pixels[:, 1] - self.centre_px[1]) / self.focal_length_px
        drop = math.sin(self.pitch_rad) + tangents * math.cos(self.pitch_rad)
        depth = self.height_m / np.where(drop > 0, drop, np.nan)
        x_m = (pixels[:, 0] - self.centre_px[0]) * depth / self.focal_length_px
        y_m = depth * (math.cos(self.pitch_rad) - tangents * math.sin(self.pitch_rad))
        return np.stack([x_m, y_m], axis=1)

    def pixels_from_ground(self, ground_m: Points) -> Points:
        """Pixels (u, v) of ground points, `[num_points, 2]`; NaN for points that are not in front of the camera.

        Args:
            ground_m: `[num_points, 2]` points (x, y) on the ground in metres.
        """
        return self.project(np.hstack([ground_m, np.zeros((len(ground_m), 1))]))

    def visible_ground(self, max_distance_m: float) -> Points:
        """Visible ground up to a forward distance: a trapezoid in metres, `[4, 2]`, or `[0, 2]` if it is empty.

        The corners are near left, near right, far right, far left (counter-clockwise seen from above). The far side
        is at `max_distance_m` or at the top edge of the image, whichever is nearer.

        Args:
            max_distance_m: forward distance y in metres, finite.
        """
        height, width = self.size
        far_row = float(self.row_of_distance(max_distance_m))
        if not far_row < height:  # nearer than the bottom edge of the image, or NaN: behind the camera
            return np.empty((0, 2))
        far_row = max(0.0, far_row)
        corners = np.array([[0, height], [width, height], [width, far_row], [0, far_row]], float)
        return self.ground_from_pixels(corners)


def polygon_area_m2(polygon_m: Points) -> float:
    """Area of a simple polygon in m², by the shoelace formula; 0 for fewer than three corners.

    Args:
        polygon_m: `[num_corners, 2]` corners in metres, in either direction.
    """
    x, y = np.asarray(polygon_m, float).reshape(-1, 2).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def focal_length_px(focal_35mm: float, size: tuple[int, int]) -> float:
    """Focal length in pixels from the 35 mm equivalent, f = f35 / 36 mm · longer side.

    Args:
        focal_35mm: 35 mm equivalent in mm (EXIF `FocalLengthIn35mmFilm`, tag 0xA405).
        size: `(height, width)` of the full image in pixels, before any crop.

    Raises:
        ConfigError: the focal length is not positive.

    Source: CIPA DC-008 (EXIF), tag 0xA405. Some cameras compare the diagonal of the frame instead of its long side,
    a difference of 4 % at an aspect ratio of 4:3.
    """
    if not (math.isfinite(focal_35mm) and focal_35mm > 0):
        raise ConfigError(f"35 mm equivalent focal length is {focal_35mm} mm; it must be above 0")
    return focal_35mm / FILM_LONG_SIDE_MM * max(size)

"""A pinhole camera over flat ground: from metres to pixels and back.

The camera stands at height C over the ground, looks down by the pitch θ, has focal length f and no roll; the principal
point is the image's centre (cx, cy). Ground coordinates in metres: x to the right, y forward, z up, with the origin
on the ground below the camera. Pixel coordinates are continuous: the pixel in row i and column j covers
`[j, j + 1) × [i, i + 1)`, so that the centre of an image of size (height, width) is (width / 2, height / 2).

A row v lies δ(v) = θ + atan((v − cy)/f) below the horizontal. A point (x, y, z) is seen at

    u = cx + f · x / d,   v = cy + f · ((C − z) cos θ − y sin θ) / d,   d = y cos θ + (C − z) sin θ,

which gives y = (C − z) / tan δ(v) and x = (u − cx) · d / f.

Source: the pinhole model without roll, as in Hoiem, Efros and Hebert, "Putting Objects in Perspective", CVPR 2006,
there for small pitch; here exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.arrays import Points

MEAN_HEIGHT_M = 1.685
"""Mean standing height of a person in metres (as in the original tool), which gives images of people a scale."""

FILM_LONG_SIDE_MM = 36.0
"""Long side of a 35 mm film frame in mm (ISO 1007: 24 mm x 36 mm), to which `FocalLengthIn35mmFilm` refers."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera without roll over flat ground.

    Raises:
        ConfigError: height or focal length not above 0, pitch not within a quarter turn, or an empty image.
    """

    height_m: float
    """C, height of the camera over the ground in metres."""

    pitch_rad: float
    """θ, angle of the view axis below the horizontal in radians; negative when it looks up."""

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

    @property
    def centre_px(self) -> tuple[float, float]:
        """Principal point (cx, cy) in pixels."""
        height, width = self.size
        return width / 2, height / 2

    @property
    def horizon_row(self) -> float:
        """Row of the horizon in pixels, cy − f tan θ; it may lie outside the image."""
        return self.centre_px[1] - self.focal_length_px * math.tan(self.pitch_rad)

    def depression(self, rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Angle of rows below the horizontal in radians, δ(v) = θ + atan((v − cy)/f); above the horizon it is negative.

        Args:
            rows: rows v in pixels, of any shape.
        """
        tangents = (np.asarray(rows, float) - self.centre_px[1]) / self.focal_length_px
        return np.asarray(self.pitch_rad + np.arctan(tangents))

    def row_of_distance(self, distances_m: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Rows in pixels at which ground at these forward distances is seen; the inverse of y = C / tan δ(v).

        Args:
            distances_m: forward distances y in metres, of any shape.
        """
        distances = np.asarray(distances_m, float)
        points = np.stack([np.zeros(distances.size), distances.ravel(), np.zeros(distances.size)], axis=1)
        return self.project(points)[:, 1].reshape(distances.shape)

    def depth(self, points_m: Points) -> npt.NDArray[np.float64]:
        """Distance along the view axis in metres, d = y cos θ + (C − z) sin θ, `[num_points]`.

        A length of 1 m across the view at this depth measures f / d pixels.

        Args:
            points_m: `[num_points, 3]` points (x, y, z) in metres.
        """
        below = self.height_m - points_m[:, 2]
        return np.asarray(points_m[:, 1] * math.cos(self.pitch_rad) + below * math.sin(self.pitch_rad))

    def project(self, points_m: Points) -> Points:
        """Where points are seen, `[num_points, 2]` pixels (u, v); NaN for points that are not before the camera.

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
        """Ground that pixels show, `[num_points, 2]` metres (x, y); NaN at and above the horizon.

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
        """Where ground is seen, `[num_points, 2]` pixels (u, v); NaN for ground that is not before the camera.

        Args:
            ground_m: `[num_points, 2]` points (x, y) on the ground in metres.
        """
        return self.project(np.hstack([ground_m, np.zeros((len(ground_m), 1))]))

    def visible_ground(self, max_distance_m: float) -> Points:
        """The ground that the image shows up to a forward distance: a trapezoid in metres, `[4, 2]` or `[0, 2]`.

        Its corners run near left, near right, far right, far left (counter-clockwise seen from above). It ends at the
        image's top edge where that is nearer than `max_distance_m`. It is empty, `[0, 2]`, when no ground within the
        distance is seen.

        Args:
            max_distance_m: forward distance y in metres, finite.
        """
        height, width = self.size
        far_row = float(self.row_of_distance(max_distance_m))
        if not far_row < height:  # nearer than the bottom edge shows, or NaN: not before the camera
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
    """Focal length in pixels of an image whose 35 mm equivalent is known, f = f35 / 36 mm · longer side.

    Args:
        focal_35mm: 35 mm equivalent in mm (EXIF `FocalLengthIn35mmFilm`, tag 0xA405).
        size: (height, width) of the whole image in pixels; a cropped one shows less than its lens did.

    Raises:
        ConfigError: the focal length is not above 0.

    Source: CIPA DC-008 (EXIF), tag 0xA405. Cameras differ on whether the long side or the diagonal of the frame is
    compared, which makes 4% at 4:3.
    """
    if not (math.isfinite(focal_35mm) and focal_35mm > 0):
        raise ConfigError(f"35 mm equivalent focal length is {focal_35mm} mm; it must be above 0")
    return focal_35mm / FILM_LONG_SIDE_MM * max(size)

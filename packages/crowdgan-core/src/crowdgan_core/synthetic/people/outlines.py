"""Outlines of projected body parts (limbs, ellipsoids, trunks), in layers that approximate shading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdgan_core.synthetic.people.skeleton import joint_positions
from crowdgan_core.utils.arrays import FloatArray

LAYER_WIDTHS = np.linspace(1.0, 0.16, 8)
"""Widths of the shading layers of a rounded part relative to its radius, from the rim to the highlight; ours."""

LAYER_SHIFTS = 0.6 * (1 - LAYER_WIDTHS)
"""Shifts of the layers towards the light relative to the radius, such that each layer lies inside the first."""

LAYER_BRIGHTNESS = 0.64 + 0.48 * (1 - LAYER_WIDTHS**2) ** 0.7
"""Relative brightness of the layers; ours."""

NUM_CORNERS = 16
"""Corners of an outline; even."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyView:
    """View of bodies from the camera: a parallel projection for each body, with its own azimuth and depression."""

    facing: FloatArray
    """`[num_people]` angle from the direction to the camera to the face, in radians, positive to the right."""

    depression: FloatArray
    """`[num_people]` angle of the line of sight below the horizontal in radians."""

    light: FloatArray
    """`[2]` direction to the light in the image, (right, up), of length at most 1."""

    def __len__(self) -> int:
        return len(self.facing)

    def joints(self, right: FloatArray | float, ahead: FloatArray | float, up: FloatArray | float) -> FloatArray:
        """Joints at these body coordinates, `[num_people, 3]`."""
        return joint_positions(len(self), right, ahead, up)

    def project(self, joints: FloatArray) -> FloatArray:
        """View coordinates (right, up) of joints, `[num_people, 2]`."""
        lateral = joints[:, 1] * np.sin(self.facing) - joints[:, 0] * np.cos(self.facing)
        up = joints[:, 2] * np.cos(self.depression) - self._ground_offset(joints) * np.sin(self.depression)
        return np.stack([lateral, up], axis=1)

    def nearness(self, joints: FloatArray) -> FloatArray:
        """Position of joints along the line of sight, `[num_people]`; larger values are nearer to the camera."""
        towards = self._ground_offset(joints) * np.cos(self.depression)
        return np.asarray(towards + joints[:, 2] * np.sin(self.depression))

    def _ground_offset(self, joints: FloatArray) -> FloatArray:
        """Horizontal offset of joints towards the camera, `[num_people]`."""
        return np.asarray(joints[:, 0] * np.sin(self.facing) + joints[:, 1] * np.cos(self.facing))

    def half_breadth(self, right: FloatArray | float, ahead: FloatArray | float) -> FloatArray:
        """Half the projected breadth of an upright elliptic cylinder with these half axes, `[num_people]`."""
        return np.asarray(np.hypot(right * np.cos(self.facing), ahead * np.sin(self.facing)))

    def half_depth(self, right: FloatArray | float, ahead: FloatArray | float) -> FloatArray:
        """Half the horizontal extent of that cylinder along the line of sight, `[num_people]`."""
        return np.asarray(np.hypot(right * np.sin(self.facing), ahead * np.cos(self.facing)))


def limb_outlines(
    view: BodyView,
    start: FloatArray,
    end: FloatArray,
    start_radius: FloatArray | float,
    end_radius: FloatArray | float,
) -> FloatArray:
    """Outlines of tapered limbs with round ends, `[num_people, num_layers, NUM_CORNERS, 2]`.

    Args:
        view: view of the bodies.
        start: `[num_people, 3]` joints.
        end: `[num_people, 3]` joints.
        start_radius: radius at the start.
        end_radius: radius at the end.
    """
    a, b = view.project(start)[:, None, None], view.project(end)[:, None, None]
    length = np.linalg.norm(b - a, axis=-1, keepdims=True)
    axis = np.where(length > 1e-6, (b - a) / np.maximum(length, 1e-6), np.array([0.0, -1.0]))
    normal = np.stack([-axis[..., 1], axis[..., 0]], axis=-1)
    angles = np.linspace(-np.pi / 2, np.pi / 2, NUM_CORNERS // 2)[:, None]
    cap = np.cos(angles) * axis + np.sin(angles) * normal
    first, last = (np.broadcast_to(radius, len(view))[:, None, None, None] for radius in (start_radius, end_radius))
    widths, shifts = LAYER_WIDTHS[:, None, None], LAYER_SHIFTS[:, None, None] * view.light
    return np.concatenate([b + last * (widths * cap + shifts), a + first * (shifts - widths * cap)], axis=2)


def ellipsoid_outlines(
    view: BodyView, centre: FloatArray, half_axes: tuple[float, float, float], jaw: float = 0.0
) -> FloatArray:
    """Outlines of ellipsoids, `[num_people, num_layers, NUM_CORNERS, 2]`.

    Args:
        view: view of the bodies.
        centre: `[num_people, 3]` joints.
        half_axes: half axes right, ahead and up.
        jaw: relative narrowing of the lowest point; 0 gives an ellipsoid.
    """
    right, ahead, up = half_axes
    rise = np.hypot(up * np.cos(view.depression), view.half_depth(right, ahead) * np.sin(view.depression))
    half = np.stack([view.half_breadth(right, ahead), rise], axis=1)[:, None, None]
    angles = 2 * np.pi * np.arange(NUM_CORNERS) / NUM_CORNERS
    narrowing = 1 - jaw * np.maximum(0, -np.sin(angles))
    circle = np.stack([np.cos(angles) * narrowing, np.sin(angles)], axis=1)
    return np.asarray(
        view.project(centre)[:, None, None]
        + half * (LAYER_WIDTHS[:, None, None] * circle + LAYER_SHIFTS[:, None, None] * view.light)
    )


def trunk_outlines(
    view: BodyView, levels: tuple[tuple[FloatArray | float, FloatArray | float, FloatArray | float], ...]
) -> FloatArray:
    """Outlines of a stack of horizontal ellipses, `[num_people, num_layers, NUM_CORNERS, 2]`.

    Args:
        view: view of the bodies.
        levels: height, half breadth and half depth of each ellipse, from top to bottom, at most NUM_CORNERS / 2; they
            are interpolated linearly.
    """
    middles = np.stack([view.project(view.joints(0.0, 0.0, up)) for up, _, _ in levels], axis=1)
    halves = np.stack([view.half_breadth(breadth, depth) for _, breadth, depth in levels], axis=1)
    position = np.linspace(0, len(levels) - 1, NUM_CORNERS // 2)
    index = position.astype(int).clip(max=len(levels) - 2)
    weight = position - index
    middles = middles[:, index] * (1 - weight)[:, None] + middles[:, index + 1] * weight[:, None]
    halves = halves[:, index] * (1 - weight) + halves[:, index + 1] * weight
    offsets = halves[..., None] * np.array([1.0, 0.0])
    widths, shifts = LAYER_WIDTHS[:, None, None], LAYER_SHIFTS[:, None, None]
    shifted = middles[:, None] + offsets[:, None] * shifts * view.light[0]
    reach = widths * offsets[:, None]
    return np.concatenate([shifted + reach, (shifted - reach)[:, :, ::-1]], axis=2)

"""Round parts of bodies as the camera sees them: outlines of limbs, balls and trunks, in layers of shading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdgan_core.synthetic.people.skeleton import Array, joint

LAYER_WIDTHS = np.linspace(1.0, 0.16, 8)
"""Widths of the layers of shading of a round part in radii, from the rim to the highlight; ours."""

LAYER_SHIFTS = 0.6 * (1 - LAYER_WIDTHS)
"""Shifts of the layers towards the light in radii, such that no layer leaves the first."""

LAYER_TONES = 0.64 + 0.48 * (1 - LAYER_WIDTHS**2) ** 0.7
"""Brightness of the layers; ours."""

CORNERS = 16
"""Corners of an outline; even."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyView:
    """How the camera sees bodies: in parallel projection, each from its own side and height."""

    facing: Array
    """`[num_people]` angle of the face off the direction to the camera, positive to the image's right, radians."""

    depression: Array
    """`[num_people]` angle of the line of sight below the horizontal, radians."""

    light: Array
    """`[2]` direction to the light in the image, right and up, of length at most 1."""

    def __len__(self) -> int:
        return len(self.facing)

    def joint(self, right: Array | float, ahead: Array | float, up: Array | float) -> Array:
        """`[num_people, 3]` joints at these body coordinates."""
        return joint(len(self), right, ahead, up)

    def seen(self, joints: Array) -> Array:
        """Places (right, up) of joints in the view, `[num_people, 2]`."""
        lateral = joints[:, 1] * np.sin(self.facing) - joints[:, 0] * np.cos(self.facing)
        up = joints[:, 2] * np.cos(self.depression) - self._toward(joints) * np.sin(self.depression)
        return np.stack([lateral, up], axis=1)

    def nearness(self, joints: Array) -> Array:
        """How near joints are along the line of sight, `[num_people]`; more is nearer."""
        return np.asarray(self._toward(joints) * np.cos(self.depression) + joints[:, 2] * np.sin(self.depression))

    def _toward(self, joints: Array) -> Array:
        """Offsets of joints on the ground towards the camera, `[num_people]`."""
        return np.asarray(joints[:, 0] * np.sin(self.facing) + joints[:, 1] * np.cos(self.facing))

    def half_extent(self, right: Array | float, ahead: Array | float) -> Array:
        """Half the seen breadth of an upright cylinder with these elliptic half axes, `[num_people]`."""
        return np.asarray(np.hypot(right * np.cos(self.facing), ahead * np.sin(self.facing)))

    def half_depth(self, right: Array | float, ahead: Array | float) -> Array:
        """Half its extent along the line of sight on the ground, `[num_people]`."""
        return np.asarray(np.hypot(right * np.sin(self.facing), ahead * np.cos(self.facing)))


def limb(view: BodyView, start: Array, end: Array, start_radius: Array | float, end_radius: Array | float) -> Array:
    """Outlines of tapered limbs with round ends, `[num_people, num_layers, CORNERS, 2]`.

    Args:
        view: how they are seen.
        start: `[num_people, 3]` joints.
        end: `[num_people, 3]` joints.
        start_radius: thickness at the start.
        end_radius: thickness at the end.
    """
    a, b = view.seen(start)[:, None, None], view.seen(end)[:, None, None]
    length = np.linalg.norm(b - a, axis=-1, keepdims=True)
    axis = np.where(length > 1e-6, (b - a) / np.maximum(length, 1e-6), np.array([0.0, -1.0]))
    normal = np.stack([-axis[..., 1], axis[..., 0]], axis=-1)
    turns = np.linspace(-np.pi / 2, np.pi / 2, CORNERS // 2)[:, None]
    cap = np.cos(turns) * axis + np.sin(turns) * normal
    first, last = (np.broadcast_to(radius, len(view))[:, None, None, None] for radius in (start_radius, end_radius))
    widths, shifts = LAYER_WIDTHS[:, None, None], LAYER_SHIFTS[:, None, None] * view.light
    return np.concatenate([b + last * (widths * cap + shifts), a + first * (shifts - widths * cap)], axis=2)


def ball(view: BodyView, centre: Array, half_axes: tuple[float, float, float], jaw: float = 0.0) -> Array:
    """Outlines of ellipsoids, `[num_people, num_layers, CORNERS, 2]`.

    Args:
        view: how they are seen.
        centre: `[num_people, 3]` joints.
        half_axes: half axes right, ahead and up.
        jaw: how much narrower the lowest part is than the middle; 0 an ellipsoid.
    """
    right, ahead, up = half_axes
    rise = np.hypot(up * np.cos(view.depression), view.half_depth(right, ahead) * np.sin(view.depression))
    half = np.stack([view.half_extent(right, ahead), rise], axis=1)[:, None, None]
    turns = 2 * np.pi * np.arange(CORNERS) / CORNERS
    narrowing = 1 - jaw * np.maximum(0, -np.sin(turns))
    circle = np.stack([np.cos(turns) * narrowing, np.sin(turns)], axis=1)
    return np.asarray(
        view.seen(centre)[:, None, None]
        + half * (LAYER_WIDTHS[:, None, None] * circle + LAYER_SHIFTS[:, None, None] * view.light)
    )


def trunk(view: BodyView, levels: tuple[tuple[Array | float, Array | float, Array | float], ...]) -> Array:
    """Outlines of a stack of upright elliptic levels, `[num_people, num_layers, CORNERS, 2]`.

    Args:
        view: how they are seen.
        levels: height, half breadth and half depth of each, from the top to the bottom, CORNERS / 2 at most; more
            levels are put between them.
    """
    middles = np.stack([view.seen(view.joint(0.0, 0.0, up)) for up, _, _ in levels], axis=1)
    halves = np.stack([view.half_extent(breadth, depth) for _, breadth, depth in levels], axis=1)
    where = np.linspace(0, len(levels) - 1, CORNERS // 2)
    below, share = where.astype(int).clip(max=len(levels) - 2), where - where.astype(int).clip(max=len(levels) - 2)
    middles = middles[:, below] * (1 - share)[:, None] + middles[:, below + 1] * share[:, None]
    halves = halves[:, below] * (1 - share) + halves[:, below + 1] * share
    offsets = halves[..., None] * np.array([1.0, 0.0])
    widths, shifts = LAYER_WIDTHS[:, None, None], LAYER_SHIFTS[:, None, None]
    moved = middles[:, None] + offsets[:, None] * shifts * view.light[0]
    reach = widths * offsets[:, None]
    return np.concatenate([moved + reach, (moved - reach)[:, :, ::-1]], axis=2)

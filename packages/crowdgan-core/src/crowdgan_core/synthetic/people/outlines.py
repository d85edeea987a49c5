"""Outlines of projected body parts (limbs, ellipsoids, trunks), and the layers that approximate their shading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crowdgan_core.synthetic.people.skeleton import joint_positions
from crowdgan_core.utils.arrays import FloatArray, IndexArray

LAYER_WIDTHS = np.linspace(1.0, 0.16, 8)
"""Widths of the shading layers of a rounded part relative to its radius, from the rim to the highlight; ours."""

LAYER_SHIFTS = 0.6 * (1 - LAYER_WIDTHS)
"""Shifts of the layers towards the light relative to the radius, such that each layer lies inside the first."""

LAYER_BRIGHTNESS = 0.64 + 0.48 * (1 - LAYER_WIDTHS**2) ** 0.7
"""Relative brightness of the layers; ours."""

NUM_CORNERS = 16
"""Corners of an outline; even."""

CAP_COSINES, CAP_SINES = (f(np.linspace(-np.pi / 2, np.pi / 2, NUM_CORNERS // 2))[:, None] for f in (np.cos, np.sin))
"""Corners of the round end of a limb: components along its axis and normal to it."""

LIMB_COARSE, TRUNK_COARSE = np.array([0, 2, 5, 7, 8, 10, 13, 15]), np.array([0, 1, 4, 7, 8, 11, 14, 15])
ELLIPSOID_COARSE = np.arange(0, NUM_CORNERS, 2)
"""Half of the corners, for small bodies: sides of limbs; shoulders, waists and hems of trunks; axes of ellipsoids."""

Limb = tuple[FloatArray, FloatArray, FloatArray | float, FloatArray | float]
"""Joints `[num_people, 3]` at the start and the end of a limb, and its radii there."""


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
        """View coordinates (right, up) of joints `[..., num_people, 3]`, `[..., num_people, 2]`."""
        lateral = joints[..., 1] * self._sin_facing - joints[..., 0] * self._cos_facing
        up = joints[..., 2] * self._cos_depression - self._ground_offset(joints) * self._sin_depression
        return np.stack([lateral, up], axis=-1)

    def nearness(self, joints: FloatArray) -> FloatArray:
        """Position of joints along the line of sight, `[num_people]`; larger values are nearer to the camera."""
        towards = self._ground_offset(joints) * self._cos_depression
        return np.asarray(towards + joints[:, 2] * self._sin_depression)

    def half_breadth(self, right: FloatArray | float, ahead: FloatArray | float) -> FloatArray:
        """Half the projected breadth of an upright elliptic cylinder with these half axes, `[num_people]`."""
        return np.asarray(np.hypot(right * self._cos_facing, ahead * self._sin_facing))

    def half_depth(self, right: FloatArray | float, ahead: FloatArray | float) -> FloatArray:
        """Half the horizontal extent of that cylinder along the line of sight, `[num_people]`."""
        return np.asarray(np.hypot(right * self._sin_facing, ahead * self._cos_facing))

    def _ground_offset(self, joints: FloatArray) -> FloatArray:
        """Horizontal offset of joints towards the camera, `[..., num_people]`."""
        return np.asarray(joints[..., 0] * self._sin_facing + joints[..., 1] * self._cos_facing)

    @cached_property
    def _sin_facing(self) -> FloatArray:
        return np.asarray(np.sin(self.facing))

    @cached_property
    def _cos_facing(self) -> FloatArray:
        return np.asarray(np.cos(self.facing))

    @cached_property
    def _sin_depression(self) -> FloatArray:
        return np.asarray(np.sin(self.depression))

    @cached_property
    def _cos_depression(self) -> FloatArray:
        return np.asarray(np.cos(self.depression))


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundedOutlines:
    """Outlines of rounded pieces in all layers: spine + width · reach + shift · lift, with the layer's width and shift.

    The arrays are `[..., NUM_CORNERS, 2]`.
    """

    spine: FloatArray
    """Points to which the layers shrink."""

    reach: FloatArray
    """Offsets from the spine to the rim."""

    lift: FloatArray
    """Offsets of the highlight towards the light, per unit of shift."""

    coarse: IndexArray
    """`[..., NUM_CORNERS / 2]` corners that are enough for a small body."""

    @property
    def rim(self) -> FloatArray:
        """The largest outline, which contains those of all other layers."""
        return np.asarray(self.spine + self.reach)

    def layers(self, layers: IndexArray) -> FloatArray:
        """Outline of each piece in one of its layers, an index into `LAYER_WIDTHS`; of the arrays' shape."""
        widths, shifts = LAYER_WIDTHS[layers, None, None], LAYER_SHIFTS[layers, None, None]
        return np.asarray(self.spine + widths * self.reach + shifts * self.lift)

    def take(self, rows: IndexArray, columns: IndexArray) -> RoundedOutlines:
        """The pieces at these indices of the first two dimensions."""
        index = rows, columns
        spine, reach, lift = self.spine[index], self.reach[index], self.lift[index]
        return RoundedOutlines(spine=spine, reach=reach, lift=lift, coarse=self.coarse[columns])


def stack_outlines(pieces: Sequence[RoundedOutlines]) -> RoundedOutlines:
    """Pieces `[num_people, NUM_CORNERS, 2]` as one object, `[num_people, num_pieces, NUM_CORNERS, 2]`."""
    return RoundedOutlines(
        spine=np.stack([piece.spine for piece in pieces], axis=1),
        reach=np.stack([piece.reach for piece in pieces], axis=1),
        lift=np.stack([piece.lift for piece in pieces], axis=1),
        coarse=np.stack([piece.coarse for piece in pieces]),
    )


def limb_outlines(view: BodyView, *limbs: Limb) -> tuple[RoundedOutlines, ...]:
    """Outlines of tapered limbs with round ends, `[num_people, NUM_CORNERS, 2]` of each limb."""
    ends = view.project(np.array([(end, start) for start, end, _, _ in limbs]))
    radii = np.stack([np.broadcast_to(radius, len(view)) for _, _, start, end in limbs for radius in (end, start)])
    radii = radii.reshape(len(limbs), 2, len(view), 1)
    offset = ends[:, 0] - ends[:, 1]
    length = np.hypot(offset[..., 0], offset[..., 1])[..., None]
    axis = np.where(length > 1e-6, offset / np.maximum(length, 1e-6), np.array([0.0, -1.0]))[..., None, :]
    normal = np.stack([-axis[..., 1], axis[..., 0]], axis=-1)
    cap = CAP_COSINES * axis + CAP_SINES * normal
    corners = [
        np.concatenate(np.broadcast_arrays(*halves, cap)[:2], axis=2)
        for halves in (
            ends[..., None, :].swapaxes(0, 1),
            (radii[:, 0, ..., None] * cap, -radii[:, 1, ..., None] * cap),
            (radii * view.light)[..., None, :].swapaxes(0, 1),
        )
    ]
    return tuple(
        RoundedOutlines(spine=spine, reach=reach, lift=lift, coarse=LIMB_COARSE)
        for spine, reach, lift in zip(*corners, strict=True)
    )


def ellipsoid_outlines(
    view: BodyView, centre: FloatArray, half_axes: tuple[float, float, float], jaw: float = 0.0
) -> RoundedOutlines:
    """Outlines of ellipsoids, `[num_people, NUM_CORNERS, 2]`.

    Args:
        view: view of the bodies.
        centre: `[num_people, 3]` joints.
        half_axes: half axes right, ahead and up.
        jaw: relative narrowing of the lowest point; 0 gives an ellipsoid.
    """
    right, ahead, up = half_axes
    rise = np.hypot(up * np.cos(view.depression), view.half_depth(right, ahead) * np.sin(view.depression))
    half = np.stack([view.half_breadth(right, ahead), rise], axis=1)[:, None]
    angles = 2 * np.pi * np.arange(NUM_CORNERS) / NUM_CORNERS
    narrowing = 1 - jaw * np.maximum(0, -np.sin(angles))
    reach = half * np.stack([np.cos(angles) * narrowing, np.sin(angles)], axis=1)
    return RoundedOutlines(
        spine=np.broadcast_to(view.project(centre)[:, None], reach.shape),
        reach=reach,
        lift=np.broadcast_to(half * view.light, reach.shape),
        coarse=ELLIPSOID_COARSE,
    )


def trunk_outlines(
    view: BodyView, levels: tuple[tuple[FloatArray | float, FloatArray | float, FloatArray | float], ...]
) -> RoundedOutlines:
    """Outlines of a stack of horizontal ellipses, `[num_people, NUM_CORNERS, 2]`.

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
    lift = offsets * view.light[0]
    return RoundedOutlines(
        spine=np.concatenate([middles, middles[:, ::-1]], axis=1),
        reach=np.concatenate([offsets, -offsets[:, ::-1]], axis=1),
        lift=np.concatenate([lift, lift[:, ::-1]], axis=1),
        coarse=TRUNK_COARSE,
    )

"""Bodies put together from round parts, in units of standing height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.synthetic.people.appearance import SLOTS, Wardrobe
from crowdgan_core.synthetic.people.outlines import BodyView, ball, limb, trunk
from crowdgan_core.synthetic.people.skeleton import (
    CHIN_HEIGHT,
    HIP_BREADTH,
    SHOULDER_BREADTH,
    SIDES,
    Array,
    arm_joints,
    leg_joints,
)

Flags = npt.NDArray[np.bool_]

ORDER_LEGS, ORDER_SKIRT, ORDER_BODY, ORDER_NECK, ORDER_HEAD = 0.0, 10.0, 20.0, 30.0, 40.0
"""Kinds of parts from first to last drawn; within a kind, the nearer comes later."""

FRONT_SEEN = 0.35
"""Cosine of the angle of the face off the camera from which on fronts and features are seen."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyPart:
    """One part of all bodies, drawn in one go: layer by layer, within a layer piece by piece."""

    outlines: Array
    """`[num_people, num_layers, num_pieces, CORNERS, 2]`, in body units (right, up)."""

    slots: tuple[int, ...]
    """Colour of each piece, an index into `SLOTS`."""

    order: Array
    """`[num_people]`; parts are drawn in increasing order."""

    shown: Flags
    """`[num_people]` whether the person has this part."""

    is_head: bool = False
    """Whether the part belongs to the head box."""

    fine: bool = False
    """Whether the part is drawn on large bodies only."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Gait:
    """How people move and how broad they are, `[num_people]` each, as in `Person`."""

    stride: Array
    phase_rad: Array
    girth: Array

    @property
    def shoulders(self) -> Array:
        """Half the breadth over the shoulders; half as variable as the girth."""
        return np.asarray(0.5 * SHOULDER_BREADTH * (0.5 + 0.5 * self.girth))

    @property
    def hips(self) -> Array:
        """Half the breadth of the hips."""
        return np.asarray(0.5 * HIP_BREADTH * self.girth)


def body_parts(view: BodyView, gait: Gait, wardrobe: Wardrobe) -> tuple[BodyPart, ...]:
    """All parts of the bodies in the view, in body units."""
    return (
        *(_leg(view, gait, side) for side in SIDES),
        _skirt(view, gait, wardrobe),
        *(_arm(view, gait, side, wardrobe.bends_rad[:, index]) for index, side in enumerate(SIDES)),
        _torso(view, gait, wardrobe),
        _shirt(view, wardrobe),
        _bag(view, wardrobe),
        *_head(view, wardrobe),
        _features(view),
    )


def _leg(view: BodyView, gait: Gait, side: float) -> BodyPart:
    joints, thick = leg_joints(side, gait.stride, gait.phase_rad, gait.girth), np.sqrt(gait.girth)
    shoe = limb(view, joints["heel"], joints["toe"], 0.020, 0.019)
    shank = limb(view, joints["knee"], joints["ankle"], 0.037 * thick, 0.026 * thick)
    thigh = limb(view, joints["hip"], joints["knee"], 0.054 * thick, 0.039 * thick)
    nearness = view.nearness(0.5 * (joints["knee"] + joints["ankle"]))
    return _part(view, (shoe, shank, thigh), ("shoe", "shank", "bottom"), ORDER_LEGS + nearness + 1e-3 * side)


def _arm(view: BodyView, gait: Gait, side: float, bend_rad: Array) -> BodyPart:
    joints, thick = arm_joints(side, gait.stride, gait.phase_rad, gait.girth, bend_rad), np.sqrt(gait.girth)
    hand = limb(view, joints["wrist"], joints["hand"], 0.016, 0.020)
    forearm = limb(view, joints["elbow"], joints["wrist"], 0.027 * thick, 0.020 * thick)
    upper = limb(view, joints["shoulder"], joints["elbow"], 0.035 * thick, 0.029 * thick)
    order = ORDER_BODY + view.nearness(joints["elbow"]) - view.nearness(view.joint(0.0, 0.0, 0.65))
    return _part(view, (hand, forearm, upper), ("skin", "sleeve", "top"), order)


def _torso(view: BodyView, gait: Gait, wardrobe: Wardrobe) -> BodyPart:
    """The trunk down to the hem of the top, and the shoulders over it."""
    hem = np.where(wardrobe.long_coat, 0.36, 0.475)
    shoulders, hips, girth = gait.shoulders, gait.hips * np.where(wardrobe.long_coat, 1.06, 1.0), gait.girth
    chest = trunk(
        view,
        (
            (0.832, 0.40 * shoulders, 0.045),
            (0.800, 0.76 * shoulders, 0.058 * girth),
            (0.700, 0.84 * shoulders, 0.070 * girth),
            (0.620, 0.40 * shoulders + 0.50 * hips, 0.066 * girth),
            (0.540, 1.02 * hips, 0.070 * girth),
            (hem + 0.02, 1.06 * hips, 0.072 * girth),
            (hem, 1.00 * hips, 0.068 * girth),
        ),
    )
    right, left = (view.joint(side * 0.48 * shoulders, -0.005, 0.803) for side in SIDES)
    return _part(view, (limb(view, right, left, 0.034, 0.034), chest), ("top", "top"), ORDER_BODY)


def _skirt(view: BodyView, gait: Gait, wardrobe: Wardrobe) -> BodyPart:
    hips, girth = gait.hips, gait.girth
    levels = (
        (0.60, 0.90 * hips, 0.060 * girth),
        (0.52, 1.05 * hips, 0.072 * girth),
        (0.42, 1.18 * hips, 0.083 * girth),
        (0.30, 1.32 * hips, 0.094 * girth),
    )
    return _part(view, (trunk(view, levels),), ("bottom",), ORDER_SKIRT, shown=wardrobe.skirt)


def _shirt(view: BodyView, wardrobe: Wardrobe) -> BodyPart:
    """What an open jacket shows, on those whose front is seen."""
    front = limb(view, view.joint(0.0, 0.058, 0.79), view.joint(0.0, 0.064, 0.53), 0.026, 0.02)
    shown = wardrobe.open_jacket & (np.cos(view.facing) > FRONT_SEEN)
    return _part(view, (front,), ("shirt",), ORDER_BODY + 1e-3, shown=shown)


def _bag(view: BodyView, wardrobe: Wardrobe) -> BodyPart:
    bottom = view.joint(0.0, -0.095, 0.635)
    bag = limb(view, view.joint(0.0, -0.085, 0.765), bottom, 0.055, 0.068)
    order = ORDER_BODY + 1.5 * (view.nearness(bottom) - view.nearness(view.joint(0.0, 0.0, 0.65)))
    return _part(view, (bag,), ("bag",), order, shown=wardrobe.backpack)


def _head(view: BodyView, wardrobe: Wardrobe) -> tuple[BodyPart, ...]:
    """Neck, face and hair; the hair lies behind the face of those who look to the camera, else before it."""
    length = 1.0 - CHIN_HEIGHT
    neck = limb(view, view.joint(0.0, -0.004, 0.825), view.joint(0.0, 0.008, 0.895), 0.029, 0.026)
    face = ball(view, view.joint(0.0, 0.020, CHIN_HEIGHT + 0.39 * length), (0.037, 0.041, 0.40 * length), jaw=0.22)
    hair = ball(view, view.joint(0.0, -0.006, CHIN_HEIGHT + 0.61 * length), (0.044, 0.053, 0.40 * length))
    fall = limb(view, view.joint(0.0, -0.032, 0.93), view.joint(0.0, -0.045, 0.835), 0.040, 0.046)
    towards = np.cos(view.facing) * np.cos(view.depression) - 0.4 * np.sin(view.depression)
    hair_order = ORDER_HEAD + np.where(towards > 0.12, -1.0, 2.0)
    fall_order = np.where(np.cos(view.facing) > 0, ORDER_BODY - 5, ORDER_HEAD + 3)
    return (
        _part(view, (fall,), ("hair",), fall_order, shown=wardrobe.long_hair),
        _part(view, (neck,), ("skin",), ORDER_NECK),
        _part(view, (face,), ("skin",), ORDER_HEAD, is_head=True),
        _part(view, (hair,), ("hair",), hair_order, is_head=True),
    )


def _features(view: BodyView) -> BodyPart:
    """Eyes, brows, nose and mouth of large faces that are seen."""
    pieces = []
    for side in SIDES:
        for up, radius in ((0.930, 0.0030), (0.9395, 0.0020)):
            start, end = (view.joint(side * right, 0.056, up) for right in (0.0125, 0.0185))
            pieces.append(limb(view, start, end, radius, radius))
    pieces.append(limb(view, view.joint(0.0, 0.060, 0.928), view.joint(0.0, 0.068, 0.910), 0.0035, 0.0070))
    pieces.append(limb(view, view.joint(-0.010, 0.056, 0.8935), view.joint(0.010, 0.056, 0.8935), 0.0030, 0.0030))
    slots = ("eye", "hair", "eye", "hair", "skin", "lips")
    return _part(view, tuple(pieces), slots, ORDER_HEAD + 1.0, shown=np.cos(view.facing) > FRONT_SEEN, fine=True)


def _part(
    view: BodyView,
    pieces: tuple[Array, ...],
    slots: tuple[str, ...],
    order: Array | float,
    *,
    shown: Flags | None = None,
    is_head: bool = False,
    fine: bool = False,
) -> BodyPart:
    """A part of these pieces `[num_people, num_layers, CORNERS, 2]`; everybody has it if `shown` is None."""
    return BodyPart(
        outlines=np.stack(pieces, axis=2),
        slots=tuple(SLOTS.index(slot) for slot in slots),
        order=np.broadcast_to(order, len(view)),
        shown=np.ones(len(view), bool) if shown is None else shown,
        is_head=is_head,
        fine=fine,
    )

"""Bodies composed of rounded parts, in units of standing height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdgan_core.synthetic.people.appearance import COLOUR_SLOTS, Appearance
from crowdgan_core.synthetic.people.outlines import (
    BodyView,
    Limb,
    RoundedOutlines,
    ellipsoid_outlines,
    limb_outlines,
    trunk_outlines,
)
from crowdgan_core.synthetic.people.skeleton import (
    CHIN_HEIGHT,
    HIP_BREADTH,
    SHOULDER_BREADTH,
    SIDES,
    arm_joints,
    leg_joints,
)
from crowdgan_core.utils.arrays import BoolArray, FloatArray

LEG_ORDER, SKIRT_ORDER, TRUNK_ORDER, NECK_ORDER, HEAD_ORDER = 0.0, 10.0, 20.0, 30.0, 40.0
"""Drawing order of the parts; parts of one kind are sorted by nearness, the farthest first."""

DETAIL_MIN_HEIGHT_PX = 200
"""Minimum body height in pixels for parts that are drawn on large bodies only; ours."""

MIN_FRONT_COSINE = 0.35
"""Cosine of the angle between face and camera from which shirt fronts and facial features are visible; ours."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyPart:
    """One part of all bodies. Its layers are drawn one after the other, each with all its pieces."""

    pieces: tuple[RoundedOutlines, ...]
    """Pieces `[num_people, NUM_CORNERS, 2]`, in body units (right, up)."""

    slots: tuple[int, ...]
    """Colour of each piece, an index into `COLOUR_SLOTS`."""

    radius: float
    """Typical radius of the pieces in body units; large radii in pixels need many layers."""

    order: FloatArray
    """`[num_people]`; parts are drawn in increasing order."""

    visible: BoolArray
    """`[num_people]` whether the person has this part."""

    is_head: bool = False
    """Whether the part belongs to the head box."""

    is_detail: bool = False
    """Whether the part is drawn on large bodies only."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Gait:
    """Gait and girth of people, `[num_people]` each, as in `SyntheticPerson`."""

    stride: FloatArray
    phase_rad: FloatArray
    girth: FloatArray

    @property
    def half_shoulders(self) -> FloatArray:
        """Half the breadth of the shoulders; it varies half as much as the girth."""
        return np.asarray(0.5 * SHOULDER_BREADTH * (0.5 + 0.5 * self.girth))

    @property
    def half_hips(self) -> FloatArray:
        """Half the breadth of the hips."""
        return np.asarray(0.5 * HIP_BREADTH * self.girth)


def body_parts(view: BodyView, gait: Gait, appearance: Appearance, *, has_details: bool) -> tuple[BodyPart, ...]:
    """All parts of the bodies in the view, in body units; facial features only with `has_details`."""
    return (
        *(_leg(view, gait, side) for side in SIDES),
        _skirt(view, gait, appearance),
        *(_arm(view, gait, side, appearance.bends_rad[:, index]) for index, side in enumerate(SIDES)),
        _torso(view, gait, appearance),
        _shirt(view, appearance),
        _bag(view, appearance),
        *_head(view, appearance),
        *([_facial_features(view)] if has_details else []),
    )


def _leg(view: BodyView, gait: Gait, side: float) -> BodyPart:
    joints, thickness = leg_joints(side, gait.stride, gait.phase_rad, gait.girth), np.sqrt(gait.girth)
    shoe = joints["heel"], joints["toe"], 0.020, 0.019
    shank = joints["knee"], joints["ankle"], 0.037 * thickness, 0.026 * thickness
    thigh = joints["hip"], joints["knee"], 0.054 * thickness, 0.039 * thickness
    pieces = limb_outlines(view, shoe, shank, thigh)
    nearness = view.nearness(0.5 * (joints["knee"] + joints["ankle"]))
    return _part(view, pieces, ("shoe", "shank", "bottom"), LEG_ORDER + nearness + 1e-3 * side, 0.04)


def _arm(view: BodyView, gait: Gait, side: float, bend_rad: FloatArray) -> BodyPart:
    joints, thickness = arm_joints(side, gait.stride, gait.phase_rad, gait.girth, bend_rad), np.sqrt(gait.girth)
    hand = joints["wrist"], joints["hand"], 0.016, 0.020
    forearm = joints["elbow"], joints["wrist"], 0.027 * thickness, 0.020 * thickness
    upper = joints["shoulder"], joints["elbow"], 0.035 * thickness, 0.029 * thickness
    pieces = limb_outlines(view, hand, forearm, upper)
    order = TRUNK_ORDER + view.nearness(joints["elbow"]) - view.nearness(view.joints(0.0, 0.0, 0.65))
    return _part(view, pieces, ("skin", "sleeve", "top"), order, 0.028)


def _torso(view: BodyView, gait: Gait, appearance: Appearance) -> BodyPart:
    """The trunk down to the hem of the top, and the shoulders over it."""
    hem = np.where(appearance.long_coat, 0.36, 0.475)
    hips = gait.half_hips * np.where(appearance.long_coat, 1.06, 1.0)
    shoulders, girth = gait.half_shoulders, gait.girth
    chest = trunk_outlines(
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
    right, left = (view.joints(side * 0.48 * shoulders, -0.005, 0.803) for side in SIDES)
    return _part(view, (*limb_outlines(view, (right, left, 0.034, 0.034)), chest), ("top", "top"), TRUNK_ORDER, 0.11)


def _skirt(view: BodyView, gait: Gait, appearance: Appearance) -> BodyPart:
    hips, girth = gait.half_hips, gait.girth
    levels = (
        (0.60, 0.90 * hips, 0.060 * girth),
        (0.52, 1.05 * hips, 0.072 * girth),
        (0.42, 1.18 * hips, 0.083 * girth),
        (0.30, 1.32 * hips, 0.094 * girth),
    )
    return _part(view, (trunk_outlines(view, levels),), ("bottom",), SKIRT_ORDER, 0.11, visible=appearance.skirt)


def _shirt(view: BodyView, appearance: Appearance) -> BodyPart:
    """The shirt below an open jacket, on people who face the camera."""
    front = view.joints(0.0, 0.058, 0.79), view.joints(0.0, 0.064, 0.53), 0.026, 0.02
    visible = appearance.open_jacket & (np.cos(view.facing) > MIN_FRONT_COSINE)
    return _part(view, limb_outlines(view, front), ("shirt",), TRUNK_ORDER + 1e-3, 0.023, visible=visible)


def _bag(view: BodyView, appearance: Appearance) -> BodyPart:
    bottom = view.joints(0.0, -0.095, 0.635)
    bag = view.joints(0.0, -0.085, 0.765), bottom, 0.055, 0.068
    order = TRUNK_ORDER + 1.5 * (view.nearness(bottom) - view.nearness(view.joints(0.0, 0.0, 0.65)))
    return _part(view, limb_outlines(view, bag), ("bag",), order, 0.062, visible=appearance.backpack)


def _head(view: BodyView, appearance: Appearance) -> tuple[BodyPart, ...]:
    """Neck, face and hair. The hair is drawn before the face of people who face the camera, otherwise after it."""
    length = 1.0 - CHIN_HEIGHT
    neck = view.joints(0.0, -0.004, 0.825), view.joints(0.0, 0.008, 0.895), 0.029, 0.026
    face_centre = view.joints(0.0, 0.020, CHIN_HEIGHT + 0.39 * length)
    face = ellipsoid_outlines(view, face_centre, (0.037, 0.041, 0.40 * length), jaw=0.22)
    hair_centre = view.joints(0.0, -0.006, CHIN_HEIGHT + 0.61 * length)
    hair = ellipsoid_outlines(view, hair_centre, (0.044, 0.053, 0.40 * length))
    back_hair = view.joints(0.0, -0.032, 0.93), view.joints(0.0, -0.045, 0.835), 0.040, 0.046
    towards = np.cos(view.facing) * np.cos(view.depression) - 0.4 * np.sin(view.depression)
    hair_order = HEAD_ORDER + np.where(towards > 0.12, -1.0, 2.0)
    back_hair_order = np.where(np.cos(view.facing) > 0, TRUNK_ORDER - 5, HEAD_ORDER + 3)
    return (
        _part(view, limb_outlines(view, back_hair), ("hair",), back_hair_order, 0.043, visible=appearance.long_hair),
        _part(view, limb_outlines(view, neck), ("skin",), NECK_ORDER, 0.027),
        _part(view, (face,), ("skin",), HEAD_ORDER, 0.04, is_head=True),
        _part(view, (hair,), ("hair",), hair_order, 0.048, is_head=True),
    )


def _facial_features(view: BodyView) -> BodyPart:
    """Eyes, brows, nose and mouth of large faces that face the camera."""
    limbs: list[Limb] = []
    for side in SIDES:
        for up, radius in ((0.930, 0.0030), (0.9395, 0.0020)):
            start, end = (view.joints(side * right, 0.056, up) for right in (0.0125, 0.0185))
            limbs.append((start, end, radius, radius))
    nose_ends = view.joints(0.0, 0.060, 0.928), view.joints(0.0, 0.068, 0.910)
    mouth_ends = view.joints(-0.010, 0.056, 0.8935), view.joints(0.010, 0.056, 0.8935)
    limbs += [(*nose_ends, 0.0035, 0.0070), (*mouth_ends, 0.0030, 0.0030)]
    slots = ("eye", "hair", "eye", "hair", "skin", "lips")
    visible = np.cos(view.facing) > MIN_FRONT_COSINE
    return _part(view, limb_outlines(view, *limbs), slots, HEAD_ORDER + 1.0, 0.003, visible=visible, is_detail=True)


def _part(
    view: BodyView,
    pieces: tuple[RoundedOutlines, ...],
    slots: tuple[str, ...],
    order: FloatArray | float,
    radius: float,
    *,
    visible: BoolArray | None = None,
    is_head: bool = False,
    is_detail: bool = False,
) -> BodyPart:
    """A part of these pieces; all people have it if `visible` is None."""
    return BodyPart(
        pieces=pieces,
        slots=tuple(COLOUR_SLOTS.index(slot) for slot in slots),
        radius=radius,
        order=np.broadcast_to(order, len(view)),
        visible=np.ones(len(view), bool) if visible is None else visible,
        is_head=is_head,
        is_detail=is_detail,
    )

"""Bodies as joints: where shoulders, knees and heels are while somebody stands or walks.

Lengths are in units of standing height. Body axes: right, ahead (the direction of face and steps), up from the ground.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

HIP_HEIGHT, KNEE_HEIGHT, ANKLE_HEIGHT, SHOULDER_HEIGHT, CHIN_HEIGHT = 0.530, 0.285, 0.039, 0.818, 0.870
"""Heights of joints over the ground.

Source: Winter, "Biomechanics and Motor Control of Human Movement", 4th edition 2009, figure 4.1, after Drillis and
Contini 1966.
"""

SHOULDER_BREADTH, HIP_BREADTH, UPPER_ARM, FOREARM, FOOT_LENGTH = 0.259, 0.191, 0.186, 0.146, 0.152
"""Breadth over the shoulders and hips, and lengths of limbs; the same source."""

THIGH, SHANK = HIP_HEIGHT - KNEE_HEIGHT, KNEE_HEIGHT - ANKLE_HEIGHT

THIGH_SWING_RAD = math.radians(24)
"""Swing of the thigh to either side at a brisk walk; the hip moves 20 to 30 degrees to either side; ours."""

KNEE_FLEX_RAD = math.radians(42)
"""Bend of the knee while the leg swings forward; ours."""

ARM_SWING_RAD = math.radians(26)
"""Swing of the arms, against the legs; ours."""

SIDES = (1.0, -1.0)
"""Right and left along the body's right axis."""


def swung(start: Array, length: float, angle_rad: Array, sideways: Array | float = 0.0) -> Array:
    """The other end of a limb that hangs from `start`, swung ahead by an angle, `[num_people, 3]`.

    Args:
        start: `[num_people, 3]` joints.
        length: of the limb.
        angle_rad: `[num_people]` angles from straight down towards ahead.
        sideways: offset along the right axis per unit of length.
    """
    lean = np.broadcast_to(sideways, angle_rad.shape)
    offset = np.stack([lean, np.sin(angle_rad), -np.cos(angle_rad)], axis=1)
    return np.asarray(start + length * offset)


def joint(count: int, right: Array | float, ahead: Array | float, up: Array | float) -> Array:
    """`[count, 3]` joints at given body coordinates."""
    return np.stack([np.broadcast_to(part, count) for part in (right, ahead, up)], axis=1).astype(float)


def leg_joints(side: float, stride: Array, phase_rad: Array, girth: Array) -> dict[str, Array]:
    """Hip, knee, ankle, heel and toe of one leg, `[num_people, 3]` each."""
    phase = phase_rad if side > 0 else phase_rad + math.pi
    thigh = THIGH_SWING_RAD * stride * np.sin(phase)
    flex = KNEE_FLEX_RAD * stride * np.maximum(0.1, np.cos(phase)) ** 1.5
    hip = joint(len(stride), side * 0.27 * HIP_BREADTH * girth, 0.0, HIP_HEIGHT)
    knee = swung(hip, THIGH, thigh, -0.02 * side)
    ankle = swung(knee, SHANK, thigh - flex)
    lift = 0.5 * (thigh - flex)
    heel = ankle + joint(len(stride), 0.0, -0.2 * FOOT_LENGTH, -0.018 - 0.2 * FOOT_LENGTH * np.sin(lift))
    toe = ankle + joint(len(stride), 0.015 * side, 0.62 * FOOT_LENGTH, -0.022 + 0.62 * FOOT_LENGTH * np.sin(lift))
    return {"hip": hip, "knee": knee, "ankle": ankle, "heel": heel, "toe": toe}


def arm_joints(side: float, stride: Array, phase_rad: Array, girth: Array, bend_rad: Array) -> dict[str, Array]:
    """Shoulder, elbow, wrist and hand of one arm, `[num_people, 3]` each.

    Args:
        side: 1 right, -1 left.
        stride: `[num_people]` as `Person.stride`.
        phase_rad: `[num_people]` as `Person.phase_rad`.
        girth: `[num_people]` as `Person.girth`.
        bend_rad: `[num_people]` bend of the elbow.
    """
    phase = phase_rad + math.pi if side > 0 else phase_rad
    swing = ARM_SWING_RAD * stride * np.sin(phase) - 0.06 + 0.2 * (bend_rad > 1)
    shoulder = joint(len(stride), side * 0.44 * SHOULDER_BREADTH * (0.5 + 0.5 * girth), -0.005, SHOULDER_HEIGHT - 0.032)
    elbow = swung(shoulder, UPPER_ARM, swing, 0.13 * side * girth)
    wrist = swung(elbow, FOREARM, swing + bend_rad, np.where(bend_rad > 1, -0.35, -0.05) * side)
    hand = wrist + 0.28 * (wrist - elbow)
    return {"shoulder": shoulder, "elbow": elbow, "wrist": wrist, "hand": hand}

"""Joints of standing and walking people, from body proportions and gait.

Lengths are in units of standing height. Body axes: right, ahead (direction of face and steps), up from the ground.
"""

from __future__ import annotations

import math

import numpy as np

from crowdgan_core.utils.arrays import FloatArray

HIP_HEIGHT, KNEE_HEIGHT, ANKLE_HEIGHT, SHOULDER_HEIGHT, CHIN_HEIGHT = 0.530, 0.285, 0.039, 0.818, 0.870
"""Heights of joints above the ground.

Source: Winter, "Biomechanics and Motor Control of Human Movement", 4th edition 2009, figure 4.1, after Drillis and
Contini 1966.
"""

SHOULDER_BREADTH, HIP_BREADTH, UPPER_ARM_LENGTH, FOREARM_LENGTH, FOOT_LENGTH = 0.259, 0.191, 0.186, 0.146, 0.152
"""Breadths of shoulders and hips, and lengths of limbs; the same source."""

THIGH_LENGTH, SHANK_LENGTH = HIP_HEIGHT - KNEE_HEIGHT, KNEE_HEIGHT - ANKLE_HEIGHT

THIGH_SWING_RAD = math.radians(24)
"""Amplitude of the thigh's swing at brisk walking; within the hip's range of 20 to 30 degrees to either side; ours."""

KNEE_FLEX_RAD = math.radians(42)
"""Flexion of the knee while the leg swings forward; ours."""

ARM_SWING_RAD = math.radians(26)
"""Amplitude of the arms' swing, opposite to the legs; ours."""

SIDES = (1.0, -1.0)
"""Right and left along the body's right axis."""


def limb_end(start: FloatArray, length: float, angle_rad: FloatArray, sideways: FloatArray | float = 0.0) -> FloatArray:
    """Other end of a limb that hangs from `start` and swings ahead by an angle, `[num_people, 3]`.

    Args:
        start: `[num_people, 3]` joints.
        length: length of the limb.
        angle_rad: `[num_people]` angles from straight down towards ahead.
        sideways: offset along the right axis per unit of length.
    """
    offset = joint_positions(len(start), sideways, np.sin(angle_rad), -np.cos(angle_rad))
    return np.asarray(start + length * offset)


def joint_positions(
    count: int, right: FloatArray | float, ahead: FloatArray | float, up: FloatArray | float
) -> FloatArray:
    """Joints at given body coordinates, `[count, 3]`."""
    joints = np.empty((count, 3))
    joints[:, 0], joints[:, 1], joints[:, 2] = right, ahead, up
    return joints


def leg_joints(side: float, stride: FloatArray, phase_rad: FloatArray, girth: FloatArray) -> dict[str, FloatArray]:
    """Hip, knee, ankle, heel and toe of one leg, `[num_people, 3]` each.

    Args:
        side: 1 right, -1 left.
        stride: `[num_people]` as `SyntheticPerson.stride`.
        phase_rad: `[num_people]` as `SyntheticPerson.phase_rad`.
        girth: `[num_people]` as `SyntheticPerson.girth`.
    """
    count = len(stride)
    phase = phase_rad if side > 0 else phase_rad + math.pi
    thigh = THIGH_SWING_RAD * stride * np.sin(phase)
    flex = KNEE_FLEX_RAD * stride * np.maximum(0.1, np.cos(phase)) ** 1.5
    hip = joint_positions(count, side * 0.27 * HIP_BREADTH * girth, 0.0, HIP_HEIGHT)
    knee = limb_end(hip, THIGH_LENGTH, thigh, -0.02 * side)
    ankle = limb_end(knee, SHANK_LENGTH, thigh - flex)
    lift = 0.5 * (thigh - flex)
    heel = ankle + joint_positions(count, 0.0, -0.2 * FOOT_LENGTH, -0.018 - 0.2 * FOOT_LENGTH * np.sin(lift))
    toe = ankle + joint_positions(count, 0.015 * side, 0.62 * FOOT_LENGTH, -0.022 + 0.62 * FOOT_LENGTH * np.sin(lift))
    return {"hip": hip, "knee": knee, "ankle": ankle, "heel": heel, "toe": toe}


def arm_joints(
    side: float, stride: FloatArray, phase_rad: FloatArray, girth: FloatArray, bend_rad: FloatArray
) -> dict[str, FloatArray]:
    """Shoulder, elbow, wrist and hand of one arm, `[num_people, 3]` each.

    Args:
        side: 1 right, -1 left.
        stride: `[num_people]` as `SyntheticPerson.stride`.
        phase_rad: `[num_people]` as `SyntheticPerson.phase_rad`.
        girth: `[num_people]` as `SyntheticPerson.girth`.
        bend_rad: `[num_people]` flexion of the elbow.
    """
    count = len(stride)
    phase = phase_rad + math.pi if side > 0 else phase_rad
    swing = ARM_SWING_RAD * stride * np.sin(phase) - 0.06 + 0.2 * (bend_rad > 1)
    half_breadth = side * 0.44 * SHOULDER_BREADTH * (0.5 + 0.5 * girth)
    shoulder = joint_positions(count, half_breadth, -0.005, SHOULDER_HEIGHT - 0.032)
    elbow = limb_end(shoulder, UPPER_ARM_LENGTH, swing, 0.13 * side * girth)
    wrist = limb_end(elbow, FOREARM_LENGTH, swing + bend_rad, np.where(bend_rad > 1, -0.35, -0.05) * side)
    hand = wrist + 0.28 * (wrist - elbow)
    return {"shoulder": shoulder, "elbow": elbow, "wrist": wrist, "hand": hand}

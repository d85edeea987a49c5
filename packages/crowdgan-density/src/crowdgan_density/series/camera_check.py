"""Check that a camera did not move during a series of frames, from the heights of people in them.

People's heights by a fixed camera stay near the mean standing height. A camera that is tilted, lifted or zoomed changes
them at once. The check compares the mean of the frames' median log heights in windows before and after each frame. A
camera that only turns sideways is not detected: it does not change heights, nor densities on the whole ground, but it
changes the place of zones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.scenes.camera import MEAN_HEIGHT_M
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_density.ground_plane.calibration import LOG_HEIGHT_SD, MEDIAN_SD_FACTOR
from crowdgan_density.ground_plane.people_heights import people_heights_m
from crowdgan_density.ground_plane.view import GroundProjection, MeasuredView

WINDOW_FRAMES = 5
"""Number of frames that are compared before and after each frame."""

MIN_JUMP = 0.06
"""Minimum change of log heights that is reported, ours. In the frames of PETS2009 (fixed camera) heights change by up
to 0.025; by 0.07 if the camera is tilted by 1.5°, and more if its focal length changes by 15 %."""

MAX_DRIFT = 0.2
"""Change of log heights since the first window that is reported even if it is gradual, ours. By the published
homography of PETS2009, heights change by 0.09 since people walk to other parts of the ground."""

JUMP_SDS = 4.0
"""Number of standard deviations from which a change is significant."""

REPEATED_PEOPLE = 2.0
"""Number of frames of a window in which a person is seen, ours: the heights in several frames are not independent."""


@dataclass(frozen=True, kw_only=True)
class CameraChange:
    """A change of people's heights during a series."""

    frame: int
    """Index of the first frame after the change."""
    log_change: float
    """Change of the log heights of people."""

    def describe(self, image: str) -> str:
        """The warning, with the name of the first image after the change."""
        return f"the camera may have moved at {image}: people's heights change by {math.expm1(self.log_change):+.0%}"


def find_camera_change(views: Sequence[MeasuredView], projection: GroundProjection) -> CameraChange | None:
    """The first change of people's heights that is larger than their variation; None for a fixed camera.

    Args:
        views: the people of each frame, in the order of time; frames without people are ignored.
        projection: the camera or homography of all frames.
    """
    heights = [_log_heights(view, projection) for view in views]
    used = [index for index, values in enumerate(heights) if len(values)]
    medians = np.array([np.median(heights[index]) for index in used])
    counts = np.array([len(heights[index]) for index in used])
    positions = range(1, len(used))
    jumps = [_change(medians, counts, slice(max(0, n - WINDOW_FRAMES), n), n, MIN_JUMP) for n in positions]
    drifts = [_change(medians, counts, slice(0, WINDOW_FRAMES), n, MAX_DRIFT) for n in positions]
    changes = jumps if any(jumps) else drifts
    start = next((index for index, change in enumerate(changes) if change), None)
    if start is None:
        return None
    run = list(itertools.takewhile(bool, changes[start:]))  # windows near a change contain frames of both sides
    largest = max(range(len(run)), key=lambda index: abs(run[index])) if changes is jumps else 0
    return CameraChange(frame=used[positions[start + largest]], log_change=run[largest])


def _change(medians: FloatArray, counts: FloatArray, reference: slice, position: int, limit: float) -> float:
    """Change of log heights from reference frames to those from a position on; 0 if it is not significant.

    Args:
        medians: `[num_frames]` median log height of each frame.
        counts: `[num_frames]` number of people of each frame.
        reference: frames to compare with.
        position: index of the first frame after the possible change.
        limit: minimum change.
    """
    after = slice(position, position + WINDOW_FRAMES)
    change = _mean(medians[after], counts[after]) - _mean(medians[reference], counts[reference])
    noise = _noise(int(counts[reference].sum()), int(counts[after].sum()))
    return change if abs(change) > max(limit, noise) else 0.0


def _log_heights(view: MeasuredView, projection: GroundProjection) -> FloatArray:
    """Log heights of a frame's people in mean standing heights, `[num_finite]`."""
    heights_m = people_heights_m(view, projection)
    return np.log(heights_m[heights_m > 0] / MEAN_HEIGHT_M)


def _mean(medians: FloatArray, counts: FloatArray) -> float:
    return float(np.average(medians, weights=counts))


def _noise(people_before: int, people_after: int) -> float:
    """Change of log heights that is not significant."""
    variance = REPEATED_PEOPLE * (1 / people_before + 1 / people_after)
    return JUMP_SDS * MEDIAN_SD_FACTOR * LOG_HEIGHT_SD * math.sqrt(variance)

"""The photograph that a scene shows, whole or in part, and what turns its pixels into metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes
from crowdgan_density.boxes import valid_full_boxes
from crowdgan_density.ground_plane.groups import Points, convex_hull
from crowdgan_density.ground_plane.homography import Homography

View = Camera | Homography
"""What gives ground positions of pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredView:
    """The whole photograph, and the part of it that is measured."""

    boxes_xywh: Boxes
    """`[num_people, 4]` usable full boxes in pixels of the whole."""
    feet_px: Points
    """`[num_people, 2]` middles of the boxes' lower edges."""
    shown: npt.NDArray[np.bool_]
    """`[num_people]` whose feet lie in the measured part."""
    part_xyxy: tuple[float, float, float, float]
    """The measured part, in pixels of the whole."""
    size: tuple[int, int]
    """`(height, width)` of the whole in pixels."""
    focal_length_px: float | None
    """Of the whole."""

    @classmethod
    def of(cls, scene: Scene) -> MeasuredView:
        """The frame of a scene, cropped or not."""
        whole = scene if scene.crop is None else scene.crop.full_scene
        boxes = valid_full_boxes(whole)
        feet = boxes[:, :2] + boxes[:, 2:] * [0.5, 1.0]
        left, top = (0.0, 0.0) if scene.crop is None else (scene.crop.left, scene.crop.top)
        height, width = whole.size if scene.crop is None else scene.crop.size
        part = (left, top, left + width, top + height)
        return cls(
            boxes_xywh=boxes,
            feet_px=feet,
            shown=np.asarray(np.logical_and(feet >= part[:2], feet <= part[2:]).all(axis=1)),
            part_xyxy=part,
            size=whole.size,
            focal_length_px=whole.focal_length_px,
        )


def pool_views(frames: Sequence[MeasuredView]) -> MeasuredView:
    """The people of all frames in the first one: what one fixed camera saw at several times."""
    return replace(
        frames[0],
        boxes_xywh=np.concatenate([frame.boxes_xywh for frame in frames]),
        feet_px=np.concatenate([frame.feet_px for frame in frames]),
        shown=np.concatenate([frame.shown for frame in frames]),
    )


def visible_ground(frame: MeasuredView, view: View, positions_m: Points) -> Points:
    """The ground that the measured part of the image shows, as far as people stand on it: a convex polygon in metres.

    It ends a tenth of its depth behind the last person, since the ground may go on to the horizon.

    Args:
        frame: tells the measured part.
        view: gives ground positions of pixels.
        positions_m: `[num_people, 2]` of those in it.
    """
    feet = frame.feet_px[frame.shown]
    left, top, right, bottom = frame.part_xyxy
    top = max(top, feet[:, 1].min() - 0.1 * (bottom - feet[:, 1].min()) - 1)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    ground = view.ground_from_pixels(corners)  # straight edges stay straight
    outline = np.vstack([ground[np.isfinite(ground).all(axis=1)], positions_m])
    hull = convex_hull(outline)
    assert hull is not None, "an edge of the image and the people before it do not lie on one line"
    return hull

"""Valid full-body boxes of a scene, and boxes clipped to the image."""

from __future__ import annotations

import numpy as np

from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes, Points

MIN_BOXED_FRACTION = 0.5
"""Minimum fraction of the people that must have a full box; ours: fewer boxes do not represent the crowd."""


def valid_full_boxes(scene: Scene) -> Boxes:
    """Valid full boxes of people, `[num_boxes, 4]` xywh in pixels, without ignore regions.

    A box with a NaN, or with a width or height of 0 or less, is not valid.
    """
    boxes = scene.person_full_boxes
    return boxes[np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)]


def missing_boxes_reason(scene: Scene, boxes: Boxes) -> str | None:
    """The reason why a scene's valid `boxes` are too few for an estimate; None if they suffice.

    They suffice if at least half of the people have one, so also in a scene without people. The reason contains no
    numbers, so that a summary can count the scenes with the same reason.
    """
    if len(boxes) >= MIN_BOXED_FRACTION * scene.person_count:
        return None
    if len(boxes):
        return "fewer than half of the people have a full-body box"
    if np.isfinite(scene.person_head_boxes).all(axis=1).any():
        return "no person has a full-body box (only heads are annotated)"
    return "no person has a valid full-body box (width and height above 0; swapped corners are not valid)"


def box_centres(boxes_xywh: Boxes) -> Points:
    """Centres of boxes, `[num_boxes, 2]` x, y in pixels."""
    return boxes_xywh[:, :2] + boxes_xywh[:, 2:] / 2


def clip_to_image(boxes_xywh: Boxes, size: tuple[int, int]) -> tuple[Boxes, Boxes]:
    """Boxes clipped to the image, and the corresponding unclipped boxes.

    Boxes outside the image, including those that only touch its edge, are skipped.

    Args:
        boxes_xywh: `[num_boxes, 4]` in pixels, widths and heights above 0.
        size: `(height, width)` of the image in pixels.

    Returns:
        `[num_inside, 4]` xyxy in pixels, and `[num_inside, 4]` xywh in pixels, in the same order.
    """
    low = np.maximum(boxes_xywh[:, :2], 0.0)
    high = np.minimum(boxes_xywh[:, :2] + boxes_xywh[:, 2:], [size[1], size[0]])
    inside = (low < high).all(axis=1)
    return np.hstack([low, high])[inside], boxes_xywh[inside]

"""What the estimators read from a scene's full-body boxes."""

from __future__ import annotations

import numpy as np

from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes

BOXED_SHARE = 0.5
"""Share of the persons that must have a full box; ours: with fewer, the boxes say little of the crowd."""


def valid_full_boxes(scene: Scene) -> Boxes:
    """Full boxes of the persons that have one, `[num_boxes, 4]` xywh in pixels, ignore regions left out.

    A box with a NaN, or with a width or height of 0 or below, shows no body and is left out.
    """
    boxes = scene.person_full_boxes
    return boxes[np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)]


def missing_boxes_reason(scene: Scene, boxes: Boxes) -> str | None:
    """Why the usable `boxes` are too few to measure the scene by; None when they suffice.

    They suffice when at least half of the persons have one, so also in a scene without persons. The reason names no
    numbers, so that a summary can count the scenes that share it.
    """
    if len(boxes) >= BOXED_SHARE * scene.person_count:
        return None
    if len(boxes):
        return "fewer than half of the persons have a full-body box"
    return "no person has a full-body box (heads alone)"


def clip_to_image(boxes_xywh: Boxes, size: tuple[int, int]) -> tuple[Boxes, Boxes]:
    """The parts of boxes that lie inside an image of `size` (height, width), and the boxes these are parts of.

    Boxes that lie wholly outside, or touch the border from there, are left out.

    Args:
        boxes_xywh: `[num_boxes, 4]` in pixels, widths and heights above 0.
        size: `(height, width)` of the image in pixels.

    Returns:
        `[num_inside, 4]` xyxy in pixels, and `[num_inside, 4]` xywh in pixels, row by row.
    """
    low = np.maximum(boxes_xywh[:, :2], 0.0)
    high = np.minimum(boxes_xywh[:, :2] + boxes_xywh[:, 2:], [size[1], size[0]])
    inside = (low < high).all(axis=1)
    return np.hstack([low, high])[inside], boxes_xywh[inside]

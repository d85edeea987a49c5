"""Validity of annotated boxes."""

from __future__ import annotations

import math

import numpy as np

from crowdgan_core.utils.arrays import BoolArray, Boxes

MAX_COORDINATE_PX = 1e6
"""Maximum magnitude of a coordinate in pixels; larger values indicate damage."""

MISSING_BOX = (math.nan,) * 4
"""Row of a missing box."""

INVALID_BOXES = "boxes without a valid position and size, whose people are counted without them"
"""Reason of the problem that lists invalid boxes."""


def valid_boxes(boxes_xywh: Boxes, may_be_empty: BoolArray | bool = False) -> BoolArray:
    """Whether each box has finite coordinates up to `MAX_COORDINATE_PX` and a positive width and height, `[num_boxes]`.

    Args:
        boxes_xywh: `[num_boxes, 4]`; a row of NaN is not valid.
        may_be_empty: boxes whose width and height are not checked, `[num_boxes]` or all: ignore regions, head points.
    """
    in_range = (np.abs(boxes_xywh) <= MAX_COORDINATE_PX).all(axis=1)
    has_area = (boxes_xywh[:, 2:] > 0).all(axis=1)
    valid: BoolArray = in_range & np.asarray(has_area | may_be_empty, bool)
    return valid

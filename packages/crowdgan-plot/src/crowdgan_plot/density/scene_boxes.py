"""The boxes of a scene that figures and the viewer draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import BoolArray, Boxes, Points


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnBoxes:
    """Boxes and heads in pixels of the scene; they may extend beyond the image."""

    people: Boxes
    """Full boxes of people, or visible boxes if these are unknown, `[num_boxes, 4]`."""

    ignore_regions: Boxes
    """`[num_regions, 4]`."""

    heads: Points
    """Centres of the heads of people without a box, `[num_heads, 2]`."""

    @classmethod
    def of_scene(cls, scene: Scene) -> DrawnBoxes:
        """The boxes of a scene."""
        rows = np.where(_is_box(scene.full_boxes)[:, None], scene.full_boxes, scene.visible_boxes)
        heads = scene.head_boxes[:, :2] + scene.head_boxes[:, 2:] / 2
        has_head_only = ~scene.ignore & ~_is_box(rows) & np.isfinite(heads).all(axis=1)
        return cls(
            people=rows[~scene.ignore & _is_box(rows)],
            ignore_regions=rows[scene.ignore & _is_box(rows)],
            heads=heads[has_head_only],
        )


def _is_box(boxes: Boxes) -> BoolArray:
    """`[num_boxes]` whether a box is known and not empty."""
    return np.asarray(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1))

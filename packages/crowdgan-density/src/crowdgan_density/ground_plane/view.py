"""The measured part of an image, and the ground that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import BoolArray, Boxes, Points
from crowdgan_density.boxes import valid_full_boxes
from crowdgan_density.ground_plane.groups import convex_hull
from crowdgan_density.ground_plane.homography import Homography

GroundProjection = Camera | Homography
"""A map between pixels and ground positions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredView:
    """The people of a full image, and the region of it that is measured."""

    boxes_xywh: Boxes
    """`[num_people, 4]` valid full boxes in pixels of the full image."""
    feet_px: Points
    """`[num_people, 2]` centres of the boxes' lower edges."""
    in_region: BoolArray
    """`[num_people]` whether the feet lie in the measured region."""
    region_xyxy: tuple[float, float, float, float]
    """The measured region, in pixels of the full image."""
    size: tuple[int, int]
    """`(height, width)` of the full image in pixels."""
    focal_length_px: float | None
    """Focal length of the full image in pixels; None if unknown."""
    heights_measured: bool = True
    """False if the boxes are those of people of mean height, so that their heights contain no information."""

    def __repr__(self) -> str:
        """For example `MeasuredView(640x480, 31 people, 28 in the measured region)`."""
        height, width = self.size
        in_region = np.count_nonzero(self.in_region)
        return f"MeasuredView({width}x{height}, {len(self.boxes_xywh)} people, {in_region} in the measured region)"

    @classmethod
    def from_scene(cls, scene: Scene) -> MeasuredView:
        """The view of a scene; the measured region is its crop, or the full image."""
        return cls.from_boxes(scene, valid_full_boxes(full_scene(scene)))

    @classmethod
    def from_boxes(cls, scene: Scene, boxes: Boxes, *, heights_measured: bool = True) -> MeasuredView:
        """The view of a scene whose people have these full boxes, `[num_people, 4]` in pixels of the full image."""
        feet = boxes[:, :2] + boxes[:, 2:] * [0.5, 1.0]
        left, top = (0.0, 0.0) if scene.crop is None else (scene.crop.left, scene.crop.top)
        height, width = scene.size if scene.crop is None else scene.crop.size
        region = (left, top, left + width, top + height)
        return cls(
            boxes_xywh=boxes,
            feet_px=feet,
            in_region=np.asarray(np.logical_and(feet >= region[:2], feet <= region[2:]).all(axis=1)),
            region_xyxy=region,
            size=full_scene(scene).size,
            focal_length_px=full_scene(scene).focal_length_px,
            heights_measured=heights_measured,
        )


def full_scene(scene: Scene) -> Scene:
    """The scene of the full image, from which a scene may be a crop."""
    return scene if scene.crop is None else scene.crop.full_scene


def pool_views(views: Sequence[MeasuredView]) -> MeasuredView:
    """The people of all views in the first one: images of one fixed camera at several times."""
    return replace(
        views[0],
        boxes_xywh=np.concatenate([view.boxes_xywh for view in views]),
        feet_px=np.concatenate([view.feet_px for view in views]),
        in_region=np.concatenate([view.in_region for view in views]),
    )


def visible_ground(view: MeasuredView, projection: GroundProjection, positions_m: Points) -> Points:
    """Ground that the measured region shows, up to the farthest person: a convex polygon in metres.

    It ends a tenth of its depth behind the farthest person, since the ground may extend to the horizon.

    Args:
        view: the measured region.
        projection: map from pixels to ground positions.
        positions_m: `[num_people, 2]` of the people in the region.
    """
    feet = view.feet_px[view.in_region]
    left, top, right, bottom = view.region_xyxy
    top = max(top, feet[:, 1].min() - 0.1 * (bottom - feet[:, 1].min()) - 1)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    if isinstance(projection, Homography):
        corners = corners[projection.is_ground(corners, np.array([(left + right) / 2, bottom]))]
    ground = projection.ground_from_pixels(corners)  # straight edges stay straight
    outline = np.vstack([ground[np.isfinite(ground).all(axis=1)], positions_m])
    hull = convex_hull(outline)
    assert hull is not None, "an edge of the image and the people in front of it are not collinear"
    return hull

"""Projection of bodies into the image: the parts of each person in pixels, and the person's boxes.

A body is composed of joints in three dimensions, rotated by the person's heading, and projected in parallel along the
camera's line of sight to it. The outline is then fitted between the projected ground point and the projected top of the
head, so that boxes agree exactly with the camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.synthetic.haze import Colour, haze_fraction
from crowdgan_core.synthetic.people.appearance import Appearance
from crowdgan_core.synthetic.people.body_parts import BodyPart, Gait, body_parts
from crowdgan_core.synthetic.people.outlines import LAYER_BRIGHTNESS, BodyView
from crowdgan_core.synthetic.world.world import SyntheticPerson
from crowdgan_core.utils.arrays import FloatArray, Points


@dataclass(frozen=True, kw_only=True, eq=False)
class ProjectedBodies:
    """Bodies ready to draw."""

    parts: tuple[BodyPart, ...]
    """Parts of the bodies, in body units."""

    to_image: FloatArray
    """`[num_people, 3, 2]` matrix of each body from body units (right, up, 1) to pixels (u, v)."""

    colours: npt.NDArray[np.int64]
    """`[num_people, num_layers, num_slots, 3]` RGB 0 to 255 of the parts in their shading layers, haze included."""

    depth_m: FloatArray
    """`[num_people]` distance along the view axis in metres."""

    full_boxes: FloatArray
    """`[num_people, 4]` xyxy pixels; rows from the projected top of the head to the projected ground point."""

    head_boxes: FloatArray
    """`[num_people, 4]` xyxy pixels, hair included."""

    def __len__(self) -> int:
        return len(self.depth_m)

    def height_px(self, index: int) -> float:
        """Height of one body in pixels."""
        return float(self.full_boxes[index, 3] - self.full_boxes[index, 1])


def project_people(
    people: tuple[SyntheticPerson, ...],
    appearance: Appearance,
    camera: Camera,
    light: tuple[float, float],
    haze: Colour,
) -> ProjectedBodies:
    """Projects the bodies of people into the image.

    Args:
        people: num_people persons, at least one.
        appearance: appearance of these people.
        camera: the camera.
        light: direction to the light in the image, (right, up), of length at most 1.
        haze: `[3]` colour of the haze, RGB 0 to 255.
    """
    column = {
        name: np.array([getattr(person, name) for person in people]) for name in SyntheticPerson.__dataclass_fields__
    }
    x_m, y_m, height_m = column["x_m"], column["y_m"], column["height_m"]
    feet, middles, heads = (np.stack([x_m, y_m, fraction * height_m], axis=1) for fraction in (0.0, 0.5, 1.0))
    view = BodyView(
        facing=np.arctan2(-x_m, -y_m) - column["heading_rad"],
        depression=np.arctan2(camera.height_m - middles[:, 2], np.hypot(x_m, y_m)),
        light=np.array(light),
    )
    gait = Gait(stride=column["stride"], phase_rad=column["phase_rad"], girth=column["girth"])
    parts = body_parts(view, gait, appearance)
    scale_px = height_m * camera.focal_length_px / camera.depth(middles)
    to_image = _body_to_image(_outline_corners(parts), camera.project(feet), camera.project(heads), scale_px)
    depth_m = camera.depth(feet)
    return ProjectedBodies(
        parts=parts,
        to_image=to_image,
        colours=_shaded_colours(appearance, haze, haze_fraction(depth_m)),
        depth_m=depth_m,
        full_boxes=_bounding_boxes(_outline_corners(parts), to_image),
        head_boxes=_bounding_boxes(_outline_corners(tuple(part for part in parts if part.is_head)), to_image),
    )


def _shaded_colours(appearance: Appearance, haze: Colour, haze_fractions: FloatArray) -> npt.NDArray[np.int64]:
    """Colours of the parts in all shading layers, blended with the haze by each person's fraction of it."""
    fraction = haze_fractions[:, None, None, None]
    shaded = (appearance.colours[:, None] * LAYER_BRIGHTNESS[:, None, None]).clip(0, 255)
    return np.asarray(shaded * (1 - fraction) + haze * fraction, np.int64)


def _outline_corners(parts: tuple[BodyPart, ...]) -> FloatArray:
    """Corners of the outlines of all parts, `[num_people, num_corners, 2]`; NaN for parts that are not visible."""
    corners = [part.outlines[:, 0].reshape(len(part.visible), -1, 2) for part in parts]
    visible = [
        np.broadcast_to(part.visible[:, None, None], outline.shape)
        for part, outline in zip(parts, corners, strict=True)
    ]
    return np.where(np.concatenate(visible, axis=1), np.concatenate(corners, axis=1), np.nan)


def _body_to_image(corners: FloatArray, feet_px: Points, heads_px: Points, scale_px: FloatArray) -> FloatArray:
    """Matrices that map the lowest corner to the row of the foot and the highest to that of the head.

    Bodies lean like the line from foot to head in the image.

    Args:
        corners: `[num_people, num_corners, 2]` corners in body units.
        feet_px: `[num_people, 2]` projected ground points.
        heads_px: `[num_people, 2]` projected tops of the heads.
        scale_px: `[num_people]` pixels per standing height across the view.

    Returns:
        `[num_people, 3, 2]` as `ProjectedBodies.to_image`.
    """
    low, high = np.nanmin(corners[..., 1], axis=1), np.nanmax(corners[..., 1], axis=1)
    per_up = (heads_px - feet_px) / (high - low)[:, None]
    per_right = np.stack([scale_px, np.zeros(len(scale_px))], axis=1)
    return np.stack([per_right, per_up, feet_px - low[:, None] * per_up], axis=1)


def _bounding_boxes(corners: FloatArray, to_image: FloatArray) -> FloatArray:
    """Bounding boxes of corners in body units, `[num_people, 4]` xyxy pixels."""
    pixels = corners @ to_image[:, :2] + to_image[:, 2:]
    return np.concatenate([np.nanmin(pixels, axis=1), np.nanmax(pixels, axis=1)], axis=1)

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
from crowdgan_core.synthetic.people.body_parts import DETAIL_MIN_HEIGHT_PX, BodyPart, Gait, body_parts
from crowdgan_core.synthetic.people.outlines import LAYER_BRIGHTNESS, BodyView, RoundedOutlines, stack_outlines
from crowdgan_core.synthetic.world.world import SyntheticPerson
from crowdgan_core.utils.arrays import BoolArray, FloatArray, Points


@dataclass(frozen=True, kw_only=True, eq=False)
class ProjectedBodies:
    """Bodies ready to draw."""

    parts: tuple[BodyPart, ...]
    """Parts of the bodies."""

    outlines: RoundedOutlines
    """`[num_people, num_pieces, NUM_CORNERS, 2]` outlines of the parts' pieces, one after the other, in pixels."""

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

    @property
    def heights_px(self) -> FloatArray:
        """`[num_people]` heights of the bodies in pixels."""
        return np.asarray(self.full_boxes[:, 3] - self.full_boxes[:, 1])


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
    feet_px, heads_px = camera.project(feet), camera.project(heads)
    has_details = bool((feet_px[:, 1] - heads_px[:, 1] >= DETAIL_MIN_HEIGHT_PX).any())
    parts = body_parts(view, gait, appearance, has_details=has_details)
    outlines = stack_outlines([piece for part in parts for piece in part.pieces])
    per_piece = [part for part in parts for _ in part.pieces]
    visible = np.stack([part.visible for part in per_piece], axis=1)
    _, low, _, high = _bounding_boxes(outlines.rim, visible).T
    scale_px = height_m * camera.focal_length_px / camera.depth(middles)
    outlines = _to_pixels(outlines, (low, high), (feet_px, heads_px), scale_px)
    rim, is_head = outlines.rim, [part.is_head for part in per_piece]
    depth_m = camera.depth(feet)
    return ProjectedBodies(
        parts=parts,
        outlines=outlines,
        colours=_shaded_colours(appearance, haze, haze_fraction(depth_m)),
        depth_m=depth_m,
        full_boxes=_bounding_boxes(rim, visible),
        head_boxes=_bounding_boxes(rim[:, is_head], visible[:, is_head]),
    )


def _shaded_colours(appearance: Appearance, haze: Colour, haze_fractions: FloatArray) -> npt.NDArray[np.int64]:
    """Colours of the parts in all shading layers, blended with the haze by each person's fraction of it."""
    fraction = haze_fractions[:, None, None, None]
    shaded = (appearance.colours[:, None] * LAYER_BRIGHTNESS[:, None, None]).clip(0, 255)
    return np.asarray(shaded * (1 - fraction) + haze * fraction, np.int64)


def _to_pixels(
    outlines: RoundedOutlines, ends: tuple[FloatArray, FloatArray], ends_px: tuple[Points, Points], scale_px: FloatArray
) -> RoundedOutlines:
    """Outlines in pixels: the lowest corner lies in the row of the foot, and the highest in that of the head.

    Bodies lean like the line from foot to head in the image.

    Args:
        outlines: outlines in body units.
        ends: `[num_people]` lowest and highest corners in body units.
        ends_px: `[num_people, 2]` projected ground points and tops of the heads.
        scale_px: `[num_people]` pixels per standing height across the view.
    """
    (low, high), (feet_px, heads_px) = ends, ends_px
    per_up = (heads_px - feet_px) / (high - low)[:, None]
    foot = feet_px - low[:, None] * per_up

    def scaled(offsets: FloatArray) -> FloatArray:
        right, up = offsets[..., 0], offsets[..., 1]
        pixels = np.empty_like(offsets)
        np.multiply(right, scale_px[:, None, None], out=pixels[..., 0])
        pixels[..., 0] += up * per_up[:, 0, None, None]
        np.multiply(up, per_up[:, 1, None, None], out=pixels[..., 1])
        return pixels

    spine = scaled(outlines.spine) + foot[:, None, None]
    reach, lift = scaled(outlines.reach), scaled(outlines.lift)
    return RoundedOutlines(spine=spine, reach=reach, lift=lift, coarse=outlines.coarse)


def _bounding_boxes(corners: FloatArray, visible: BoolArray) -> FloatArray:
    """Bounding boxes of the visible pieces, `[num_people, 4]` xyxy.

    Args:
        corners: `[num_people, num_pieces, NUM_CORNERS, 2]`.
        visible: `[num_people, num_pieces]`; all people have the first piece.
    """
    counted = np.where(visible[..., None, None], corners, corners[:, :1])
    x, y = (counted[..., axis].reshape(len(corners), -1) for axis in (0, 1))
    return np.stack([x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)], axis=1)

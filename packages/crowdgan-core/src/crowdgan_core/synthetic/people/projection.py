"""Bodies where the camera sees them: each person's parts in pixels of the image, and the boxes round them.

A body is built from joints in three dimensions, turned by where the person faces, and seen in parallel projection at
the depression under which the camera sees it. The outline is then fitted between the projected foot and the projected
top of the head, so that boxes agree with the camera exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.synthetic.people.appearance import Wardrobe
from crowdgan_core.synthetic.people.body_parts import BodyPart, Gait, body_parts
from crowdgan_core.synthetic.people.outlines import LAYER_TONES, BodyView
from crowdgan_core.synthetic.people.skeleton import Array
from crowdgan_core.synthetic.render.sky import Colour, haze_share
from crowdgan_core.synthetic.world.world import SyntheticPerson


@dataclass(frozen=True, kw_only=True, eq=False)
class Figures:
    """Bodies ready to draw."""

    parts: tuple[BodyPart, ...]
    """Their parts, in body units."""

    to_image: Array
    """`[num_people, 3, 2]` for each body the matrix that takes body units (right, up, 1) to pixels (u, v)."""

    inks: npt.NDArray[np.int64]
    """`[num_people, num_layers, num_slots, 3]` RGB 0 to 255 of the parts in their layers of shading, haze included."""

    depth_m: Array
    """`[num_people]` distance along the view axis in metres."""

    full_boxes: Array
    """`[num_people, 4]` xyxy pixels; rows from the projected top of the head to the projected ground point."""

    head_boxes: Array
    """`[num_people, 4]` xyxy pixels, hair included."""

    def __len__(self) -> int:
        return len(self.depth_m)

    def height_px(self, index: int) -> float:
        """Height of one body in pixels."""
        return float(self.full_boxes[index, 3] - self.full_boxes[index, 1])


def make_figures(
    people: tuple[SyntheticPerson, ...], wardrobe: Wardrobe, camera: Camera, light: tuple[float, float], haze: Colour
) -> Figures:
    """The bodies of people as the camera sees them.

    Args:
        people: num_people persons, at least one.
        wardrobe: their looks, of as many.
        camera: the camera.
        light: direction to the light in the image, (right, up), of length at most 1.
        haze: `[3]` colour of the haze, RGB 0 to 255.
    """
    column = {
        name: np.array([getattr(person, name) for person in people]) for name in SyntheticPerson.__dataclass_fields__
    }
    x_m, y_m, height_m = column["x_m"], column["y_m"], column["height_m"]
    feet, middles, heads = (np.stack([x_m, y_m, share * height_m], axis=1) for share in (0.0, 0.5, 1.0))
    view = BodyView(
        facing=np.arctan2(-x_m, -y_m) - column["heading_rad"],
        depression=np.arctan2(camera.height_m - middles[:, 2], np.hypot(x_m, y_m)),
        light=np.array(light),
    )
    gait = Gait(stride=column["stride"], phase_rad=column["phase_rad"], girth=column["girth"])
    parts = body_parts(view, gait, wardrobe)
    scale_px = height_m * camera.focal_length_px / camera.depth(middles)
    to_image = _placement(_rims(parts), camera.project(feet), camera.project(heads), scale_px)
    depth_m = camera.depth(feet)
    return Figures(
        parts=parts,
        to_image=to_image,
        inks=_inks(wardrobe, haze, haze_share(depth_m)),
        depth_m=depth_m,
        full_boxes=_boxes(_rims(parts), to_image),
        head_boxes=_boxes(_rims(tuple(part for part in parts if part.is_head)), to_image),
    )


def _inks(wardrobe: Wardrobe, haze: Colour, shares: Array) -> npt.NDArray[np.int64]:
    """Colours of the parts in all layers of shading, faded into the haze by each person's share of it."""
    part = shares[:, None, None, None]
    shaded = (wardrobe.colours[:, None] * LAYER_TONES[:, None, None]).clip(0, 255)
    return np.asarray(shaded * (1 - part) + haze * part, np.int64)


def _rims(parts: tuple[BodyPart, ...]) -> Array:
    """Corners of the outlines of all parts that are shown, `[num_people, num_corners, 2]`; NaN for the others."""
    rims = [part.outlines[:, 0].reshape(len(part.shown), -1, 2) for part in parts]
    shown = [np.broadcast_to(part.shown[:, None, None], rim.shape) for part, rim in zip(parts, rims, strict=True)]
    return np.where(np.concatenate(shown, axis=1), np.concatenate(rims, axis=1), np.nan)


def _placement(rims: Array, feet_px: Array, heads_px: Array, scale_px: Array) -> Array:
    """Matrices that put the lowest point on the row of the foot and the highest on that of the head.

    Bodies lean as the line from foot to head does in the image.

    Args:
        rims: `[num_people, num_corners, 2]` corners in body units.
        feet_px: `[num_people, 2]` projected ground points.
        heads_px: `[num_people, 2]` projected tops of the heads.
        scale_px: `[num_people]` pixels per standing height across the view.

    Returns:
        `[num_people, 3, 2]` as `Figures.to_image`.
    """
    low, high = np.nanmin(rims[..., 1], axis=1), np.nanmax(rims[..., 1], axis=1)
    per_up = (heads_px - feet_px) / (high - low)[:, None]
    per_right = np.stack([scale_px, np.zeros(len(scale_px))], axis=1)
    return np.stack([per_right, per_up, feet_px - low[:, None] * per_up], axis=1)


def _boxes(rims: Array, to_image: Array) -> Array:
    """Boxes round bodies or heads, `[num_people, 4]` xyxy pixels."""
    pixels = rims @ to_image[:, :2] + to_image[:, 2:]
    return np.concatenate([np.nanmin(pixels, axis=1), np.nanmax(pixels, axis=1)], axis=1)

"""Lays bodies over an image from the farthest to the nearest, and keeps account of which pixels show whom."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.synthetic.people.projection import Figures
from crowdgan_core.synthetic.render.sky import FloatImage
from crowdgan_core.synthetic.render.sprites import PixelRect, Sprite, draw_sprite
from crowdgan_core.utils.arrays import Boxes

SOLID_ALPHA = 127.5
"""A pixel belongs to the body that covers more than half of it."""

CREASED_PX = 80
"""Clothes of bodies at least this tall in pixels show folds."""

FOLDS_SIDE, FOLDS_DEPTH = 512, 0.32
"""Side in samples and range of brightness of the pattern of folds; ours."""


def draw_people(
    rng: np.random.Generator,
    image: FloatImage,
    owners: npt.NDArray[np.int16],
    figures: Figures,
    *,
    owner: int | None = None,
    shade: float = 0.0,
) -> npt.NDArray[np.int64]:
    """Draws bodies from the farthest to the nearest and enters them into the buffer.

    Args:
        rng: generator.
        image: `[height, width, 3]`, changed.
        owners: `[height, width]`, changed.
        figures: the bodies.
        owner: entry for all of them; their indices if None.
        shade: share of light lost at the feet.

    Returns:
        `[num_people, 2]` pixels that each body and its head cover.
    """
    folds = _folds(rng)
    solid_px = np.zeros((len(figures), 2), np.int64)
    for index in np.argsort(-figures.depth_m).tolist():
        sprite = draw_sprite(figures, index, (owners.shape[0], owners.shape[1]))
        if sprite is None:
            continue
        bright = _shading(sprite.window, figures.full_boxes[index], shade)
        if figures.height_px(index) >= CREASED_PX:
            bright = bright * _creases(sprite.window, figures.full_boxes[index], folds)
        sprite.pixels[..., :3] *= bright[..., None]
        solid = _paste(image, owners, sprite, index if owner is None else owner)
        solid_px[index] = solid.sum(), solid[box_slices(figures.head_boxes[index], sprite.window)].sum()
    return solid_px


def _folds(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Brightness of creased cloth, `[FOLDS_SIDE, FOLDS_SIDE]`, round 1."""
    noise = Image.fromarray(rng.random((FOLDS_SIDE // 48, FOLDS_SIDE // 20), np.float32))
    smooth = noise.resize((FOLDS_SIDE, FOLDS_SIDE), Image.Resampling.BICUBIC)
    return np.asarray(1 + FOLDS_DEPTH * (np.asarray(smooth) - 0.5), np.float32)


def _creases(window: PixelRect, box_xyxy: Boxes, folds: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Folds for one body, `[height, width]`: the pattern grows with the body and is mirrored where it ends."""
    step = 4 * CREASED_PX / (box_xyxy[3] - box_xyxy[1])
    left, top, right, bottom = window
    rows, columns = (
        (np.arange(count) * step + start).astype(int) % (2 * FOLDS_SIDE)
        for count, start in ((bottom - top, abs(box_xyxy[3])), (right - left, abs(box_xyxy[0])))
    )
    rows, columns = (np.minimum(places, 2 * FOLDS_SIDE - 1 - places) for places in (rows, columns))
    return np.asarray(folds[rows[:, None], columns])


def _shading(window: PixelRect, box_xyxy: Boxes, shade: float) -> npt.NDArray[np.float32]:
    """Brightness of the rows of a body that gets darker towards the feet, `[height, 1]`."""
    rows = np.arange(window[1], window[3]) + 0.5
    downwards = ((rows - box_xyxy[1]) / (box_xyxy[3] - box_xyxy[1])).clip(0, 1)
    return np.asarray(1 - shade * downwards**1.3, np.float32)[:, None]


def _paste(image: FloatImage, owners: npt.NDArray[np.int16], sprite: Sprite, owner: int) -> npt.NDArray[np.bool_]:
    """Lays a body over the image and enters it into the buffer; returns which pixels of its window it covers."""
    left, top, right, bottom = sprite.window
    alpha = sprite.pixels[..., 3:]
    target = image[top:bottom, left:right]
    target *= 1 - alpha / 255
    target += sprite.pixels[..., :3]
    solid = alpha[..., 0] > SOLID_ALPHA
    owners[top:bottom, left:right][solid] = owner
    return np.asarray(solid)


def box_slices(box_xyxy: Boxes, window: PixelRect) -> tuple[slice, slice]:
    """Rows and columns of a window whose pixels have their centre in a box.

    Args:
        box_xyxy: `[4]` pixels of the image.
        window: left, top, right, bottom in the image, the last two exclusive.
    """
    left, top, right, bottom = window
    x0, y0, x1, y1 = np.round(box_xyxy).astype(int).tolist()
    return (
        slice(max(y0 - top, 0), max(min(y1, bottom) - top, 0)),
        slice(max(x0 - left, 0), max(min(x1, right) - left, 0)),
    )

"""Depth-ordered compositing of bodies over an image, with the index of the visible person at each pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.synthetic.people.projection import ProjectedBodies
from crowdgan_core.synthetic.render.sky import FloatImage
from crowdgan_core.synthetic.render.sprites import PixelRect, Sprite, draw_sprite
from crowdgan_core.utils.arrays import BoolArray, FloatArray

PersonIndexImage = npt.NDArray[np.int16]
"""`[height, width]` index of the person who is visible at each pixel; negative for scenery and ignore regions."""

MIN_OPAQUE_ALPHA = 127.5
"""Alpha above which a body covers a pixel, 0 to 255: more than half of the pixel's area."""

MIN_FOLDED_HEIGHT_PX = 80
"""Minimum body height in pixels for folds in clothes; ours."""

FOLDS_SIDE_SAMPLES, FOLDS_BRIGHTNESS_RANGE = 512, 0.32
"""Side of the fold pattern in samples, and range of its relative brightness; ours."""


def draw_people(
    rng: np.random.Generator,
    image: FloatImage,
    person_index: PersonIndexImage,
    bodies: ProjectedBodies,
    *,
    common_index: int | None = None,
    feet_shade: float = 0.0,
) -> npt.NDArray[np.int64]:
    """Draws bodies from the farthest to the nearest, in place.

    Args:
        rng: random generator.
        image: `[height, width, 3]`, changed.
        person_index: `[height, width]`, changed.
        bodies: the bodies.
        common_index: entry of all bodies in `person_index`; None: each body's own index.
        feet_shade: fraction of light lost at the feet.

    Returns:
        `[num_people, 2]` number of pixels that each body, and its head, covers in the image.
    """
    folds = _fold_pattern(rng)
    covered_px = np.zeros((len(bodies), 2), np.int64)
    for index in np.argsort(-bodies.depth_m).tolist():
        sprite = draw_sprite(bodies, index, (person_index.shape[0], person_index.shape[1]))
        if sprite is None:
            continue
        brightness = _row_brightness(sprite.rect, bodies.full_boxes[index], feet_shade)
        if bodies.height_px(index) >= MIN_FOLDED_HEIGHT_PX:
            brightness = brightness * _body_folds(sprite.rect, bodies.full_boxes[index], folds)
        sprite.pixels[..., :3] *= brightness[..., None]
        opaque = _paste(image, person_index, sprite, index if common_index is None else common_index)
        covered_px[index] = opaque.sum(), opaque[box_slices(bodies.head_boxes[index], sprite.rect)].sum()
    return covered_px


def _fold_pattern(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Relative brightness of folded cloth, `[FOLDS_SIDE_SAMPLES, FOLDS_SIDE_SAMPLES]`, around 1."""
    noise = Image.fromarray(rng.random((FOLDS_SIDE_SAMPLES // 48, FOLDS_SIDE_SAMPLES // 20), np.float32))
    smooth = noise.resize((FOLDS_SIDE_SAMPLES, FOLDS_SIDE_SAMPLES), Image.Resampling.BICUBIC)
    return np.asarray(1 + FOLDS_BRIGHTNESS_RANGE * (np.asarray(smooth) - 0.5), np.float32)


def _body_folds(rect: PixelRect, box_xyxy: FloatArray, folds: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Folds of one body, `[height, width]`: the pattern scales with the body's height and is mirrored at its end."""
    step = 4 * MIN_FOLDED_HEIGHT_PX / (box_xyxy[3] - box_xyxy[1])
    left, top, right, bottom = rect
    rows, columns = (
        (np.arange(count) * step + start).astype(int) % (2 * FOLDS_SIDE_SAMPLES)
        for count, start in ((bottom - top, abs(box_xyxy[3])), (right - left, abs(box_xyxy[0])))
    )
    rows, columns = (np.minimum(indices, 2 * FOLDS_SIDE_SAMPLES - 1 - indices) for indices in (rows, columns))
    return np.asarray(folds[rows[:, None], columns])


def _row_brightness(rect: PixelRect, box_xyxy: FloatArray, feet_shade: float) -> npt.NDArray[np.float32]:
    """Relative brightness of a body's rows, which decreases towards the feet, `[height, 1]`."""
    rows = np.arange(rect[1], rect[3]) + 0.5
    downwards = ((rows - box_xyxy[1]) / (box_xyxy[3] - box_xyxy[1])).clip(0, 1)
    return np.asarray(1 - feet_shade * downwards**1.3, np.float32)[:, None]


def _paste(image: FloatImage, person_index: PersonIndexImage, sprite: Sprite, index: int) -> BoolArray:
    """Composites a sprite over the image and enters its index; returns the pixels of its rectangle that it covers."""
    left, top, right, bottom = sprite.rect
    alpha = sprite.pixels[..., 3:]
    target = image[top:bottom, left:right]
    target *= 1 - alpha / 255
    target += sprite.pixels[..., :3]
    opaque = alpha[..., 0] > MIN_OPAQUE_ALPHA
    person_index[top:bottom, left:right][opaque] = index
    return np.asarray(opaque)


def box_slices(box_xyxy: FloatArray, rect: PixelRect) -> tuple[slice, slice]:
    """Slices of a rectangle's rows and columns whose pixel centres lie in a box.

    Args:
        box_xyxy: `[4]` pixels of the image.
        rect: left, top, right, bottom in the image, the last two exclusive.
    """
    left, top, right, bottom = rect
    x0, y0, x1, y1 = np.round(box_xyxy).astype(int).tolist()
    return (
        slice(max(y0 - top, 0), max(min(y1, bottom) - top, 0)),
        slice(max(x0 - left, 0), max(min(x1, right) - left, 0)),
    )

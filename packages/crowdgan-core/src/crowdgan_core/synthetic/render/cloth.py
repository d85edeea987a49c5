"""Brightness of visible bodies: folds in clothes, and shade towards the feet."""

from __future__ import annotations

from functools import cache

import numpy as np

from crowdgan_core.synthetic.people.projection import ProjectedBodies
from crowdgan_core.synthetic.render.compositing import PersonIndexImage
from crowdgan_core.synthetic.render.float_image import FloatMap, row_blocks, smooth_noise
from crowdgan_core.utils.arrays import IndexArray

FOLDS_SIDE_SAMPLES, FOLDS_PER_SIDE, FOLDS_BRIGHTNESS_RANGE = 512, (10, 25), 0.32
"""Side of the fold pattern in samples, a power of two; its folds per (height, width); range of its brightness; ours."""

FOLDS_SAMPLES_PER_BODY = 320
"""Samples of the fold pattern per body height; ours."""

FEET_SHADE_EXPONENT = 1.25
"""Exponent of the relative position from head to feet in the loss of light; ours."""


def body_brightness(person_index: PersonIndexImage, bodies: ProjectedBodies, feet_shade: float) -> FloatMap:
    """Relative brightness of each pixel, `[height, width]`: that of the visible body, 1 where there is none.

    Args:
        person_index: `[height, width]` indices of `bodies`, negative where none is visible.
        bodies: the bodies.
        feet_shade: fraction of light lost at the feet.
    """
    per_px = 1 / bodies.heights_px
    start = (0.5 - bodies.full_boxes[:, 1]) * per_px
    offsets = np.abs(bodies.full_boxes[:, 2:].T)  # each body has another part of the pattern
    placements = np.stack([per_px, start, *offsets]).astype(np.float32)
    brightness = np.ones(person_index.shape, np.float32)
    for block in row_blocks(len(person_index)):
        pixels = np.flatnonzero(person_index[block] >= 0)
        rows, columns = np.divmod(pixels, person_index.shape[1])
        placement = placements.take(person_index[block].take(pixels), axis=1)
        shade = _body_brightness(rows + block.start, columns, placement, feet_shade)
        brightness[block].ravel()[pixels] = shade
    return brightness


def _body_brightness(rows: IndexArray, columns: IndexArray, placement: FloatMap, feet_shade: float) -> FloatMap:
    """Relative brightness of pixels of bodies, `[num_pixels]`.

    Args:
        rows: `[num_pixels]` rows of the pixels.
        columns: `[num_pixels]` columns of the pixels.
        placement: `[4, num_pixels]` inverse of the body's height in pixels, its upper edge, and the column and row of
            the fold pattern at which it begins.
        feet_shade: fraction of light lost at the feet.
    """
    scale, start, column, row = placement
    downwards = (rows.astype(np.float32) * scale + start).clip(0, 1)
    row += downwards * FOLDS_SAMPLES_PER_BODY
    column += columns.astype(np.float32) * scale * FOLDS_SAMPLES_PER_BODY
    pattern = _fold_pattern()
    mask = len(pattern) - 1
    folds = pattern.take((row.astype(np.intp) & mask) * len(pattern) + (column.astype(np.intp) & mask))
    return np.asarray(folds * (1 - feet_shade * downwards ** np.float32(FEET_SHADE_EXPONENT)))


@cache
def _fold_pattern() -> FloatMap:
    """Relative brightness of folded cloth around 1, periodic by mirroring, `[2 FOLDS_SIDE_SAMPLES] * 2`."""
    noise = np.random.default_rng(0).random(FOLDS_PER_SIDE, np.float32)
    smooth = smooth_noise(noise, (FOLDS_SIDE_SAMPLES, FOLDS_SIDE_SAMPLES))
    pattern = 1 + np.float32(FOLDS_BRIGHTNESS_RANGE) * (smooth - np.float32(0.5))
    pattern = np.concatenate([pattern, pattern[::-1]])
    return np.concatenate([pattern, pattern[:, ::-1]], axis=1)

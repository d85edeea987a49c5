"""Antialiased sprites: each body is drawn enlarged and then averaged down."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from crowdgan_core.synthetic.people.projection import ProjectedBodies
from crowdgan_core.synthetic.render.canvas import CANVAS_MODE
from crowdgan_core.synthetic.render.layers import BodyPolygons, body_polygons
from crowdgan_core.utils.arrays import BoolArray, FloatArray

OVERSAMPLING_FACTORS = ((30, 4), (60, 3), (float("inf"), 2))
"""(maximum body height in pixels, oversampling factor); the first entry that applies; ours."""

BATCH_SIZE = 64
"""Bodies whose polygons are computed at once; bounds the memory of dense crowds."""

MIN_OPAQUE_ALPHA = 128
"""Alpha from which a body covers a pixel, 0 to 255: half of the pixel's area."""

PixelRect = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, the last two exclusive."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sprite:
    """The part of a body inside the image."""

    index: int
    """Index of the body."""

    rect: PixelRect
    """Position in the image."""

    image: Image.Image
    """RGBA image of the rectangle."""

    opaque: BoolArray
    """`[height, width]` pixels of the rectangle that the body covers."""


def draw_sprites(bodies: ProjectedBodies, size: tuple[int, int]) -> Iterator[Sprite]:
    """Sprites of the bodies in an image of `size` (height, width), the farthest first; none of bodies outside it."""
    rects = {index: rect for index, box in enumerate(bodies.full_boxes) if (rect := _clipped_rect(box, size))}
    order = np.array([index for index in np.argsort(-bodies.depth_m).tolist() if index in rects], np.intp)
    limits_px, factors = np.array(OVERSAMPLING_FACTORS).T
    for start in range(0, len(order), BATCH_SIZE):
        batch = order[start : start + BATCH_SIZE]
        batch_factors = factors[np.searchsorted(limits_px, bodies.heights_px[batch])].astype(np.intp)
        polygons = body_polygons(bodies, batch, np.array([rects[index] for index in batch.tolist()]), batch_factors)
        for index, factor, drawn in zip(batch.tolist(), batch_factors.tolist(), polygons, strict=True):
            yield _draw_sprite(index, rects[index], factor, drawn)


def _draw_sprite(index: int, rect: PixelRect, factor: int, polygons: BodyPolygons) -> Sprite:
    """Sprite of one body, drawn enlarged and transposed."""
    left, top, right, bottom = rect
    canvas = Image.new(CANVAS_MODE, ((bottom - top) * factor, (right - left) * factor))
    draw = ImageDraw.Draw(canvas)
    for outline, fill in zip(polygons.outlines, polygons.fills, strict=True):
        draw.polygon(outline, fill)
    image = canvas.reduce(factor).transpose(Image.Transpose.TRANSPOSE)
    opaque = np.asarray(image.getchannel(3)) >= MIN_OPAQUE_ALPHA
    return Sprite(index=index, rect=rect, image=image.convert("RGBA"), opaque=opaque)


def _clipped_rect(box_xyxy: FloatArray, size: tuple[int, int]) -> PixelRect | None:
    """Pixels of a box with a margin of 1 px, clipped to the image; None if it is outside."""
    height, width = size
    x_min, y_min, x_max, y_max = box_xyxy.tolist()
    left, top = max(math.floor(x_min) - 1, 0), max(math.floor(y_min) - 1, 0)
    right, bottom = min(math.ceil(x_max) + 1, width), min(math.ceil(y_max) + 1, height)
    return (left, top, right, bottom) if left < right and top < bottom else None

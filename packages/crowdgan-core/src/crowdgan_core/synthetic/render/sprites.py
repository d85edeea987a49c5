"""Antialiased sprites: each body is drawn enlarged and then averaged down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from crowdgan_core.synthetic.people.projection import ProjectedBodies
from crowdgan_core.synthetic.render.canvas import CANVAS_MODE
from crowdgan_core.utils.arrays import FloatArray

OVERSAMPLING_FACTORS = ((40, 4), (80, 3), (float("inf"), 2))
"""(maximum body height in pixels, oversampling factor); the first entry that applies; ours."""

LAYER_STEPS = ((30, 5), (90, 3), (160, 2), (float("inf"), 1))
"""(maximum body height in pixels, step): every step-th shading layer is drawn; the first entry that applies; ours."""

DETAIL_MIN_HEIGHT_PX = 200
"""Minimum body height in pixels for parts that are drawn on large bodies only; ours."""

PixelRect = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, the last two exclusive."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sprite:
    """The part of a body inside the image."""

    rect: PixelRect
    """Position in the image."""

    pixels: npt.NDArray[np.float32]
    """`[height, width, 4]` RGBA, 0 to 255, colours premultiplied by alpha."""


def draw_sprite(bodies: ProjectedBodies, index: int, size: tuple[int, int]) -> Sprite | None:
    """Sprite of one body in an image of `size` (height, width); None if the body is outside the image."""
    rect = _clipped_rect(bodies.full_boxes[index], size)
    if rect is None:
        return None
    left, top, right, bottom = rect
    factor = _value_for_height(OVERSAMPLING_FACTORS, bodies.height_px(index))
    image = Image.new(CANVAS_MODE, ((right - left) * factor, (bottom - top) * factor))
    _draw_parts(image, bodies, index, (left, top), factor)
    return Sprite(rect=rect, pixels=np.array(image.reduce(factor), np.float32))


def _clipped_rect(box_xyxy: FloatArray, size: tuple[int, int]) -> PixelRect | None:
    """Pixels of a box with a margin of 1 px, clipped to the image; None if it is outside."""
    height, width = size
    left, top = np.floor(box_xyxy[:2]).astype(int) - 1
    right, bottom = np.ceil(box_xyxy[2:]).astype(int) + 1
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    return (int(left), int(top), int(right), int(bottom)) if left < right and top < bottom else None


def _value_for_height(table: tuple[tuple[float, int], ...], height_px: float) -> int:
    return next(value for max_height_px, value in table if height_px <= max_height_px)


def _draw_parts(image: Image.Image, bodies: ProjectedBodies, index: int, origin: tuple[int, int], factor: int) -> None:
    """Draws the parts of one body on the enlarged canvas, the farthest first."""
    draw, height_px = ImageDraw.Draw(image), bodies.height_px(index)
    step = _value_for_height(LAYER_STEPS, height_px)
    fills = [[(*colour, 255) for colour in layer] for layer in bodies.colours[index, ::step].tolist()]
    matrix = bodies.to_image[index] * factor
    matrix[2] -= np.array(origin) * factor + 0.5  # in Pillow, integer coordinates are centres of pixels
    details = height_px >= DETAIL_MIN_HEIGHT_PX
    parts = [part for part in bodies.parts if part.visible[index] and (details or not part.is_detail)]
    parts.sort(key=lambda part: float(part.order[index]))
    outlines = np.concatenate([part.outlines[index, ::step] for part in parts], axis=1) @ matrix[:2] + matrix[2]
    flat = iter(outlines.reshape(*outlines.shape[:2], -1).swapaxes(0, 1).tolist())
    for part in parts:
        pieces = [next(flat) for _ in part.slots]
        for layer, fill in enumerate(fills):
            for slot, piece in zip(part.slots, pieces, strict=True):
                draw.polygon(piece[layer], fill[slot])

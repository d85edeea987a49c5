"""Bodies from polygons to pixels: each person drawn larger than needed and averaged down, for smooth edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from crowdgan_core.synthetic.people.projection import Figures
from crowdgan_core.synthetic.render.canvas import PREMULTIPLIED

OVERSAMPLING = ((40, 4), (80, 3), (float("inf"), 2))
"""Up to which height in pixels a body is drawn how many times larger."""

LAYER_STEPS = ((30, 5), (90, 3), (160, 2), (float("inf"), 1))
"""Up to which height in pixels every how many-th of the layers of shading is drawn."""

FINE_PX = 200
"""Bodies at least this tall in pixels get the parts that are drawn on large bodies only."""

PixelRect = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, the last two exclusive."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sprite:
    """The part of a body that lies in the image."""

    window: PixelRect
    pixels: npt.NDArray[np.float32]
    """`[height, width, 4]`, 0 to 255, colours multiplied by alpha."""


def draw_sprite(figures: Figures, index: int, size: tuple[int, int]) -> Sprite | None:
    """One body drawn where it lies in an image of `size` (height, width); None if it lies wholly outside."""
    window = _window(figures.full_boxes[index], size)
    if window is None:
        return None
    left, top, right, bottom = window
    factor = _by_height(OVERSAMPLING, figures.height_px(index))
    image = Image.new(PREMULTIPLIED, ((right - left) * factor, (bottom - top) * factor))
    _draw_parts(image, figures, index, (left, top), factor)
    return Sprite(window=window, pixels=np.array(image.reduce(factor), np.float32))


def _window(box_xyxy: npt.NDArray[np.float64], size: tuple[int, int]) -> PixelRect | None:
    height, width = size
    left, top = np.floor(box_xyxy[:2]).astype(int) - 1
    right, bottom = np.ceil(box_xyxy[2:]).astype(int) + 1
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    return (int(left), int(top), int(right), int(bottom)) if left < right and top < bottom else None


def _by_height(table: tuple[tuple[float, int], ...], height_px: float) -> int:
    return next(value for limit, value in table if height_px <= limit)


def _draw_parts(image: Image.Image, figures: Figures, index: int, origin: tuple[int, int], factor: int) -> None:
    """Draws the parts of one body on the enlarged canvas, the farthest first."""
    draw, height_px = ImageDraw.Draw(image), figures.height_px(index)
    step = _by_height(LAYER_STEPS, height_px)
    inks = [[(*ink, 255) for ink in layer] for layer in figures.inks[index, ::step].tolist()]
    matrix = figures.to_image[index] * factor
    matrix[2] -= np.array(origin) * factor + 0.5  # Pillow's whole coordinates are centres of pixels
    shown = [part for part in figures.parts if part.shown[index] and (height_px >= FINE_PX or not part.fine)]
    shown.sort(key=lambda part: float(part.order[index]))
    outlines = np.concatenate([part.outlines[index, ::step] for part in shown], axis=1) @ matrix[:2] + matrix[2]
    flat = iter(outlines.reshape(*outlines.shape[:2], -1).swapaxes(0, 1).tolist())
    for part in shown:
        pieces = [next(flat) for _ in part.slots]
        for layer, ink in enumerate(inks):
            for slot, piece in zip(part.slots, pieces, strict=True):
                draw.polygon(piece[layer], ink[slot])

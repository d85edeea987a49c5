"""Depth-ordered compositing of bodies over an image, with the index of the visible person at each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from crowdgan_core.synthetic.people.projection import ProjectedBodies
from crowdgan_core.synthetic.render.sprites import PixelRect, draw_sprites
from crowdgan_core.utils.arrays import FloatArray

PersonIndexImage = npt.NDArray[np.int16]
"""`[height, width]` index of the person who is visible at each pixel; negative for scenery and ignore regions."""


def draw_people(
    image: Image.Image,
    person_index: PersonIndexImage,
    bodies: ProjectedBodies,
    entries: Sequence[int],
) -> npt.NDArray[np.int64]:
    """Draws bodies from the farthest to the nearest, in place.

    Args:
        image: RGB image, changed.
        person_index: `[height, width]`, changed.
        bodies: the bodies.
        entries: entry of each body in `person_index`.

    Returns:
        `[num_people, 2]` number of pixels that each body, and its head, covers in the image.
    """
    head_boxes = rounded_boxes(bodies.head_boxes)
    covered_px = np.zeros((len(bodies), 2), np.int64)
    for sprite in draw_sprites(bodies, (image.height, image.width)):
        left, top, right, bottom = sprite.rect
        image.paste(sprite.image, (left, top), sprite.image)
        covered = person_index[top:bottom, left:right]
        covered[sprite.opaque] = entries[sprite.index]
        head = sprite.opaque[box_slices(head_boxes[sprite.index], sprite.rect)]
        covered_px[sprite.index] = np.count_nonzero(sprite.opaque), np.count_nonzero(head)
    return covered_px


def rounded_boxes(boxes_xyxy: FloatArray) -> list[PixelRect]:
    """Boxes `[num_boxes, 4]` whose edges are rounded to pixels."""
    return [(left, top, right, bottom) for left, top, right, bottom in np.rint(boxes_xyxy).astype(int).tolist()]


def box_slices(box_xyxy: PixelRect, rect: PixelRect) -> tuple[slice, slice]:
    """Slices of a rectangle's rows and columns that lie in a box, both in pixels of the image."""
    left, top, right, bottom = rect
    x0, y0, x1, y1 = box_xyxy
    return (
        slice(max(y0 - top, 0), max(min(y1, bottom) - top, 0)),
        slice(max(x0 - left, 0), max(min(x1, right) - left, 0)),
    )

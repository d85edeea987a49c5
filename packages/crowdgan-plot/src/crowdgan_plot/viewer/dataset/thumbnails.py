"""Thumbnails of images, with boxes of people on request."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from crowdgan_core.utils.arrays import Boxes, ImageArray
from crowdgan_plot.viewer.dataset.annotations import ImageBoxes

THUMBNAIL_PX = 200
"""Longest side of a thumbnail in pixels; smaller images keep their size."""

BOX_COLOUR, IGNORE_COLOUR = (230, 159, 0, 170), (255, 255, 255, 200)
"""Red, green, blue and opacity of people and ignore regions; the colours of dataset.css."""

MIN_SMOOTH_PX = 100
"""Shortest longest side of images that are enlarged smoothly; the pixels of smaller ones stay visible."""

HEAD_RADIUS_PX = 1.5


def make_thumbnail(pixels: ImageArray, boxes: ImageBoxes | None = None) -> ImageArray:
    """The image `[height, width, 3]` with a longest side of at most `THUMBNAIL_PX`.

    With boxes, smaller images are enlarged, so that lines are thin.

    Args:
        pixels: image of the dataset, `[height, width, 3]`.
        boxes: boxes to draw; None for none.
    """
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    if boxes is None:
        return np.asarray(image)
    resampling = Image.Resampling.BICUBIC if max(image.size) >= MIN_SMOOTH_PX else Image.Resampling.NEAREST
    image = ImageOps.contain(image, (THUMBNAIL_PX, THUMBNAIL_PX), resampling)
    _draw_boxes(image, boxes)
    return np.asarray(image)


def _draw_boxes(image: Image.Image, boxes: ImageBoxes) -> None:
    """Draws the boxes on an image of any size."""
    draw = ImageDraw.Draw(image, "RGBA")
    scale = np.array([image.width / boxes.size[1], image.height / boxes.size[0]])
    for colour, rows in ((IGNORE_COLOUR, boxes.ignore_regions), (BOX_COLOUR, boxes.people)):
        for corners in _corners(rows) * np.tile(scale, 2):
            draw.rectangle(tuple(corners.tolist()), outline=colour)
    for x, y in boxes.heads * scale:
        left, top = float(x) - HEAD_RADIUS_PX, float(y) - HEAD_RADIUS_PX
        draw.ellipse((left, top, left + 2 * HEAD_RADIUS_PX, top + 2 * HEAD_RADIUS_PX), fill=BOX_COLOUR)


def _corners(boxes_xywh: Boxes) -> Boxes:
    """Boxes as left, top, right and bottom, `[num_boxes, 4]`."""
    return np.hstack([boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]])

"""Drawing of an image, in colour or as a pale background, and of the boxes of its people."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes, ImageArray, Points
from crowdgan_plot.density.layer_drawing import Handles
from crowdgan_plot.density.scene_boxes import DrawnBoxes
from crowdgan_plot.style import LINE_COLOURS, TEXT_COLOUR

MAX_DRAWN_PX = 1000
"""Maximum side of an image in a figure, in pixels."""

BACKGROUND_WHITENESS = 0.6
"""Fraction of white mixed into an image below layers."""

BOX_COLOUR = LINE_COLOURS[4]


def draw_image(axes: Axes, image: ImageArray, *, is_background: bool) -> None:
    """Draws an image `[height, width, 3]` in axes of its pixels; as a background in grey, mixed with white."""
    height, width = image.shape[:2]
    small = Image.fromarray(image)
    small.thumbnail((MAX_DRAWN_PX, MAX_DRAWN_PX))
    values = np.asarray(small, float)
    if is_background:
        grey = np.asarray(small.convert("L").convert("RGB"), float)
        values = grey + BACKGROUND_WHITENESS * (255 - grey)
    axes.imshow(values.astype(np.uint8), extent=(0, width, height, 0), aspect="equal", interpolation="antialiased")
    axes.set(xlim=(0, width), ylim=(height, 0), xlabel="x (px)", ylabel="y (px)")
    axes.grid(visible=False)


def draw_people(axes: Axes, scene: Scene, handles: Handles) -> None:
    """Draws the boxes of people, or their heads; `handles` receives the legend."""
    drawn = DrawnBoxes.of_scene(scene)
    if len(drawn.people):
        boxes: dict[str, Any] = {"facecolor": "none", "edgecolor": BOX_COLOUR}
        axes.add_collection(PolyCollection(_corners(drawn.people), linewidths=1.1, **boxes))
        label = _count_text(len(drawn.people), "box", "es")
        handles[label] = Patch(**boxes, label=label)
    if len(drawn.heads):
        size = float(np.clip(6000 / len(drawn.heads), 3, 30))
        axes.scatter(drawn.heads[:, 0], drawn.heads[:, 1], s=size, color=BOX_COLOUR, linewidths=0)
        label = _count_text(len(drawn.heads), "head")
        handles[label] = Line2D([], [], marker="o", linestyle="none", color=BOX_COLOUR, label=label)


def draw_ignore_regions(axes: Axes, scene: Scene, handles: Handles) -> None:
    """Draws ignore regions hatched; `handles` receives the legend."""
    regions = DrawnBoxes.of_scene(scene).ignore_regions
    if len(regions):
        hatched: dict[str, Any] = {"facecolor": (1, 1, 1, 0.35), "edgecolor": TEXT_COLOUR, "hatch": "///"}
        hatched["linewidth"] = 0.8
        axes.add_collection(PolyCollection(_corners(regions), **hatched))
        label = _count_text(len(regions), "ignore region")
        handles[label] = Patch(**hatched, label=label)


def _corners(boxes_xywh: Boxes) -> list[Points]:
    """The four corners of each box."""
    x, y, w, h = boxes_xywh.T
    return list(np.stack([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]).transpose(2, 0, 1))


def _count_text(count: int, noun: str, plural_ending: str = "s") -> str:
    return f"{count:,} {noun}{plural_ending if count != 1 else ''}"

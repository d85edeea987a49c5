"""Images of a density: the photograph with its boxes, and what the estimator says of it over the photograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import Layer, layer_coordinates
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes, ImageArray
from crowdgan_plot.density.layer_drawing import colour_scales, draw_layers
from crowdgan_plot.style import INK, LINE_COLOURS, truncate_text, wrapped

PANEL_AREA_IN2 = 26.0
"""Area of a photograph's panel in square inches."""

PANEL_IN = (3.2, 7.0)
"""Least and largest side of a panel."""

DPI = 110
"""Pixels per inch of a PNG: two panels are about 1500 px wide."""

SHOWN_PX = 1000
"""Longer side of a photograph as it is drawn."""

PALE = 0.55
"""How far the photograph below an estimator's image is turned to white."""

BOX_COLOUR = LINE_COLOURS[4]

LONGEST_NAME = 60
"""Characters of an image's name in the title."""

BAR_IN = 0.16
"""Height of a colour bar."""

BAR_CHARACTERS = 9.5
"""Characters below a colour bar to an inch."""

INCH_CHARACTERS = 8.5
"""Characters of a title to an inch."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplainedImage:
    """An image, its people, and what an estimator says of them."""

    pixels: ImageArray
    """`[height, width, 3]`, of the scene's size."""
    scene: Scene
    estimator: str
    """Name of the estimator."""
    classes: tuple[str, ...]
    density: DensityEstimate
    layers: tuple[Layer, ...]

    @property
    def title(self) -> str:
        """The image's name, and the density with its unit, class and interval, or why it cannot be told."""
        name = truncate_text(self.scene.source_name, LONGEST_NAME)
        return f"{name}\n{self.estimator}: {format_estimate(self.density, self.classes)}"


def explain_image(
    pixels: ImageArray, scene: Scene, estimator: DensityEstimator, density: DensityEstimate | None = None
) -> ExplainedImage:
    """What a fitted estimator says of an image; `density` where it is known already.

    Where the estimator is defined to fail on such a scene, it cannot tell, and its message is the reason.
    """
    layers: Sequence[Layer] = ()
    try:
        density = density if density is not None else estimator.estimate(scene)
        layers = estimator.explain(scene)
    except DensityError as error:
        density = density or DensityEstimate.unknown(estimator.unit, str(error))
    return ExplainedImage(
        pixels=pixels,
        scene=scene,
        estimator=estimator.name,
        classes=tuple(estimator.classes),
        density=density,
        layers=tuple(layers),
    )


def format_estimate(density: DensityEstimate, classes: Sequence[str]) -> str:
    """A density in words: `2.41 persons/m² (1.9 to 3.1), class E`, or why it cannot be told."""
    if density.value is None or density.class_index is None:
        return f"cannot tell: {density.reason}"
    interval = ""
    if density.interval is not None:
        interval = f" ({number(density.interval[0])} to {number(density.interval[1])})"
    return f"{number(density.value)} {density.unit}{interval}, class {classes[density.class_index]}"


def number(value: float) -> str:
    """A value with three digits that count, large ones in full."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def density_figure(found: ExplainedImage) -> Figure:
    """The figure of a measured image: photograph and boxes, layers over it, and those on the ground from above."""
    in_image = [layer for layer in found.layers if layer.space == "image"]
    on_ground = [layer for layer in found.layers if layer.space == "ground"]
    known = colour_scales(found.layers)
    widths_in, height_in = _panel_sizes(found.scene, in_image, on_ground)
    figure, panels, bars = _empty_figure(widths_in, height_in, len(known))
    draw_people(panels[0], found)
    if in_image:
        _draw_image(panels[1], found, pale=PALE)
        _legend_above(panels[1], draw_layers(panels[1], in_image, known))
    if on_ground:
        _legend_above(panels[-1], draw_layers(panels[-1], on_ground, known))
        _frame_ground(panels[-1], on_ground)
    for axes, scale in zip(bars, known.values(), strict=True):
        extend = "max" if scale.is_cut else "neither"
        bar = figure.colorbar(ScalarMappable(**scale.look), cax=axes, orientation="horizontal", extend=extend)
        bar.set_label(wrapped(scale.text, int(BAR_CHARACTERS * widths_in[min(1, len(widths_in) - 1)])), fontsize=12)
    figure.suptitle(wrapped_title(found.title, sum(widths_in)), fontsize=14)
    return figure


def _panel_sizes(scene: Scene, in_image: Sequence[Layer], on_ground: Sequence[Layer]) -> tuple[list[float], float]:
    """Widths of the panels in inches, and their height."""
    height, width = scene.size
    height_in = float(np.clip(np.sqrt(PANEL_AREA_IN2 * height / width), *PANEL_IN))
    width_in = float(np.clip(height_in * width / height, *PANEL_IN))
    widths_in = [width_in] * (2 if in_image else 1)
    if on_ground:
        extent = np.ptp(np.concatenate([layer_coordinates(layer) for layer in on_ground]), axis=0)
        widths_in.append(float(np.clip(height_in * extent[0] / max(extent[1], 1e-9), *PANEL_IN)))
    return widths_in, height_in


def _empty_figure(widths_in: Sequence[float], height_in: float, bars: int) -> tuple[Figure, list[Axes], list[Axes]]:
    """A figure, its panels from the left, and axes for colour bars, all below the second panel."""
    heights_in = [height_in, *[BAR_IN] * bars]
    size = (sum(widths_in) + 0.7 * len(widths_in), height_in + 1.6 + 0.85 * bars)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(len(heights_in), len(widths_in), width_ratios=widths_in, height_ratios=heights_in)
    panels = [figure.add_subplot(grid[0, column]) for column in range(len(widths_in))]
    place = min(1, len(widths_in) - 1)
    return figure, panels, [figure.add_subplot(grid[row + 1, place]) for row in range(bars)]


def wrapped_title(title: str, width_in: float) -> str:
    """The title on lines that are no longer than the figure is wide."""
    return "\n".join(wrapped(line, int(INCH_CHARACTERS * width_in)) for line in title.splitlines())


def draw_people(axes: Axes, found: ExplainedImage) -> None:
    """Draws the photograph with the boxes of its persons, or their heads, and its ignore regions hatched."""
    _draw_image(axes, found, pale=0.0)
    scene = found.scene
    rows = np.where(_is_box(scene.full_boxes)[:, None], scene.full_boxes, scene.visible_boxes)
    boxes, ignored = rows[~scene.ignore & _is_box(rows)], rows[scene.ignore & _is_box(rows)]
    entries: list[Any] = []
    if len(boxes):
        axes.add_collection(PolyCollection(_corners(boxes), facecolors="none", edgecolors=BOX_COLOUR, linewidths=1.1))
        entries.append(Patch(facecolor="none", edgecolor=BOX_COLOUR, label=_counted(len(boxes), "box", "es")))
    bare = ~scene.ignore & ~_is_box(rows) & np.isfinite(scene.head_boxes).all(axis=1)
    if bare.any():
        heads = scene.head_boxes[bare]
        size = float(np.clip(6000 / len(heads), 3, 30))
        x, y = (heads[:, :2] + heads[:, 2:] / 2).T
        points = axes.scatter(x, y, s=size, color=BOX_COLOUR, linewidths=0)
        points.set_label(_counted(len(heads), "head"))
        entries.append(points)
    if len(ignored):
        hatched: dict[str, Any] = {"facecolor": (1, 1, 1, 0.35), "edgecolor": INK, "hatch": "///", "linewidth": 0.8}
        axes.add_collection(PolyCollection(_corners(ignored), **hatched))
        entries.append(Patch(**hatched, label=_counted(len(ignored), "ignore region")))
    _legend_above(axes, entries)


def _draw_image(axes: Axes, found: ExplainedImage, *, pale: float) -> None:
    """Draws the photograph, its own pixels the coordinates; grey and pale below what shall stand out."""
    height, width = found.scene.size
    image = Image.fromarray(found.pixels)
    image.thumbnail((SHOWN_PX, SHOWN_PX))
    shown = np.asarray(image.convert("L").convert("RGB") if pale else image, float)
    shown = shown + pale * (255 - shown)
    axes.imshow(shown.astype(np.uint8), extent=(0, width, height, 0), aspect="equal", interpolation="antialiased")
    axes.set(xlim=(0, width), ylim=(height, 0), xlabel="x (px)", ylabel="y (px)")
    axes.grid(visible=False)


def _frame_ground(axes: Axes, layers: Sequence[Layer]) -> None:
    """Sets the axes to the ground in view, seen from above."""
    points = np.concatenate([layer_coordinates(layer) for layer in layers])
    (left, near), (right, far) = points.min(axis=0), points.max(axis=0)
    margin = 0.04 * max(right - left, far - near)
    axes.set(xlim=(left - margin, right + margin), ylim=(near - margin, far + margin), aspect="equal")
    axes.set(xlabel="metres to the right of the camera", ylabel="metres ahead of the camera")


def _legend_above(axes: Axes, entries: list[Any]) -> None:
    if entries:
        where: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.3}
        axes.legend(handles=entries, ncols=min(len(entries), 2), fontsize=11, **where)


def _is_box(boxes: Boxes) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1))


def _corners(boxes_xywh: Boxes) -> list[Boxes]:
    """The four corners of each box."""
    x, y, w, h = boxes_xywh.T
    return list(np.stack([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]).transpose(2, 0, 1))


def _counted(number: int, what: str, plural: str = "s") -> str:
    return f"{number:,} {what}{plural if number != 1 else ''}"

"""Figure of one density estimate: the image with boxes, and the layers of the estimator over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from crowdgan_core.density.checked_calls import estimate_scene
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import Layer, layer_coordinates
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import Boxes, ImageArray, Points
from crowdgan_plot.density.layer_drawing import colour_scales, draw_layers
from crowdgan_plot.density.scene_boxes import DrawnBoxes
from crowdgan_plot.style import LINE_COLOURS, TEXT_COLOUR, new_figure, plot_style, truncate_text, wrap_text

PANEL_AREA_IN2 = 26.0
"""Area of an image panel in square inches."""

PANEL_SIDE_IN = (3.2, 7.0)
"""Minimum and maximum side of a panel in inches."""

ESTIMATE_DPI = 110
"""Pixels per inch of a PNG; a figure with two panels is about 1500 px wide."""

MAX_DRAWN_PX = 1000
"""Maximum side of an image in a figure, in pixels."""

BACKGROUND_WHITENESS = 0.55
"""Fraction of white mixed into the image below the layers."""

BOX_COLOUR = LINE_COLOURS[4]

NAME_CHARACTERS = 60
"""Maximum characters of the image name in the title."""

COLOUR_BAR_HEIGHT_IN = 0.16

COLOUR_BAR_CHARACTERS_PER_IN = 9.5
"""Characters per inch of a colour bar's label."""

TITLE_CHARACTERS_PER_IN = 8.5


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplainedImage:
    """An image with its people, density estimate and layers."""

    image: ImageArray
    """`[height, width, 3]`, of the scene's size."""
    scene: Scene
    estimator_name: str
    classes: tuple[str, ...]
    """Classes of the estimator."""
    estimate: DensityEstimate
    layers: tuple[Layer, ...]

    @property
    def title(self) -> str:
        """Name of the image, and the estimate as text."""
        name = truncate_text(self.scene.source_name, NAME_CHARACTERS)
        return f"{name}\n{self.estimator_name}: {format_estimate(self.estimate, self.classes)}"


@plot_style()
def plot_estimate(
    image: ImageArray, scene: Scene, estimator: DensityEstimator, estimate: DensityEstimate | None = None
) -> Figure:
    """A figure of a density estimate: the image with boxes, the estimator's layers over it, and a view from above.

    Args:
        image: `[height, width, 3]`, of the scene's size.
        scene: people in the image.
        estimator: a fitted estimator.
        estimate: its estimate for the scene, if it is already known.
    """
    return draw_explained_image(explain_image(image, scene, estimator, estimate))


def explain_image(
    image: ImageArray, scene: Scene, estimator: DensityEstimator, estimate: DensityEstimate | None = None
) -> ExplainedImage:
    """The estimate and layers of a fitted estimator for an image; `estimate` if it is already known.

    If the estimator raises a `DensityError`, the estimate is unknown with its message as the reason.
    """
    layers: Sequence[Layer] = ()
    try:
        estimate = estimate if estimate is not None else estimate_scene(estimator, scene)
        layers = estimator.explain(scene)
    except DensityError as error:
        estimate = estimate or DensityEstimate.unknown(estimator.unit, str(error))
    return ExplainedImage(
        image=image,
        scene=scene,
        estimator_name=estimator.name,
        classes=tuple(estimator.classes),
        estimate=estimate,
        layers=tuple(layers),
    )


def format_estimate(estimate: DensityEstimate, classes: Sequence[str]) -> str:
    """An estimate as text: `2.41 persons/m² (1.9 to 3.1), class E`, or `cannot be estimated: REASON`."""
    if estimate.value is None or estimate.class_index is None:
        return f"cannot be estimated: {estimate.reason}"
    interval = ""
    if estimate.interval is not None:
        interval = f" ({format_value(estimate.interval[0])} to {format_value(estimate.interval[1])})"
    return f"{format_value(estimate.value)} {estimate.unit}{interval}, class {classes[estimate.class_index]}"


def format_value(value: float) -> str:
    """A number with three significant digits, from 1000 on without decimals."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def draw_explained_image(explained: ExplainedImage) -> Figure:
    """A figure of an explained image: image with boxes, layers over the image, and layers on the ground from above."""
    image_layers = [layer for layer in explained.layers if layer.space == "image"]
    ground_layers = [layer for layer in explained.layers if layer.space == "ground"]
    scales = colour_scales(explained.layers)
    widths_in, height_in = _panel_sizes(explained.scene, image_layers, ground_layers)
    figure, panels, bars = _empty_figure(widths_in, height_in, len(scales))
    _draw_people(panels[0], explained)
    if image_layers:
        _draw_image(panels[1], explained, whiteness=BACKGROUND_WHITENESS)
        _add_legend_above(panels[1], draw_layers(panels[1], image_layers, scales))
    if ground_layers:
        _add_legend_above(panels[-1], draw_layers(panels[-1], ground_layers, scales))
        _set_ground_limits(panels[-1], ground_layers)
    bar_width_in = widths_in[min(1, len(widths_in) - 1)]
    for axes, scale in zip(bars, scales.values(), strict=True):
        extend = "max" if scale.is_clipped else "neither"
        bar = figure.colorbar(ScalarMappable(**scale.arguments), cax=axes, orientation="horizontal", extend=extend)
        bar.set_label(wrap_text(scale.label, int(COLOUR_BAR_CHARACTERS_PER_IN * bar_width_in)), fontsize=12)
    figure.suptitle(_wrap_title(explained.title, sum(widths_in)), fontsize=14)
    return figure


def _panel_sizes(
    scene: Scene, image_layers: Sequence[Layer], ground_layers: Sequence[Layer]
) -> tuple[list[float], float]:
    """Widths of the panels and their common height, in inches."""
    height, width = scene.size
    height_in = float(np.clip(np.sqrt(PANEL_AREA_IN2 * height / width), *PANEL_SIDE_IN))
    width_in = float(np.clip(height_in * width / height, *PANEL_SIDE_IN))
    widths_in = [width_in] * (2 if image_layers else 1)
    if ground_layers:
        extent = np.ptp(np.concatenate([layer_coordinates(layer) for layer in ground_layers]), axis=0)
        widths_in.append(float(np.clip(height_in * extent[0] / max(extent[1], 1e-9), *PANEL_SIDE_IN)))
    return widths_in, height_in


def _empty_figure(
    widths_in: Sequence[float], height_in: float, bar_count: int
) -> tuple[Figure, list[Axes], list[Axes]]:
    """A figure, its panels from left to right, and axes for colour bars, all below the second panel."""
    heights_in = [height_in, *[COLOUR_BAR_HEIGHT_IN] * bar_count]
    figure = new_figure((sum(widths_in) + 0.7 * len(widths_in), height_in + 1.6 + 0.85 * bar_count))
    grid = figure.add_gridspec(len(heights_in), len(widths_in), width_ratios=widths_in, height_ratios=heights_in)
    panels = [figure.add_subplot(grid[0, column]) for column in range(len(widths_in))]
    bar_column = min(1, len(widths_in) - 1)
    return figure, panels, [figure.add_subplot(grid[row + 1, bar_column]) for row in range(bar_count)]


def _wrap_title(title: str, width_in: float) -> str:
    """The title in lines that fit the width of the figure."""
    return "\n".join(wrap_text(line, int(TITLE_CHARACTERS_PER_IN * width_in)) for line in title.splitlines())


def _draw_people(axes: Axes, explained: ExplainedImage) -> None:
    """Draws the image with the boxes of its people, or their heads, and its ignore regions hatched."""
    _draw_image(axes, explained, whiteness=0.0)
    drawn = DrawnBoxes.of_scene(explained.scene)
    boxes, ignored, heads = drawn.people, drawn.ignore_regions, drawn.heads
    handles: list[Any] = []
    if len(boxes):
        axes.add_collection(PolyCollection(_corners(boxes), facecolors="none", edgecolors=BOX_COLOUR, linewidths=1.1))
        handles.append(Patch(facecolor="none", edgecolor=BOX_COLOUR, label=_count_text(len(boxes), "box", "es")))
    if len(heads):
        size = float(np.clip(6000 / len(heads), 3, 30))
        x, y = heads.T
        points = axes.scatter(x, y, s=size, color=BOX_COLOUR, linewidths=0)
        points.set_label(_count_text(len(heads), "head"))
        handles.append(points)
    if len(ignored):
        hatched: dict[str, Any] = {"facecolor": (1, 1, 1, 0.35), "edgecolor": TEXT_COLOUR, "hatch": "///"}
        hatched["linewidth"] = 0.8
        axes.add_collection(PolyCollection(_corners(ignored), **hatched))
        handles.append(Patch(**hatched, label=_count_text(len(ignored), "ignore region")))
    _add_legend_above(axes, handles)


def _draw_image(axes: Axes, explained: ExplainedImage, *, whiteness: float) -> None:
    """Draws the image in axes of its pixel coordinates; grey and mixed with white if `whiteness` is above 0."""
    height, width = explained.scene.size
    image = Image.fromarray(explained.image)
    image.thumbnail((MAX_DRAWN_PX, MAX_DRAWN_PX))
    values = np.asarray(image.convert("L").convert("RGB") if whiteness else image, float)
    values = values + whiteness * (255 - values)
    axes.imshow(values.astype(np.uint8), extent=(0, width, height, 0), aspect="equal", interpolation="antialiased")
    axes.set(xlim=(0, width), ylim=(height, 0), xlabel="x (px)", ylabel="y (px)")
    axes.grid(visible=False)


def _set_ground_limits(axes: Axes, layers: Sequence[Layer]) -> None:
    """Sets the limits and labels of the view from above."""
    points = np.concatenate([layer_coordinates(layer) for layer in layers])
    (left, near), (right, far) = points.min(axis=0), points.max(axis=0)
    margin = 0.04 * max(right - left, far - near)
    axes.set(xlim=(left - margin, right + margin), ylim=(near - margin, far + margin), aspect="equal")
    axes.set(xlabel="metres to the right of the camera", ylabel="metres ahead of the camera")


def _add_legend_above(axes: Axes, handles: list[Any]) -> None:
    if handles:
        position: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.3}
        axes.legend(handles=handles, ncols=min(len(handles), 2), fontsize=11, **position)


def _corners(boxes_xywh: Boxes) -> list[Points]:
    """The four corners of each box."""
    x, y, w, h = boxes_xywh.T
    return list(np.stack([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]).transpose(2, 0, 1))


def _count_text(count: int, noun: str, plural_ending: str = "s") -> str:
    return f"{count:,} {noun}{plural_ending if count != 1 else ''}"

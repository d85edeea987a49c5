"""Figure of one density estimate, for a 16:9 slide: the image with the layers of the estimator, and from above."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import Layer, PointLayer, TextLayer, layer_coordinates, layer_values
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import ImageArray, Points
from crowdgan_plot.density.colour_scales import ColourScale, colour_scales
from crowdgan_plot.density.estimate_header import draw_header, estimate_header
from crowdgan_plot.density.explained_image import ExplainedImage, explain_image
from crowdgan_plot.density.image_drawing import draw_ignore_regions, draw_image, draw_people
from crowdgan_plot.density.layer_drawing import Handles, draw_layers
from crowdgan_plot.density.point_texts import draw_point_texts
from crowdgan_plot.density.scale_bars import draw_scale_bar
from crowdgan_plot.style import SLIDE_SIZE_IN, StableLayoutEngine, class_colours, new_figure, plot_style

ESTIMATE_DPI = 120
"""Pixels per inch of a PNG; a figure is 1600 px wide and 900 px high."""

BAR_HEIGHT = 0.075
"""Height of a colour bar as a fraction of the height of the panels."""

IMAGE_ASPECTS = (0.6, 2.2)
"""Minimum and maximum width of the panel of an image divided by its height."""

PANELS_ASPECT, MIN_GROUND_ASPECT = 2.95, 0.9
"""Width of all panels, and minimum width of the view from above, divided by their height."""

PANEL_MARGIN_IN = 0.2
"""Distance of the panels from the left and the right edge in inches."""

GROUND_MARGIN, MIN_GROUND_M = 0.1, 1.0
"""Margin of the view from above as a fraction of its larger side, and the minimum of that side in metres."""

AXIS_LABELS = ("metres to the right of the camera", "metres ahead of the camera")
"""Labels of the view from above, unless a layer states others."""

MAX_LEGEND_COLUMNS, LEGEND_PT = 5, 12


@plot_style()
def plot_estimate(
    image: ImageArray, scene: Scene, estimator: DensityEstimator, estimate: DensityEstimate | None = None
) -> Figure:
    """A figure of a density estimate: the image with the estimator's layers, and a view from above or boxes of people.

    Args:
        image: `[height, width, 3]`, of the scene's size.
        scene: people in the image.
        estimator: a fitted estimator.
        estimate: its estimate for the scene, if it is already known.
    """
    return draw_explained_image(explain_image(image, scene, estimator, estimate))


def draw_explained_image(explained: ExplainedImage) -> Figure:
    """A figure of an explained image: density as text, image with layers, view from above, and legends.

    Without a view from above, an image with the boxes of people is drawn beside the image with layers.
    """
    image_layers = [layer for layer in explained.layers_in("image") if not isinstance(layer, TextLayer)]
    ground_layers = explained.layers_in("ground")
    scales = colour_scales(explained.layers)
    figure = new_figure(SLIDE_SIZE_IN)
    handles: Handles = {}
    _reserve(figure, draw_header(figure, estimate_header(explained), _class_colour(explained, scales)))
    num_images = 2 if image_layers and not ground_layers else 1
    aspects = _panel_aspects(explained.scene, num_images, has_ground=bool(ground_layers))
    panels, bars = _add_axes(figure, aspects, len(scales))
    for number, axes in enumerate(panels[:num_images], 1):
        has_layers = bool(image_layers) and number == num_images
        draw_image(axes, explained.image, is_background=has_layers)
        if not has_layers:
            draw_people(axes, explained.scene, handles)
        if number == 1:
            draw_ignore_regions(axes, explained.scene, handles)
        if has_layers:
            draw_layers(axes, image_layers, scales, handles)
    if ground_layers:
        _hide_pixel_axes(panels[0])
        draw_layers(panels[-1], ground_layers, scales, handles)
        _label_ground_axes(panels[-1], ground_layers)
    for axes, scale in zip(bars, scales.values(), strict=True):
        draw_scale_bar(figure, axes, scale)
    _add_legend(figure, handles)
    _execute_layout(figure)  # limits and positions of texts depend on the size of the panels
    if ground_layers:
        _set_ground_limits(panels[-1], ground_layers)
        _execute_layout(figure)  # other limits have other tick labels
        draw_point_texts(panels[-1], ground_layers)
    draw_point_texts(panels[num_images - 1], image_layers)
    return figure


def _class_colour(explained: ExplainedImage, scales: Mapping[str, ColourScale]) -> str | None:
    """Colour of the class of the estimate; None if its unit has continuous colours."""
    scale = scales.get(explained.estimate.unit)
    if scale is None or scale.classes is None or explained.estimate.class_index is None:
        return None
    return class_colours(len(scale.classes.names))[explained.estimate.class_index]


def _reserve(figure: Figure, header_in: float) -> None:
    """Lays the axes out below a header of this height."""
    width_in, height_in = figure.get_size_inches()
    margin = PANEL_MARGIN_IN / width_in
    rect = (margin, 0.0, 1.0 - 2 * margin, 1.0 - header_in / height_in)
    figure.set_layout_engine(StableLayoutEngine(rect=rect))


def _panel_aspects(scene: Scene, num_images: int, *, has_ground: bool) -> list[float]:
    """Width divided by height of each panel; the view from above has the width that the image leaves."""
    height, width = scene.size
    aspect = float(np.clip(width / height, *IMAGE_ASPECTS))
    return [aspect] * num_images + [max(PANELS_ASPECT - aspect, MIN_GROUND_ASPECT)] * has_ground


def _add_axes(figure: Figure, aspects: Sequence[float], num_bars: int) -> tuple[list[Axes], list[Axes]]:
    """Adds panels from left to right, and axes of colour bars below them."""
    heights = [1.0, *[BAR_HEIGHT] * num_bars]
    grid = GridSpec(len(heights), len(aspects), figure, width_ratios=aspects, height_ratios=heights)
    panels = [figure.add_subplot(grid[0, column]) for column in range(len(aspects))]
    return panels, [figure.add_subplot(grid[row + 1, :]) for row in range(num_bars)]


def _hide_pixel_axes(axes: Axes) -> None:
    """Removes the axes of an image whose positions are read in the view from above."""
    axes.set(xticks=[], yticks=[], xlabel="", ylabel="")
    axes.spines[:].set_visible(False)


def _label_ground_axes(axes: Axes, layers: Sequence[Layer]) -> None:
    """Sets the labels of the view from above."""
    x_label, y_label = next((layer.axis_labels for layer in layers if layer.axis_labels is not None), AXIS_LABELS)
    axes.set(xlabel=x_label, ylabel=y_label, aspect="equal")


def _set_ground_limits(axes: Axes, layers: Sequence[Layer]) -> None:
    """Sets the limits of the view from above, so that the ground around the layers fills the axes."""
    points = _main_coordinates(layers)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = (high - low) + 2 * GROUND_MARGIN * max(float((high - low).max()), MIN_GROUND_M)
    size = np.array(axes.get_window_extent().size)
    extent = size * (extent / size).max()
    low, high = (low + high - extent) / 2, (low + high + extent) / 2
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def _main_coordinates(layers: Sequence[Layer]) -> Points:
    """Coordinates of the points and values; if there are none, of all layers. Outlines may extend beyond the view."""
    main = [layer for layer in layers if isinstance(layer, PointLayer) or layer_values(layer) is not None]
    return np.concatenate([layer_coordinates(layer) for layer in main or layers])


def _add_legend(figure: Figure, handles: Handles) -> None:
    """Adds the legend of all panels below the figure."""
    if handles:
        columns = math.ceil(len(handles) / math.ceil(len(handles) / MAX_LEGEND_COLUMNS))
        figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=columns, fontsize=LEGEND_PT)


def _execute_layout(figure: Figure) -> None:
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)

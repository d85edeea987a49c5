"""Figure of a density sweep: generated images in a row, from sparse to dense."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_plot.style import plot_style, prepare_figure

PANEL_WIDTH_IN = 2.4
"""Width of an image in inches."""

CAPTION_HEIGHT_IN = 0.6
"""Height of the room below the images in inches."""

MIN_SMOOTHED_PX = 256
"""Image width in pixels below which pixels are drawn as squares."""


@plot_style()
def plot_sweep(
    images: Sequence[ImageArray],
    captions: Sequence[str],
    *,
    title: str | None = None,
    figure: Figure | None = None,
) -> Figure:
    """A figure of images in a row, each with a caption below.

    Args:
        images: `[height, width, 3]` each, for example of `crowdgan_core.sweep_images`.
        captions: one per image.
        title: title of the figure.
        figure: figure to draw into, which is cleared and resized; None for a new one.

    Raises:
        ConfigError: no images, or not one caption per image.
    """
    if not len(images) or len(images) != len(captions):
        raise ConfigError(
            f"{len(images)} images and {len(captions)} captions; give one caption per image, at least one"
        )
    height, width = images[0].shape[:2]
    figure_height_in = PANEL_WIDTH_IN * height / width + CAPTION_HEIGHT_IN
    figure = prepare_figure(figure, (len(images) * (PANEL_WIDTH_IN + 0.1), figure_height_in + 0.4 * bool(title)))
    panels = figure.subplots(1, len(images), squeeze=False)[0]
    for axes, image, caption in zip(panels, images, captions, strict=True):
        axes.imshow(image, interpolation="nearest" if width < MIN_SMOOTHED_PX else "antialiased")
        axes.set(xticks=[], yticks=[], xlabel=caption)
        axes.spines[:].set_visible(False)
        axes.grid(visible=False)
    if title:
        figure.suptitle(title)
    return figure

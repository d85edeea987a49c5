"""Colour bars: classes with their names and boundaries, or continuous colours."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from crowdgan_core.density.layers import ValueClasses
from crowdgan_plot.density.colour_scales import ColourScale
from crowdgan_plot.density.estimate_header import format_value
from crowdgan_plot.density.layer_drawing import FILL_ALPHA
from crowdgan_plot.style import class_colours, text_colour_on, wrap_text

BAR_CHARACTERS = 110
"""Characters of the label of a bar that fit the width of a slide."""

NAME_WIDTH_PT = 820
"""Text size times characters of the names of all classes that fit the width of a slide."""

MAX_NAME_PT, LABEL_PT = 16, 14
"""Text sizes of the names of classes, at most, and of the label in points."""


def draw_scale_bar(figure: Figure, axes: Axes, scale: ColourScale) -> None:
    """Draws the bar of a colour scale in its axes."""
    if scale.classes is not None:
        _draw_class_bar(axes, scale.classes)
    else:
        extend = "max" if scale.is_clipped else "neither"
        figure.colorbar(ScalarMappable(**scale.arguments), cax=axes, orientation="horizontal", extend=extend)
    axes.set_xlabel(wrap_text(scale.label, BAR_CHARACTERS), fontsize=LABEL_PT)


def _draw_class_bar(axes: Axes, classes: ValueClasses) -> None:
    """Draws one field per class with its name, and the boundaries between them."""
    count = len(classes.names)
    name_pt = min(MAX_NAME_PT, NAME_WIDTH_PT / (count * max(map(len, classes.names))))
    for index, (name, colour) in enumerate(zip(classes.names, class_colours(count), strict=True)):
        axes.axvspan(index, index + 1, facecolor=colour, alpha=FILL_ALPHA, edgecolor="white", linewidth=1.5)
        text_colour = text_colour_on(colour, FILL_ALPHA)
        axes.text(
            index + 0.5, 0.44, name, ha="center", va="center", fontsize=name_pt, fontweight="bold", color=text_colour
        )
    boundaries = [format_value(value) for value in classes.bounds.values]
    axes.set(xlim=(0, count), ylim=(0, 1), yticks=[])
    axes.set_xticks(range(1, count), boundaries, fontsize=LABEL_PT)
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)

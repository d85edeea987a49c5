"""Text above the figure of a density estimate: image, density and class in large type, interval, peak and camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Annotation

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import TextLayer
from crowdgan_core.utils.formatting import GROUND_UNIT, format_density
from crowdgan_plot.density.explained_image import ExplainedImage
from crowdgan_plot.density.layer_drawing import FILL_ALPHA
from crowdgan_plot.style import MUTED_COLOUR, text_colour_on, truncate_text, wrap_text

NAME_CHARACTERS = 80
"""Maximum characters of the image name."""

CAPTION_PT, DETAILS_PT = 13, 15
"""Text sizes of the name and of the details in points."""

HEADLINE_PT, HEADLINE_WIDTH_PT = 34, 1050
"""Maximum text size of the density in points, legible where a slide is 400 px wide; and text size times characters."""

DETAILS_CHARACTERS = 104
"""Characters of a line of details that fit the width of a slide."""

MARGIN_IN = 0.3
"""Distance of the texts from the left and the upper edge in inches."""

LINE_HEIGHT = 1.4
"""Distance of lines in text sizes."""


@dataclass(frozen=True, kw_only=True)
class EstimateHeader:
    """The texts above a figure."""

    caption: str
    """Names of the image and the estimator, and the number of people."""
    headline: str
    """The density with its unit."""
    class_text: str | None
    """The class of the density; None if it is unknown."""
    details: str
    """Interval and further facts, or the reason why the density is unknown."""


def estimate_header(explained: ExplainedImage) -> EstimateHeader:
    """The texts above the figure of an explained image."""
    estimate = explained.estimate
    name, people = truncate_text(explained.scene.source_name, NAME_CHARACTERS), explained.scene.person_count
    caption = f"{name} · {people:,} {'person' if people == 1 else 'people'} · {explained.estimator_name}"
    facts = [layer.label for layer in explained.layers if isinstance(layer, TextLayer)]
    if estimate.value is None or estimate.class_index is None:
        details = " · ".join([f"cannot be estimated: {estimate.reason}", *facts])
        return EstimateHeader(caption=caption, headline="density unknown", class_text=None, details=details)
    return EstimateHeader(
        caption=caption,
        headline=f"{format_value(estimate.value, estimate.unit)} {estimate.unit}",
        class_text=_class_text(explained.class_noun, explained.classes[estimate.class_index]),
        details=" · ".join([*_interval_texts(estimate), *facts]),
    )


def format_value(value: float, unit: str | None = None) -> str:
    """A number with three significant digits, from 1000 on without decimals; persons/m² with two decimals."""
    if unit == GROUND_UNIT:
        return format_density(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def draw_header(figure: Figure, header: EstimateHeader, class_colour: str | None) -> float:
    """Writes the header at the top of a figure; returns its height in inches.

    Args:
        figure: the figure; its layout is not changed.
        header: the texts.
        class_colour: colour of the class; None for grey.
    """
    width_in, height_in = figure.get_size_inches()
    headline_pt = min(HEADLINE_PT, HEADLINE_WIDTH_PT / max(len(header.headline + (header.class_text or "")), 1))
    details = wrap_text(header.details, DETAILS_CHARACTERS)
    lines: list[tuple[str, float, dict[str, Any]]] = [
        (header.caption, CAPTION_PT, {"color": MUTED_COLOUR}),
        (header.headline, headline_pt, {"fontweight": "bold"}),
        (details, DETAILS_PT, {}),
    ]
    y_in = MARGIN_IN
    for text, size_pt, options in lines:
        height = LINE_HEIGHT * size_pt / 72
        written = figure.text(
            MARGIN_IN / width_in, 1 - y_in / height_in, text, fontsize=size_pt, va="top", linespacing=1.2, **options
        )
        y_in += height * (1 + text.count("\n")) if text else 0.0
        if text is header.headline and header.class_text is not None:
            figure.add_artist(_class_annotation(header.class_text, written, headline_pt, class_colour))
    return y_in


def _class_annotation(text: str, headline: Any, size_pt: float, class_colour: str | None) -> Annotation:
    """The class on a background of its colour, to the right of the headline."""
    colour = class_colour or "white"
    box = {"boxstyle": "round,pad=0.25", "facecolor": colour, "edgecolor": MUTED_COLOUR, "alpha": FILL_ALPHA}
    return Annotation(
        text,
        xy=(1, 0.5),
        xycoords=headline,
        xytext=(0.8 * size_pt, 0),
        textcoords="offset points",
        fontsize=0.75 * size_pt,
        fontweight="bold",
        va="center",
        color=text_colour_on(colour, FILL_ALPHA),
        bbox=box,
    )


def _class_text(noun: str, name: str) -> str:
    """For example `level E`, or `level: crush`."""
    return f"{noun} {name}" if len(name) == 1 else f"{noun}: {name}"


def _interval_texts(estimate: DensityEstimate) -> list[str]:
    if estimate.interval is None:
        return []
    low, high = estimate.interval
    return [f"95 % interval {format_value(low, estimate.unit)} to {format_value(high, estimate.unit)}"]

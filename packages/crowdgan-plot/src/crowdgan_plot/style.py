"""How all figures look, and how they become files: without a display and without pyplot's global state."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogFormatter
from matplotlib.transforms import ScaledTranslation

SLIDE_IN = (10.0, 5.6)
"""Width and height of a figure in inches that fills a slide."""

DPI = 150
"""Pixels per inch of a PNG: a slide is 1500 px wide."""

PNG_LEVEL = 4
"""Compression of PNGs, 0 to 9: the default, 6, takes twice the time for a twentieth fewer bytes."""

LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of lines that people of every colour vision tell apart, yellow left out, which white swallows.

Source: Okabe and Ito, "Color Universal Design", 2008.
"""

LINE_STYLES = ("-", "--", ":", "-.")
"""Where there are more lines than colours, the next style begins."""

DENSITY_MAP, OTHER_MAP = "viridis", "cividis"
"""Colour maps: of densities, and of a second quantity in the same figure. Both rise in lightness."""

INK, FAINT = "#222222", "#757575"

LEGEND_CHARACTERS = 90
"""Characters of a legend that fit above the axes of a slide, 7 for each line beside them."""

SECTION_TITLE_PT = 17.0
"""Height of a line of section titles in points."""

TITLE_CHARACTERS = 85
"""Characters of small type that fit above the axes of a slide."""

RC: dict[str, Any] = {
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.labelsize": 13,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.fontsize": 12,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "none",
    "legend.fancybox": False,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 6),
    "lines.linewidth": 1.8,
    "path.simplify_threshold": 0.3,
    "agg.path.chunksize": 20_000,
    "svg.fonttype": "none",
    "svg.hashsalt": "crowdgan",
    "pdf.fonttype": 42,
    "text.parse_math": False,
}
"""Settings of matplotlib while something is drawn; names from outside are never read as formulas."""

PLAIN: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What a file says of itself, by its format: nothing that differs from run to run."""


@contextmanager
def plot_style(**changes: Any) -> Iterator[None]:
    """The look of all figures, for what is drawn and encoded while the context lasts; then all is as it was."""
    settings: Any = {**RC, **changes}  # matplotlib types the names of all settings
    with mpl.rc_context(settings):
        yield


def new_figure(height_share: float = 1.0) -> Figure:
    """An empty figure as wide as a slide, whose parts keep clear of one another."""
    return Figure(figsize=(SLIDE_IN[0], SLIDE_IN[1] * height_share), layout="constrained")


def encode_figure(figure: Figure, kind: str, *, dpi: float = DPI) -> bytes:
    """The figure as a file of a kind: png, svg or pdf. Equal figures give equal bytes."""
    file = io.BytesIO()
    options: dict[str, Any] = {"pil_kwargs": {"compress_level": PNG_LEVEL}} if kind == "png" else {}
    figure.savefig(file, format=kind, dpi=dpi, metadata=PLAIN[kind], **options)
    return file.getvalue()


def line_look(index: int) -> dict[str, Any]:
    """Colour and style of the line of a number, from 0."""
    styles, colour = divmod(index, len(LINE_COLOURS))
    return {"color": LINE_COLOURS[colour], "linestyle": LINE_STYLES[styles % len(LINE_STYLES)]}


def section_titles(axes: Axes, starts: list[float], end: float, names: list[str]) -> None:
    """Writes a name above each section of the x axis, as much of it as has room."""
    extent = max(end - starts[0], 1e-9)
    for number, (left, right, name) in enumerate(zip(starts, [*starts[1:], end], names, strict=True), 1):
        room = int(TITLE_CHARACTERS * (right - left) / extent)
        text = truncate_text(name, room) if room >= 4 else str(number) if room >= 2 else ""
        place = axes.get_xaxis_transform()
        axes.text(left, 1.01, f" {text}", transform=place, ha="left", va="bottom", fontsize=11, color=FAINT)


def thousands(axis: Axis) -> None:
    """Writes the numbers of an axis with commas, as in 25,000."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", "\N{MINUS SIGN}")))


class PlainLogFormatter(LogFormatter):
    """Numbers of a logarithmic axis as they are, as in 0.9 and 20, where matplotlib would write powers."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The number; nothing where there would be too many."""
        return f"{x:g}" if super().__call__(x, pos) else ""


def logarithmic(axes: Axes) -> None:
    """Makes the y axis logarithmic; values of 0 and below are not shown."""
    axes.set_yscale("log", nonpositive="mask")
    axes.yaxis.set_major_formatter(PlainLogFormatter())
    axes.yaxis.set_minor_formatter(PlainLogFormatter(minor_thresholds=(1.5, 0.5)))


def legend_above(figure: Figure, axes: Axes, *, is_over_titles: bool = False) -> None:
    """A legend over the upper right corner, outside of the axes; nothing where there is but one line to name."""
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) > 1:
        lift = ScaledTranslation(0, is_over_titles * SECTION_TITLE_PT / 72, figure.dpi_scale_trans)
        corner = {"bbox_to_anchor": (1.0, 1.0), "bbox_transform": axes.transAxes + lift, "borderaxespad": 0.2}
        axes.legend(handles, labels, loc="lower right", ncols=_columns(labels), **corner)


def _columns(labels: Sequence[str]) -> int:
    """Columns of a legend that is no wider than a slide."""
    widest = max(map(len, labels)) + 7
    return max(1, min(len(labels), LEGEND_CHARACTERS // widest))


def wrapped(text: str, length: int) -> str:
    """The text on several lines of at most a length."""
    return "\n".join(textwrap.wrap(text, length, break_long_words=False, break_on_hyphens=False))


def truncate_text(text: str, length: int) -> str:
    """The text, cut to a length with an ellipsis where it is longer."""
    return text if len(text) <= length else f"{text[: max(1, length - 1)]}…"

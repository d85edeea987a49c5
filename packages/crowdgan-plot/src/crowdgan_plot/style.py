"""Style of all figures, and their encoding as files: without a display and without pyplot's global state."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogFormatter
from matplotlib.transforms import ScaledTranslation

from crowdgan_core.io.atomic import write_bytes
from crowdgan_plot.fonts import render_with_fallback_fonts, warn_of_missing_glyphs
from crowdgan_plot.output import FigureFormat, check_figure_path

FIGURE_SIZE_IN = (10.0, 5.6)
"""Default width and height of a figure in inches, for a 16:9 slide."""

DEFAULT_DPI = 150
"""Pixels per inch of a PNG; a figure of the default size is 1500 px wide."""

POSITION_DECIMALS = 6
"""Decimals of the positions of axes, in fractions of the figure."""

PNG_COMPRESS_LEVEL = 4
"""zlib compression level of PNGs; the default, 6, takes twice the time and saves 5 % of the bytes."""

LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Line colours that are distinguishable with colour-vision deficiency; yellow, invisible on white, is omitted.

Source: Okabe and Ito, "Color Universal Design", 2008.
"""

LINE_STYLES = ("-", "--", ":", "-.")
"""Line styles; the next one starts when the colours are used up."""

DENSITY_COLOUR_MAP, SECOND_COLOUR_MAP = "viridis", "cividis"
"""Colour maps of densities, and of a second quantity in the same figure; the lightness of both increases."""

CLASS_COLOUR_MAP, CLASS_COLOUR_RANGE = "inferno_r", (0.03, 0.9)
"""Colour map of classes from light to dark, and the part of it that is used.

Up to six neighbouring classes differ by a ΔE (CIELAB, 1976) of at least 15 in greyscale, and of 18 with protanopia,
deuteranopia and tritanopia.

Source: Smith and van der Walt, "A Better Default Colormap for Matplotlib", SciPy 2015.
"""

TEXT_COLOUR, MUTED_COLOUR = "#222222", "#757575"

LEGEND_CHARACTERS = 90
"""Characters of a legend that fit above the axes of a default figure; each line sample takes 7."""

SLIDE_SIZE_IN = (40 / 3, 7.5)
"""Width and height of a 16:9 slide in inches."""

SECTION_TITLE_PT = 17.0
"""Height of section titles in points."""

SECTION_TITLE_CHARACTERS = 85
"""Characters of section titles that fit above the axes of a default figure."""

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of a colour (ITU-R BT.601)."""

MIN_LUMA_OF_BLACK_TEXT = 0.5
"""Luma of a background above which black text is legible, below white text."""

ZERO_WIDTH_SPACE = "\N{ZERO WIDTH SPACE}"
"""An invisible character before labels that start with an underscore."""

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
    "axes.edgecolor": TEXT_COLOUR,
    "axes.labelcolor": TEXT_COLOUR,
    "text.color": TEXT_COLOUR,
    "xtick.color": TEXT_COLOUR,
    "ytick.color": TEXT_COLOUR,
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
"""matplotlib settings that differ from its defaults; file and class names are never parsed as formulas."""

FILE_METADATA: dict[FigureFormat, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Metadata removed from files of each format, because it differs between runs or versions."""

_changes: ContextVar[Mapping[str, Any]] = ContextVar("changes", default=MappingProxyType({}))
"""Settings that differ from `RC` in the current `plot_style` context."""


@contextmanager
def plot_style(**changes: Any) -> Iterator[None]:
    """Context manager and decorator that applies the style of all figures; the previous settings are restored.

    The style consists of matplotlib's defaults and `RC`; a matplotlibrc file and earlier settings do not change it.
    The functions that return figures apply it themselves, with the changes of the surrounding context.

    Args:
        changes: matplotlib settings that differ from the style, for example `**{"font.size": 16}`.
    """
    combined = {**_changes.get(), **changes}
    settings: Any = {**RC, **combined}  # matplotlib types the names of all settings
    token = _changes.set(combined)
    try:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(settings)
            yield
    finally:
        _changes.reset(token)


class StableLayoutEngine(ConstrainedLayoutEngine):
    """Constrained layout with rounded positions of axes.

    The rounding errors of its solver differ between processes. They would move texts by fractions of a pixel, so that
    equal figures would not give equal bytes.
    """

    def execute(self, fig: Figure) -> Any:
        """Lays the figure out."""
        layout = super().execute(fig)
        for axes in fig.axes:
            if axes.get_in_layout():
                axes.set_position(np.round(axes.get_position(original=True).bounds, POSITION_DECIMALS).tolist())
                axes.set_in_layout(True)
        return layout


def new_figure(size_in: tuple[float, float] = FIGURE_SIZE_IN) -> Figure:
    """An empty figure of `(width, height)` in inches with constrained layout."""
    return Figure(figsize=size_in, layout=StableLayoutEngine())


def prepare_figure(figure: Figure | None, size_in: tuple[float, float]) -> Figure:
    """An empty figure of `(width, height)` in inches: the given one, cleared and resized, or a new one for None."""
    if figure is None:
        return new_figure(size_in)
    figure.clear()
    figure.set_size_inches(size_in)
    return figure


def encode_figure(
    figure: Figure,
    file_format: FigureFormat,
    *,
    dpi: float = DEFAULT_DPI,
    on_note: Callable[[str], None] | None = None,
) -> bytes:
    """The bytes of a figure file. Equal figures give equal bytes.

    Args:
        figure: the figure; characters that its fonts do not have are drawn in installed fonts that have them.
        file_format: png, svg or pdf.
        dpi: pixels per inch of a PNG.
        on_note: receives a message about characters that no font has, except for an svg; None to log it as a warning,
            once per process.
    """
    options: dict[str, Any] = {"pil_kwargs": {"compress_level": PNG_COMPRESS_LEVEL}} if file_format == "png" else {}

    def render() -> bytes:
        file = io.BytesIO()
        figure.savefig(file, format=file_format, dpi=dpi, metadata=FILE_METADATA[file_format], **options)
        return file.getvalue()

    if file_format == "svg":  # whose text is drawn in the fonts of the program that shows it
        on_note = _ignore_note
    return render_with_fallback_fonts(figure, render, on_note or warn_of_missing_glyphs)


def _ignore_note(note: str) -> None:
    """Does nothing."""


def save_figure(figure: Figure, path: str | Path, *, overwrite: bool = False) -> None:
    """Writes a figure to a file, whose suffix selects the format: .png, .svg or .pdf.

    Raises:
        ConfigError: the suffix is not one of these.
        DatasetError: the file exists and `overwrite` is False, or it cannot be written.
    """
    file_format = check_figure_path(Path(path), overwrite=overwrite)
    with plot_style():
        data = encode_figure(figure, file_format)
    write_bytes(Path(path), data, overwrite=overwrite)


def class_colours(count: int) -> list[str]:
    """The colours of classes from the lowest to the highest, as hexadecimal codes."""
    positions = np.linspace(*CLASS_COLOUR_RANGE, count)
    return [to_hex(colour) for colour in mpl.colormaps[CLASS_COLOUR_MAP](positions)]


def text_colour_on(background: str, alpha: float = 1.0) -> str:
    """Black or white: the colour of legible text on a background, which is on white with this opacity."""
    luma = 1.0 + alpha * (float(np.dot(to_rgb(background), LUMA_WEIGHTS)) - 1.0)
    return "black" if luma > MIN_LUMA_OF_BLACK_TEXT else "white"


def legend_label(name: str) -> str:
    """The name as a label that legends show; matplotlib omits labels that start with an underscore."""
    return f"{ZERO_WIDTH_SPACE}{name}" if name.startswith("_") else name


def line_style(index: int) -> dict[str, Any]:
    """Colour and line style of a curve by its index, as keyword arguments of matplotlib."""
    style_index, colour_index = divmod(index, len(LINE_COLOURS))
    return {"color": LINE_COLOURS[colour_index], "linestyle": LINE_STYLES[style_index % len(LINE_STYLES)]}


def add_section_titles(axes: Axes, starts: list[float], end: float, names: list[str]) -> None:
    """Writes a name above each section of the x axis, truncated to the width of the section."""
    extent = max(end - starts[0], 1e-9)
    for number, (left, right, name) in enumerate(zip(starts, [*starts[1:], end], names, strict=True), 1):
        limit = int(SECTION_TITLE_CHARACTERS * (right - left) / extent)
        text = truncate_text(name, limit) if limit >= 4 else str(number) if limit >= 2 else ""
        transform = axes.get_xaxis_transform()
        axes.text(left, 1.01, f" {text}", transform=transform, ha="left", va="bottom", fontsize=11, color=MUTED_COLOUR)


def format_thousands(axis: Axis) -> None:
    """Formats the numbers of an axis with thousands separators, for example 25,000."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", "\N{MINUS SIGN}")))


class PlainLogFormatter(LogFormatter):
    """Decimal numbers on a logarithmic axis, for example 0.9 and 20, in place of powers of ten."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The number; empty where labels would be too dense."""
        return f"{x:g}" if super().__call__(x, pos) else ""


def set_log_scale(axes: Axes) -> None:
    """Makes the y axis logarithmic; values of 0 and below are not drawn."""
    axes.set_yscale("log", nonpositive="mask")
    axes.yaxis.set_major_formatter(PlainLogFormatter())
    axes.yaxis.set_minor_formatter(PlainLogFormatter(minor_thresholds=(1.5, 0.5)))


def add_legend_above(figure: Figure, axes: Axes, *, above_section_titles: bool = False) -> None:
    """Adds a legend above the upper right corner of the axes, if there are two or more curves."""
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) > 1:
        shift = ScaledTranslation(0, above_section_titles * SECTION_TITLE_PT / 72, figure.dpi_scale_trans)
        corner = {"bbox_to_anchor": (1.0, 1.0), "bbox_transform": axes.transAxes + shift, "borderaxespad": 0.2}
        axes.legend(handles, labels, loc="lower right", ncols=_legend_columns(labels), **corner)


def _legend_columns(labels: Sequence[str]) -> int:
    """Number of columns of a legend that fits above the axes of a default figure."""
    column_characters = max(map(len, labels)) + 7
    return max(1, min(len(labels), LEGEND_CHARACTERS // column_characters))


def wrap_text(text: str, width: int) -> str:
    """The text in lines of at most `width` characters; longer words are kept whole."""
    return "\n".join(textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False))


def truncate_text(text: str, length: int) -> str:
    """The text, truncated to `length` characters with an ellipsis if it is longer."""
    return text if len(text) <= length else f"{text[: max(1, length - 1)]}…"

"""Figure of density over time, one panel per zone, over bands of the levels of service."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.formatting import HOUR_S, MINUTE_S
from crowdgan_plot.density.series_table import Levels, ZoneSeries, read_series
from crowdgan_plot.style import (
    LINE_COLOURS,
    MUTED_COLOUR,
    class_colours,
    plot_style,
    prepare_figure,
    truncate_text,
)

WIDTH_IN, PANEL_HEIGHT_IN, SINGLE_HEIGHT_IN = 10.0, 2.7, 4.6
"""Width of the figure, and height of one of several panels and of a single one, in inches."""

MAX_PANELS = 12
"""Maximum number of zones in a figure."""

LINE_COLOUR, WARNING_COLOUR = "#222222", LINE_COLOURS[0]
"""Colours that differ in lightness from the colours of all levels."""

LEVEL_ALPHA = 0.45
"""Opacity of the colours of the levels, which are those of density maps."""

MIN_LABELLED_BAND_IN = 0.2
"""Minimum height of a band with a name in inches."""

HEADROOM = 1.12
"""Height of the axis in maximum densities."""

MAX_INTERVAL_HEIGHT = 1.6
"""Maximum height of the axis in maximum densities; wider intervals are cut."""

MIN_AXIS_HEIGHT = 0.1
"""Height of the axis in persons/m² of a zone without people."""

NAME_CHARACTERS = 90
"""Maximum number of characters of a zone's name."""


@plot_style()
def plot_series(
    table: str | Path | Sequence[Mapping[str, Any]],
    *,
    zones: Sequence[str] = (),
    title: str | None = None,
    figure: Figure | None = None,
) -> Figure:
    """A figure of density over time, one panel per zone.

    The line is the smoothed density if the table has one; the shaded area is the 95 % interval of each frame. Frames
    with unknown density are gaps with a cross below. Bands in the background are the levels of the table's scale.

    Args:
        table: path of a table of `crowdgan density series` (.csv or .json), or its rows.
        zones: names of the zones to draw; empty for all.
        title: title of the figure; None for none.
        figure: figure to draw into, which is cleared and resized; None for a new one.

    Raises:
        ConfigError: there is no such zone, or there are too many.
        DatasetError: the file cannot be read, or is not a density series.
    """
    series, levels = read_series(table)
    drawn = _select(series, zones)
    height = SINGLE_HEIGHT_IN if len(drawn) == 1 else PANEL_HEIGHT_IN * len(drawn) + 0.6
    figure = prepare_figure(figure, (WIDTH_IN, height))
    panels = np.atleast_1d(figure.subplots(len(drawn), 1, sharex=True, sharey=True))
    top = max(map(_axis_height, drawn))
    unit_s, unit = _time_unit(max(item.times_s[-1] for item in drawn))
    for axes, item in zip(panels, drawn, strict=True):
        _draw_zone(axes, item, levels, unit_s, top)
        axes.set_title(truncate_text(item.zone, NAME_CHARACTERS), loc="left")
    figure.supylabel("density (persons/m²)", fontsize=mpl.rcParams["axes.labelsize"])
    panels[-1].set_xlabel(f"time ({unit})")
    _add_legend(figure, panels.tolist())
    if title:
        figure.suptitle(title)
    return figure


def _select(series: Sequence[ZoneSeries], zones: Sequence[str]) -> list[ZoneSeries]:
    by_name = {item.zone: item for item in series}
    for name in zones:
        if name not in by_name:
            raise ConfigError(f"no such zone {name}; choose from {', '.join(by_name)}")
    drawn = [by_name[name] for name in dict.fromkeys(zones)] or list(series)
    if len(drawn) > MAX_PANELS:
        raise ConfigError(f"the table has {len(drawn)} zones; choose at most {MAX_PANELS}")
    return drawn


def _time_unit(duration_s: float) -> tuple[float, str]:
    """Seconds per unit of the time axis, and its name."""
    if duration_s <= 3 * MINUTE_S:
        return 1.0, "s"
    return (MINUTE_S, "min") if duration_s <= 3 * HOUR_S else (HOUR_S, "h")


def _draw_zone(axes: Axes, series: ZoneSeries, levels: Levels | None, unit_s: float, top: float) -> None:
    """Draws one panel up to the density `top`."""
    times = np.array(series.times_s) / unit_s
    densities, intervals = np.array(series.densities_per_m2), np.array(series.intervals_per_m2).reshape(-1, 2)
    axes.set_ylim(0, top)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    axes.set_xlim(times[0] - step / 2, times[-1] + step / 2)
    axes.grid(visible=False)
    if levels is not None:
        _draw_levels(axes, levels, top)
    band: dict[str, Any] = {"color": LINE_COLOUR, "alpha": 0.22, "linewidth": 0}
    axes.fill_between(times, intervals[:, 0], intervals[:, 1], label="95 % interval", **band)
    line = densities if series.smoothed_per_m2 is None else np.array(series.smoothed_per_m2)
    if series.smoothed_per_m2 is None:
        axes.plot(times, line, color=LINE_COLOUR, marker="o", markersize=_marker_size(len(times)), label="density")
    else:
        points: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": _marker_size(len(times)), "alpha": 0.5}
        axes.plot(times, densities, color=LINE_COLOUR, markeredgewidth=0, label="density of a frame", **points)
        axes.plot(times, line, color=LINE_COLOUR, label="moving median")
    unknown = np.isnan(densities)
    if unknown.any():
        below: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False, "linestyle": ""}
        marks: dict[str, Any] = {"marker": "x", "markersize": 5, "color": MUTED_COLOUR}
        axes.plot(times[unknown], np.full(unknown.sum(), 0.03), label="unknown", **marks, **below)
    if series.warning_s is not None:
        axes.axvline(series.warning_s / unit_s, color=WARNING_COLOUR, linestyle="--", label="camera may have moved")
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _axis_height(series: ZoneSeries) -> float:
    """Upper end of the density axis: above the densities, and above the intervals unless they are very wide."""
    densities, intervals = np.array(series.densities_per_m2), np.array(series.intervals_per_m2).reshape(-1, 2)
    highest = float(np.nanmax(densities)) if np.isfinite(densities).any() else 0.0
    widest = float(np.nanmax(intervals[:, 1])) if np.isfinite(intervals).any() else 0.0
    height = max(HEADROOM * highest, min(1.03 * widest, MAX_INTERVAL_HEIGHT * highest))
    return height or MIN_AXIS_HEIGHT


def _marker_size(count: int) -> float:
    """Diameter of markers in points; smaller for many."""
    return 4.0 if count <= 60 else 2.0


def _draw_levels(axes: Axes, levels: Levels, top: float) -> None:
    """Draws the levels as background bands with their names at the right."""
    figure = axes.get_figure(root=True)
    panel_in = 0.8 * float(figure.get_figheight()) / len(figure.axes) if figure is not None else 0.0
    edges = [0.0, *levels.bounds.values, np.inf]
    colours = class_colours(len(levels.classes))
    for (low, high), name, colour in zip(itertools.pairwise(edges), levels.classes, colours, strict=True):
        if low >= top:
            break
        axes.axhspan(low, min(high, top), color=colour, alpha=LEVEL_ALPHA, linewidth=0, zorder=0)
        if low > 0:
            axes.axhline(low, color="white", linewidth=1.2, zorder=0.5)
        if (min(high, top) - low) / top * panel_in >= MIN_LABELLED_BAND_IN:
            place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "left", "va": "center"}
            axes.text(1.01, (low + min(high, top)) / 2, truncate_text(name, 14), fontsize=11, **place)


def _add_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Adds one legend of all panels below them."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    layout: dict[str, Any] = {"loc": "outside lower center", "ncols": 5, "handlelength": 1.4, "columnspacing": 1.2}
    figure.legend(list(handles.values()), list(handles), fontsize=11, **layout)

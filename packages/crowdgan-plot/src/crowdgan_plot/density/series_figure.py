"""Figure of density over time, one panel per zone, over bands of the levels of service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_core.utils.formatting import HOUR_S, MINUTE_S
from crowdgan_plot.density.level_bands import draw_levels
from crowdgan_plot.density.series_table import Levels, ZoneSeries, read_series
from crowdgan_plot.style import FIGURE_SIZE_IN, LINE_COLOURS, MUTED_COLOUR, plot_style, prepare_figure, truncate_text

PANEL_HEIGHT_IN, LEGEND_HEIGHT_IN = 2.7, 0.6
"""Height of one of several panels and of the legend in inches; a single panel fills a 16:9 slide."""

MAX_PANELS = 12
"""Maximum number of zones in a figure."""

LINE_COLOUR, WARNING_COLOUR = "#222222", LINE_COLOURS[0]
"""Colours that differ in lightness from the colours of all levels."""

MARK_HEIGHT = 0.955
"""Height of the marks of cut intervals as a fraction of that of the axis."""

BAR_PT = 5.0
"""Width of the bar of a single interval in points."""

HEADROOM = 1.12
"""Height of the axis in maximum densities."""

MAX_INTERVAL_HEIGHT = 3.0
"""Maximum height of the axis in maximum densities; higher intervals are cut, and marked."""

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

    The line is the smoothed density if the table has one; the shaded area is the 95 % interval of each frame. Intervals
    above three times the maximum density are cut and marked. Frames with unknown density are gaps with a cross below.
    Bands in the background are the levels of the table's scale.

    Args:
        table: path of a table of `crowdgan density series` (.csv, .json, .xlsx or .parquet), or its rows.
        zones: names of the zones to draw; empty for all.
        title: title of the figure; None for none.
        figure: figure to draw into, which is cleared and resized; None for a new one.

    Raises:
        ConfigError: there is no such zone, or there are too many.
        DatasetError: the file cannot be read, or is not a density series.
    """
    series, levels = read_series(table)
    drawn = _select(series, zones)
    width, height = FIGURE_SIZE_IN
    height = max(height, PANEL_HEIGHT_IN * len(drawn) + LEGEND_HEIGHT_IN)
    figure = prepare_figure(figure, (width, height))
    panels = np.atleast_1d(figure.subplots(len(drawn), 1, sharex=True, sharey=True))
    top = max(map(_axis_height, drawn))
    unit_s, unit = _time_unit(max(item.times_s[-1] for item in drawn))
    for axes, item in zip(panels, drawn, strict=True):
        _draw_zone(axes, item, levels, unit_s, top)
        axes.set_title(truncate_text(item.zone, NAME_CHARACTERS), loc="left")
    figure.supylabel("density (persons/m²)", fontsize=mpl.rcParams["axes.labelsize"])
    panels[-1].set_xlabel(f"time ({unit})")
    _add_legend(figure, panels.tolist(), levels)
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
        draw_levels(axes, levels, top)
    _draw_intervals(axes, times, intervals, top)
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
    if len(times) == 1:
        axes.set_xticks(times)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _draw_intervals(axes: Axes, times: FloatArray, intervals: FloatArray, top: float) -> None:
    """Draws intervals as an area, and those between frames with unknown density as bars; marks those above `top`."""
    low, high = intervals.T
    band: dict[str, Any] = {"color": LINE_COLOUR, "alpha": 0.22}
    axes.fill_between(times, low, high, label="95 % interval", linewidth=0, **band)
    known = np.pad(np.isfinite(low), 1)
    alone = known[1:-1] & ~known[:-2] & ~known[2:]
    axes.vlines(times[alone], low[alone], high[alone], linewidth=BAR_PT, **band)
    cut = high > top
    if cut.any():
        marks: dict[str, Any] = {"linestyle": "", "marker": "^", "markersize": 6, "color": LINE_COLOUR}
        axes.plot(times[cut], np.full(cut.sum(), MARK_HEIGHT * top), label="interval ends above the axis", **marks)
        highest = int(np.nanargmax(high))
        is_right = times[highest] > times.mean()
        place: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 11}
        place |= {"xytext": (-7, 0), "ha": "right"} if is_right else {"xytext": (7, 0), "ha": "left"}
        axes.annotate(f"up to {high[highest]:.2g}", (float(times[highest]), MARK_HEIGHT * top), **place)


def _axis_height(series: ZoneSeries) -> float:
    """Upper end of the density axis: above the densities, and above the intervals unless they are very wide."""
    densities, intervals = np.array(series.densities_per_m2), np.array(series.intervals_per_m2).reshape(-1, 2)
    highest = float(np.nanmax(densities)) if np.isfinite(densities).any() else 0.0
    widest = float(np.nanmax(intervals[:, 1])) if np.isfinite(intervals).any() else 0.0
    height = max(HEADROOM * highest, min(HEADROOM * widest, MAX_INTERVAL_HEIGHT * highest))
    return height or MIN_AXIS_HEIGHT


def _marker_size(count: int) -> float:
    """Diameter of markers in points; smaller for many."""
    return 4.0 if count <= 60 else 2.0


def _add_legend(figure: Figure, panels: Sequence[Axes], levels: Levels | None) -> None:
    """Adds one legend of all panels below them, with the name of the scale of the levels."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    layout: dict[str, Any] = {"loc": "outside lower center", "ncols": 5, "handlelength": 1.4, "columnspacing": 1.2}
    if levels is not None and levels.bounds.scale is not None:
        layout |= {"title": f"levels of service: {levels.bounds.scale}", "title_fontsize": 11}
    figure.legend(list(handles.values()), list(handles), fontsize=11, **layout)

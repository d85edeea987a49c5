"""Curves of training runs: losses, or any other keys of `stats.jsonl`, against training progress."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.run_folder import RunFolder
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_plot.style import (
    FIGURE_SIZE_IN,
    MUTED_COLOUR,
    add_legend_above,
    add_section_titles,
    format_thousands,
    legend_label,
    line_style,
    plot_style,
    prepare_figure,
    set_log_scale,
    truncate_text,
    wrap_text,
)
from crowdgan_plot.training.quantities import DISCRIMINATOR_LOSS_KEY, GENERATOR_LOSS_KEY, quantity_of
from crowdgan_plot.training.series import AlignedRuns, RunSegment, concatenate_runs, moving_average, overlay_runs
from crowdgan_plot.training.stats import RunStats, read_stats

LOSS_KEYS = (GENERATOR_LOSS_KEY, DISCRIMINATOR_LOSS_KEY)
"""Keys that are plotted by default."""

KIMG_AXIS = "training progress (kimg: thousands of real images)"

RAW_ALPHA = 0.25
"""Opacity of values behind their moving average."""

SPARSE_FRACTION = 0.5
"""Fraction of finite values below which a key is drawn without gaps and with markers."""

MIN_PANEL_HEIGHT = 0.5
"""Minimum height of a panel, as a fraction of the default figure height."""

AXIS_LABEL_CHARACTERS = 20
"""Maximum characters per line of a y axis label."""

RUN_NAME_CHARACTERS = 40
"""Maximum characters of a run name in the legend."""

logger = logging.getLogger(__name__)


@plot_style()
def plot_losses(
    *runs: str | Path | RunFolder | RunStats,
    keys: Sequence[str] | None = None,
    smooth_kimg: float = 0.0,
    joined: bool = True,
    skip_lines: int | None = None,
    log: bool = False,
    title: str | None = None,
    figure: Figure | None = None,
    on_note: Callable[[str], None] = logger.warning,
) -> Figure:
    """A figure of the losses, or other keys, of training runs.

    Joined runs are concatenated on one axis, with one panel per unit and one colour per key; the joins are marked.
    Otherwise the runs are overlaid, with one panel per key and one colour per run.

    Args:
        runs: run folders, statistics files, or statistics that have been read.
        keys: keys of `stats.jsonl`; None for the losses of G and D.
        smooth_kimg: width of the moving average in kimg; 0 for none.
        joined: concatenate the runs in the given order instead of overlaying them.
        skip_lines: lines to drop after each join, or at the start of each overlaid run; None for 20 after a join, but
            at most 10 % of the run.
        log: use a logarithmic y axis.
        title: title of the figure.
        figure: figure to draw into, which is cleared and resized; None for a new one.
        on_note: receives messages about skipped lines, missing keys and gaps.

    Raises:
        ConfigError: an option out of its range.
        DatasetError: a file cannot be read, or no run has a value to plot.
    """
    plotted_keys = LOSS_KEYS if keys is None else tuple(keys)
    _check_options(plotted_keys, smooth_kimg, skip_lines)
    stats = [run if isinstance(run, RunStats) else read_stats(run) for run in runs]
    usable, notes = select_runs(stats, plotted_keys, log=log)
    aligned = (concatenate_runs if joined else overlay_runs)(usable, skip_lines)
    for note in (*notes, *aligned.notes):
        on_note(note)
    return _draw_figure(figure, aligned, plotted_keys, smooth_kimg=smooth_kimg, log=log, title=title)


def select_runs(runs: Iterable[RunStats], keys: Sequence[str], *, log: bool) -> tuple[list[RunStats], list[str]]:
    """The runs with values to plot, and messages about the other runs, missing keys and gaps.

    Raises:
        DatasetError: no run has values; the message lists the available keys.
    """
    usable: list[RunStats] = []
    notes: list[str] = []
    for run in runs:
        notes += run.notes
        missing = [key for key in keys if not np.isfinite(run.means.get(key, [])).any()]
        if not len(run):
            notes.append(f"{run.name}: skipped, no lines yet")
        elif len(missing) == len(keys):
            available = ", ".join(sorted(run.means)) or "none"
            notes.append(f"{run.name}: skipped, no values of {' or '.join(missing)}; available keys: {available}")
        else:
            usable.append(run)
            notes += [f"{run.name}: no values of {key}" for key in missing]
            notes += [note for key in keys if (note := _gap_note(run, key, log=log))]
    if not usable:
        raise DatasetError(f"no values to plot: {'; '.join(notes) or 'no runs given'}")
    return usable, notes


def draw_curves(
    axes: Axes, aligned: AlignedRuns, keys: Sequence[str], *, smooth_kimg: float = 0.0, log: bool = False
) -> None:
    """Draws keys with the same unit into one panel, and marks the joins."""
    segments = aligned.segments
    for (key_index, key), (run_index, segment) in itertools.product(enumerate(keys), enumerate(segments)):
        style = line_style(key_index if aligned.joined else run_index)
        label = quantity_of(key).name if aligned.joined else truncate_text(segment.name, RUN_NAME_CHARACTERS)
        has_label = run_index == 0 or not aligned.joined
        _draw_curve(axes, segment, key, legend_label(label) if has_label else "", style, smooth_kimg)
    for segment in segments[1:] if aligned.joined else ():
        axes.axvline(segment.start_kimg, color=MUTED_COLOUR, linestyle="--", linewidth=1.2, label="_join")
    axis_label = quantity_of(keys[0]).axis if len(keys) > 1 else _axis_label_of_key(keys[0])
    axes.set_ylabel(wrap_text(axis_label, AXIS_LABEL_CHARACTERS))
    if log:
        set_log_scale(axes)
    axes.margins(x=0.01)


def is_sparse(values: FloatArray) -> bool:
    """Whether fewer than half of the values are finite, as for keys that are measured at snapshots only."""
    return bool(np.isfinite(values).mean() < SPARSE_FRACTION) if len(values) else False


def _check_options(keys: Sequence[str], smooth_kimg: float, skip_lines: int | None) -> None:
    if not keys:
        raise ConfigError("no keys given; omit --keys to plot the losses of G and D")
    if not 0 <= smooth_kimg < float("inf"):
        raise ConfigError(f"--smooth {smooth_kimg}: the width of the moving average must be 0 kimg or more")
    if skip_lines is not None and skip_lines < 0:
        raise ConfigError(f"--skip {skip_lines}: the number of lines must be 0 or more")


def _draw_figure(
    figure: Figure | None,
    aligned: AlignedRuns,
    keys: Sequence[str],
    *,
    smooth_kimg: float,
    log: bool,
    title: str | None,
) -> Figure:
    panels = _group_into_panels(keys, aligned)
    width_in, height_in = FIGURE_SIZE_IN
    figure = prepare_figure(figure, (width_in, height_in * max(1.0, MIN_PANEL_HEIGHT * len(panels))))
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    has_section_titles = aligned.joined and len(aligned.segments) > 1
    for axes, panel_keys in zip(grid, panels, strict=True):
        draw_curves(axes, aligned, panel_keys, smooth_kimg=smooth_kimg, log=log)
        if aligned.joined or axes is grid[0]:
            add_legend_above(figure, axes, above_section_titles=has_section_titles and axes is grid[0])
    grid[-1].set_xlabel(KIMG_AXIS)
    format_thousands(grid[-1].xaxis)
    if has_section_titles:
        starts = [segment.start_kimg for segment in aligned.segments]
        end = float(aligned.segments[-1].kimg[-1])
        add_section_titles(grid[0], starts, end, [segment.name for segment in aligned.segments])
    if title:
        figure.suptitle(title)
    return figure


def _group_into_panels(keys: Sequence[str], aligned: AlignedRuns) -> list[list[str]]:
    """Keys of each panel: one unit for joined runs, one key for overlaid runs."""
    present = [key for key in keys if any(key in segment.means for segment in aligned.segments)]
    if not aligned.joined:
        return [[key] for key in present]
    by_axis: dict[str, list[str]] = {}
    for key in present:
        by_axis.setdefault(quantity_of(key).axis, []).append(key)
    return list(by_axis.values())


def _axis_label_of_key(key: str) -> str:
    quantity = quantity_of(key)
    return quantity.axis if quantity.name == quantity.axis else f"{quantity.name}: {quantity.axis}"


def _draw_curve(
    axes: Axes, segment: RunSegment, key: str, label: str, style: dict[str, Any], smooth_kimg: float
) -> None:
    if key not in segment.means:
        return
    kimg, values = segment.kimg, segment.means[key]
    if is_sparse(values):
        kimg, values = kimg[np.isfinite(values)], values[np.isfinite(values)]
    has_markers = len(kimg) < len(segment.kimg) or np.count_nonzero(np.isfinite(values)) == 1
    if smooth_kimg:
        axes.plot(kimg, values, **style, alpha=RAW_ALPHA, linewidth=1.0, label="_raw")
        values = moving_average(kimg, values, smooth_kimg)
    axes.plot(kimg, values, **style, label=label or "_more", marker="o" if has_markers else "", markersize=4)


def _gap_note(run: RunStats, key: str, *, log: bool) -> str | None:
    """Message about values that cannot be drawn; None if there are none."""
    values = run.means.get(key, np.empty(0))
    missing = int(np.count_nonzero(~np.isfinite(values)))
    if missing and not is_sparse(values):
        return f"{run.name}: gaps, because {key} is not finite in {missing} of {len(values)} lines"
    if log and (hidden := int(np.count_nonzero(values <= 0))):
        return f"{run.name}: {key} is 0 or negative in {hidden} lines, which a logarithmic axis does not show"
    return None

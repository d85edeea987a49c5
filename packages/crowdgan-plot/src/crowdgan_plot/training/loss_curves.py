"""Curves of training runs: losses, or any other keys of their stats files, against the length of the training."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_plot.style import (
    FAINT,
    SLIDE_IN,
    legend_above,
    line_look,
    logarithmic,
    section_titles,
    thousands,
    truncate_text,
    wrapped,
)
from crowdgan_plot.training.quantities import DISCRIMINATOR_LOSS, GENERATOR_LOSS, quantity
from crowdgan_plot.training.series import AlignedRuns, RunSegment, concatenate_runs, moving_average, overlay_runs
from crowdgan_plot.training.stats import Floats, RunStats

KIMG_AXIS = "length of the training (kimg: thousands of real images)"

RAW_ALPHA = 0.25
"""Opacity of values behind their means over a window."""

SELDOM = 0.5
"""Share of the lines below which a key is drawn from one finite value to the next, each marked."""

PANEL_HEIGHT = 0.5
"""Least height of a panel, in slides."""

LONGEST_AXIS = 20
"""Characters of a line beside the y axis."""

LONGEST_NAME = 40
"""Characters of a run's name in the legend."""


@dataclass(frozen=True, kw_only=True)
class LossPlotConfig:
    """How runs are drawn."""

    keys: tuple[str, ...] = (GENERATOR_LOSS, DISCRIMINATOR_LOSS)
    """What is drawn."""

    smooth_kimg: float = 0.0
    """Width of the window over which means are drawn, in kimg; 0 for none."""

    skip_lines: int | None = None
    """Lines left out after each join, or with `overlay_runs` at each start; None for the default of `series`."""

    log: bool = False
    """Whether values are on a logarithmic axis."""

    title: str | None = None

    separate: bool = False
    """Whether runs are drawn over one another, not joined."""

    def __post_init__(self) -> None:
        if not self.keys:
            raise ConfigError("no keys are given; leave --keys out for the losses of G and D")
        if not 0 <= self.smooth_kimg < float("inf"):
            raise ConfigError(f"--smooth {self.smooth_kimg}: the window must be 0 kimg or wider")
        if self.skip_lines is not None and self.skip_lines < 0:
            raise ConfigError(f"--skip {self.skip_lines}: the number of lines must be 0 or above")


def select_runs(runs: Iterable[RunStats], settings: LossPlotConfig) -> tuple[list[RunStats], list[str]]:
    """The runs that have something to draw, and what is to be said of them and of the others.

    Raises:
        DatasetError: none has; the message says which keys there are.
    """
    usable: list[RunStats] = []
    notes: list[str] = []
    for run in runs:
        notes += run.notes
        missing = [key for key in settings.keys if not np.isfinite(run.means.get(key, [])).any()]
        if not len(run):
            notes.append(f"{run.name}: it has no lines yet: left out")
        elif len(missing) == len(settings.keys):
            notes.append(f"{run.name}: it has no {' and no '.join(missing)}: left out; it has {_listed(run.means)}")
        else:
            usable.append(run)
            notes += [f"{run.name}: it has no {key}" for key in missing]
            notes += [note for key in settings.keys if (note := _gaps(run, key, log=settings.log))]
    if not usable:
        raise DatasetError("; ".join(notes) or "no run is given")
    return usable, notes


def align_runs(runs: Sequence[RunStats], settings: LossPlotConfig) -> AlignedRuns:
    """The runs on one axis, as the settings want them."""
    return (overlay_runs if settings.separate else concatenate_runs)(runs, settings.skip_lines)


def draw_losses(figure: Figure, arrangement: AlignedRuns, settings: LossPlotConfig) -> None:
    """Draws runs into an empty figure: a panel per axis of values, or with separate runs one per key.

    Several runs that are joined share a colour per key; their joins are marked. Separate runs have a colour each.
    """
    panels = _panels(settings, arrangement)
    figure.set_figheight(SLIDE_IN[1] * max(1.0, PANEL_HEIGHT * len(panels)))
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, keys in zip(grid, panels, strict=True):
        draw_curves(axes, arrangement, keys, smooth_kimg=settings.smooth_kimg, log=settings.log)
        if arrangement.joined or axes is grid[0]:
            is_over_titles = arrangement.joined and axes is grid[0] and len(arrangement.parts) > 1
            legend_above(figure, axes, is_over_titles=is_over_titles)
    grid[-1].set_xlabel(KIMG_AXIS)
    thousands(grid[-1].xaxis)
    if arrangement.joined and len(arrangement.parts) > 1:
        starts = [part.start_kimg for part in arrangement.parts]
        end = float(arrangement.parts[-1].kimg[-1])
        section_titles(grid[0], starts, end, [part.name for part in arrangement.parts])
    if settings.title:
        figure.suptitle(settings.title)


def draw_curves(
    axes: Axes, arrangement: AlignedRuns, keys: Sequence[str], *, smooth_kimg: float = 0.0, log: bool = False
) -> None:
    """Draws keys of one axis, with the joins."""
    parts = arrangement.parts
    for (row, key), (column, part) in itertools.product(enumerate(keys), enumerate(parts)):
        look = line_look(row if arrangement.joined else column)
        label = quantity(key).name if arrangement.joined else truncate_text(part.name, LONGEST_NAME)
        _draw_line(axes, part, key, label if column == 0 or not arrangement.joined else "", look, smooth_kimg)
    for part in parts[1:] if arrangement.joined else ():
        axes.axvline(part.start_kimg, color=FAINT, linestyle="--", linewidth=1.2, label="_join")
    axis = quantity(keys[0]).axis if len(keys) > 1 else _axis_of_one(keys[0])
    axes.set_ylabel(wrapped(axis, LONGEST_AXIS))
    if log:
        logarithmic(axes)
    axes.margins(x=0.01)


def _panels(settings: LossPlotConfig, arrangement: AlignedRuns) -> list[list[str]]:
    present = [key for key in settings.keys if any(key in part.means for part in arrangement.parts)]
    if not arrangement.joined:
        return [[key] for key in present]
    by_axis: dict[str, list[str]] = {}
    for key in present:
        by_axis.setdefault(quantity(key).axis, []).append(key)
    return list(by_axis.values())


def _axis_of_one(key: str) -> str:
    found = quantity(key)
    return found.axis if found.name == found.axis else f"{found.name}: {found.axis}"


def _draw_line(axes: Axes, part: RunSegment, key: str, label: str, look: dict[str, Any], smooth_kimg: float) -> None:
    if key not in part.means:
        return
    kimg, values = part.kimg, part.means[key]
    if is_sparse(values):
        kimg, values = kimg[np.isfinite(values)], values[np.isfinite(values)]
    marker = "o" if len(kimg) < len(part.kimg) or np.count_nonzero(np.isfinite(values)) == 1 else ""
    if smooth_kimg:
        axes.plot(kimg, values, **look, alpha=RAW_ALPHA, linewidth=1.0, label="_raw")
        values = moving_average(kimg, values, smooth_kimg)
    axes.plot(kimg, values, **look, label=label or "_more", marker=marker, markersize=4)


def is_sparse(values: Floats) -> bool:
    """Whether a key is told in fewer than half of the lines, as what is measured at snapshots alone: no gaps then."""
    return bool(np.isfinite(values).mean() < SELDOM) if len(values) else False


def _gaps(run: RunStats, key: str, *, log: bool) -> str | None:
    """What is to be said of values that cannot be drawn."""
    values = run.means[key] if key in run.means else np.empty(0)
    missing = int(np.count_nonzero(~np.isfinite(values)))
    if missing and not is_sparse(values):
        return f"{run.name}: {key} has no finite value in {missing} of {len(values)} lines: gaps"
    if log and (hidden := int(np.count_nonzero(values <= 0))):
        return f"{run.name}: {key} is 0 or below in {hidden} lines, which a logarithmic axis does not show"
    return None


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(sorted(keys)) or "nothing else"

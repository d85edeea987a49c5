"""Runs on one axis: those that continue one another joined in their order, or each from its own start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_plot.training.stats import Floats, RunStats

SKIPPED_LINES = 20
"""Lines left out after a join, in which losses settle down again (`lines_to_skip` of the published script)."""

SKIPPED_SHARE = 0.1
"""Most that is left out of a run unless more is asked for: the published number is meant for runs of hundreds of
lines."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RunSegment:
    """One run on the common axis."""

    name: str
    start_kimg: float
    """Where it begins, what is left out of it included."""
    kimg: Floats
    """`[num_lines]` length of the training on the common axis."""
    means: Mapping[str, Floats]
    """Key to `[num_lines]` values."""


@dataclass(frozen=True, kw_only=True)
class AlignedRuns:
    """All runs on one axis."""

    parts: tuple[RunSegment, ...]
    joined: bool
    """Whether each begins where the one before ends."""
    notes: tuple[str, ...]
    """What was left out and moved, a line of text each."""


def concatenate_runs(runs: Sequence[RunStats], skip_lines: int | None) -> AlignedRuns:
    """Runs that continue one another, in their order, on one axis.

    A run whose own axis starts at 0 is moved to the end of the one before. One that counts on, as a resumed run does,
    keeps its numbers, and the lines of the one before that it repeats are left out.

    Args:
        runs: at least one, each with at least one line.
        skip_lines: lines to leave out at the start of every run but the first; None takes `SKIPPED_LINES`, of a
            short run at most a tenth.
    """
    parts: list[RunSegment] = []
    notes: list[str] = []
    shift = end = 0.0
    for run in runs:
        if parts:
            shift = _shift(run, shift, end)
            parts[-1] = _until(parts[-1], float(run.kimg[0]) + shift)
        skipped = _skipped(len(run), skip_lines) if parts else 0
        if skipped:
            notes.append(f"{run.name}: {_lines(skipped)} after the join left out (--skip)")
        parts.append(_part(run, shift, skipped))
        end = float(run.kimg[-1]) + shift
    return AlignedRuns(parts=tuple(parts), joined=True, notes=tuple(notes))


def overlay_runs(runs: Sequence[RunStats], skip_lines: int | None) -> AlignedRuns:
    """Runs over one another, each on its own axis; `skip_lines` lines are left out at the start of each."""
    skipped = [_skipped(len(run), skip_lines or 0) for run in runs]
    pairs = list(zip(runs, skipped, strict=True))
    notes = [f"{run.name}: {_lines(number)} at the start left out (--skip)" for run, number in pairs if number]
    parts = [_part(run, 0.0, number) for run, number in pairs]
    return AlignedRuns(parts=tuple(parts), joined=False, notes=tuple(notes))


def moving_average(kimg: Floats, values: Floats, window_kimg: float) -> Floats:
    """Means over a window of `window_kimg` around each line, `[num_lines]`; NaN where it holds no finite value.

    Args:
        kimg: `[num_lines]`, rising.
        values: `[num_lines]`; those that are not finite count for nothing.
        window_kimg: full width in kimg.
    """
    finite = np.isfinite(values)
    sums = np.append(0.0, np.cumsum(np.where(finite, values, 0.0)))
    counts = np.append(0, np.cumsum(finite))
    first = np.searchsorted(kimg, kimg - window_kimg / 2, side="left")
    end = np.searchsorted(kimg, kimg + window_kimg / 2, side="right")
    number = counts[end] - counts[first]
    return np.where(number > 0, (sums[end] - sums[first]) / np.maximum(number, 1), np.nan)


def _shift(run: RunStats, shift_before: float, end: float) -> float:
    """By how much a run is moved that follows one which ends at `end` and was moved by `shift_before`."""
    steps = np.diff(run.kimg)
    first, step = float(run.kimg[0]), float(np.median(steps)) if len(steps) else 1.0
    if first <= step:
        return end
    return min((0.0, shift_before), key=lambda shift: abs(first + shift - end))


def _skipped(lines: int, skip_lines: int | None) -> int:
    if skip_lines is None:
        return min(SKIPPED_LINES, int(SKIPPED_SHARE * lines))
    return min(skip_lines, lines - 1)


def _part(run: RunStats, shift: float, skipped: int) -> RunSegment:
    return RunSegment(
        name=run.name,
        start_kimg=float(run.kimg[0]) + shift,
        kimg=run.kimg[skipped:] + shift,
        means={key: values[skipped:] for key, values in run.means.items()},
    )


def _until(part: RunSegment, end_kimg: float) -> RunSegment:
    """The part up to where the next one begins."""
    kept = part.kimg <= end_kimg
    means = {key: values[kept] for key, values in part.means.items()}
    return RunSegment(name=part.name, start_kimg=part.start_kimg, kimg=part.kimg[kept], means=means)


def _lines(number: int) -> str:
    return "1 line" if number == 1 else f"{number} lines"

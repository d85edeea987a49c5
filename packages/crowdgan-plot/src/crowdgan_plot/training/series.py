"""Several runs on one axis: runs that continue each other concatenated, or all runs overlaid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.utils.arrays import FloatArray
from crowdgan_plot.training.stats import RunStats, format_line_count

DEFAULT_SKIPPED_LINES = 20
"""Lines dropped after a join, where losses settle again (`lines_to_skip` of the published script)."""

MAX_SKIPPED_FRACTION = 0.1
"""Maximum fraction of a run dropped by default: the published number is meant for runs of hundreds of lines."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RunSegment:
    """One run on the common axis."""

    name: str
    start_kimg: float
    """Start of the run on the common axis, before dropped lines."""
    kimg: FloatArray
    """`[num_lines]` training progress on the common axis."""
    means: Mapping[str, FloatArray]
    """`[num_lines]` values by key."""


@dataclass(frozen=True, kw_only=True)
class AlignedRuns:
    """Runs on a common axis."""

    segments: tuple[RunSegment, ...]
    joined: bool
    """Whether each segment starts at the end of the previous one."""
    notes: tuple[str, ...]
    """Messages about dropped lines."""


def concatenate_runs(runs: Sequence[RunStats], skip_lines: int | None) -> AlignedRuns:
    """Runs that continue each other, in the given order, on one axis.

    A run that starts at 0 kimg is shifted to the end of the previous one. A run that continues the count, as a resumed
    run does, is not shifted, and the lines of the previous run that it repeats are dropped.

    Args:
        runs: at least one, each with at least one line.
        skip_lines: lines to drop at the start of every run but the first; None for `DEFAULT_SKIPPED_LINES`, but at
            most 10 % of the run.
    """
    segments: list[RunSegment] = []
    notes: list[str] = []
    shift_kimg = end_kimg = 0.0
    for run in runs:
        if segments:
            shift_kimg = _shift_after(run, shift_kimg, end_kimg)
            segments[-1] = _cut_at(segments[-1], float(run.kimg[0]) + shift_kimg)
        skipped = _skip_count(len(run), skip_lines) if segments else 0
        if skipped:
            notes.append(f"{run.name}: dropped {format_line_count(skipped)} after the join (--skip)")
        segments.append(_segment(run, shift_kimg, skipped))
        end_kimg = float(run.kimg[-1]) + shift_kimg
    return AlignedRuns(segments=tuple(segments), joined=True, notes=tuple(notes))


def overlay_runs(runs: Sequence[RunStats], skip_lines: int | None) -> AlignedRuns:
    """Runs overlaid, each with its own progress; `skip_lines` lines are dropped at the start of each, None for 0."""
    counts = [_skip_count(len(run), skip_lines or 0) for run in runs]
    pairs = list(zip(runs, counts, strict=True))
    notes = [f"{run.name}: dropped {format_line_count(count)} at the start (--skip)" for run, count in pairs if count]
    segments = [_segment(run, 0.0, count) for run, count in pairs]
    return AlignedRuns(segments=tuple(segments), joined=False, notes=tuple(notes))


def moving_average(kimg: FloatArray, values: FloatArray, window_kimg: float) -> FloatArray:
    """Means over a window centred on each line, `[num_lines]`; NaN where the window has no finite value.

    Args:
        kimg: `[num_lines]`, increasing.
        values: `[num_lines]`; non-finite values are ignored.
        window_kimg: full width of the window in kimg.
    """
    is_finite = np.isfinite(values)
    sums = np.append(0.0, np.cumsum(np.where(is_finite, values, 0.0)))
    counts = np.append(0, np.cumsum(is_finite))
    first = np.searchsorted(kimg, kimg - window_kimg / 2, side="left")
    end = np.searchsorted(kimg, kimg + window_kimg / 2, side="right")
    count = counts[end] - counts[first]
    return np.where(count > 0, (sums[end] - sums[first]) / np.maximum(count, 1), np.nan)


def _shift_after(run: RunStats, previous_shift_kimg: float, end_kimg: float) -> float:
    """Shift in kimg of a run whose predecessor ends at `end_kimg` and was shifted by `previous_shift_kimg`."""
    steps = np.diff(run.kimg)
    first, step = float(run.kimg[0]), float(np.median(steps)) if len(steps) else 1.0
    if first <= step:
        return end_kimg
    return min((0.0, previous_shift_kimg), key=lambda shift: abs(first + shift - end_kimg))


def _skip_count(line_count: int, skip_lines: int | None) -> int:
    if skip_lines is None:
        return min(DEFAULT_SKIPPED_LINES, int(MAX_SKIPPED_FRACTION * line_count))
    return min(skip_lines, line_count - 1)


def _segment(run: RunStats, shift_kimg: float, skipped: int) -> RunSegment:
    return RunSegment(
        name=run.name,
        start_kimg=float(run.kimg[0]) + shift_kimg,
        kimg=run.kimg[skipped:] + shift_kimg,
        means={key: values[skipped:] for key, values in run.means.items()},
    )


def _cut_at(segment: RunSegment, end_kimg: float) -> RunSegment:
    """The segment up to the start of the next one."""
    is_kept = segment.kimg <= end_kimg
    means = {key: values[is_kept] for key, values in segment.means.items()}
    return RunSegment(name=segment.name, start_kimg=segment.start_kimg, kimg=segment.kimg[is_kept], means=means)

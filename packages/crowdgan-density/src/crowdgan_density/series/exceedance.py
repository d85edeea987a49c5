"""Summary of a density series: mean, maximum, and the time above each class boundary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_density.series.time_series import SeriesPoint


@dataclass(frozen=True, kw_only=True)
class SeriesSummary:
    """Density of one zone over time. A frame stands for the time until the next one, at most the median interval."""

    zone: str
    """Name of the zone."""
    num_frames: int
    """Number of frames."""
    num_known: int
    """Number of frames with known density."""
    known_s: float
    """Time with known density in seconds."""
    mean_per_m2: float | None
    """Mean density over the known time in persons/m²; None if no density is known."""
    max_per_m2: float | None
    """Maximum density."""
    max_time_s: float | None
    """Time of the maximum in seconds; None if it is 0 or unknown."""
    max_image: str | None
    """Frame of the maximum; None if it is 0 or unknown."""
    seconds_above: tuple[float, ...]
    """Time above each class boundary in seconds."""
    longest_above_s: tuple[float, ...]
    """Longest uninterrupted time above each class boundary in seconds; an unknown frame ends it."""


def summarise_series(points: Sequence[SeriesPoint], bounds: ClassBounds) -> list[SeriesSummary]:
    """The summary of each zone of a series, of the smoothed densities if they are smoothed.

    Args:
        points: points of all zones; the times of each zone increase.
        bounds: class boundaries in persons/m².
    """
    zones = dict.fromkeys(point.zone for point in points)
    return [_summarise([point for point in points if point.zone == zone], bounds) for zone in zones]


def _summarise(points: Sequence[SeriesPoint], bounds: ClassBounds) -> SeriesSummary:
    durations = _durations([point.time_s for point in points])
    known = [
        (point, duration, point.shown_per_m2)
        for point, duration in zip(points, durations, strict=True)
        if point.shown_per_m2 is not None
    ]
    values = np.array([value for *_, value in known], float)
    weights = np.array([duration for _, duration, _ in known], float)
    top = known[int(values.argmax())][0] if values.any() else None
    classes = [None if point.shown_per_m2 is None else bounds.class_index(point.shown_per_m2) for point in points]
    runs = [_runs(points, durations, classes, number) for number in range(len(bounds.values))]
    return SeriesSummary(
        zone=points[0].zone,
        num_frames=len(points),
        num_known=len(known),
        known_s=float(weights.sum()),
        mean_per_m2=_mean(values, weights) if known else None,
        max_per_m2=float(values.max()) if known else None,
        max_time_s=None if top is None else top.time_s,
        max_image=None if top is None else top.image,
        seconds_above=tuple(sum(lengths) for lengths in runs),
        longest_above_s=tuple(max(lengths, default=0.0) for lengths in runs),
    )


def _mean(values: FloatArray, weights: FloatArray) -> float:
    """Weighted mean; the plain mean of a series without duration."""
    return float(np.average(values, weights=weights) if weights.any() else values.mean())


def _durations(times_s: Sequence[float]) -> list[float]:
    """Time in seconds for which each frame stands."""
    if len(times_s) < 2:
        return [0.0] * len(times_s)
    steps = np.diff(times_s)
    typical = float(np.median(steps))
    return [*np.minimum(steps, typical).tolist(), typical]


def _runs(
    points: Sequence[SeriesPoint], durations: Sequence[float], classes: Sequence[int | None], boundary: int
) -> list[float]:
    """Lengths in seconds of the uninterrupted times above a class boundary."""
    runs: list[float] = []
    end_s = None  # of the current run
    for point, duration, index in zip(points, durations, classes, strict=True):
        if index is None or index <= boundary:
            end_s = None
            continue
        if end_s is None or point.time_s > end_s + duration / 2:
            runs.append(0.0)
        runs[-1] += duration
        end_s = point.time_s + duration
    return runs

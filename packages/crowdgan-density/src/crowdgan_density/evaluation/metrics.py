"""How well estimates agree with the densities that are known to be true.

Everything is told of the images whose density the estimator can tell; how many those are is told too. What a number
cannot be told from, such as a rank correlation of one image, is None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.pipeline.estimation import estimate_densities
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.progress import Progress
from crowdgan_density.level_of_service import LevelOfServiceScale

Floats = npt.NDArray[np.float64]

PER_M2 = "persons/m²"
"""Unit of the truth. A unit that says so, and then of what, such as the image plane, is compared with it too."""

HIGH_QUANTILE = 0.9
"""Quantile of the relative errors that is told beside the median."""


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """How well an estimator agrees with the truth; shares lie between 0 and 1."""

    images: int
    """Those whose true density is known."""
    told: int
    """Those of them whose density the estimator tells."""
    rank_correlation: float | None
    """Spearman's, between estimated and true density."""
    median_error: float | None
    """Median of |estimate / truth − 1|; None for other units than persons/m²."""
    high_error: float | None
    """90th percentile of the same."""
    exact_class: float | None
    """Share whose class on the scale is the true one; None for other units than persons/m²."""
    within_one_class: float | None
    """Share whose class is the true one or next to it."""
    coverage: float | None
    """Share of the intervals that hold the truth; None where there are none, or in other units."""
    interval_ratio: float | None
    """Median of upper over lower bound."""
    reasons: dict[str, int]
    """Why the others could not be told: reason to number of images, the most frequent first."""


def evaluate(
    densities: Sequence[DensityEstimate], truth_per_m2: Sequence[float], scale: LevelOfServiceScale
) -> EvaluationResult:
    """How well the answers of one estimator agree with the truth.

    Args:
        densities: one answer per image.
        truth_per_m2: true densities of the same images in persons/m², 0 or above.
        scale: sorts densities into classes.
    """
    pairs = list(zip(densities, truth_per_m2, strict=True))
    told = [pair for pair in pairs if pair[0].value is not None]
    comparable = [pair for pair in told if is_per_m2(pair[0].unit)]  # all of them, or none
    values, truth = _columns(comparable)
    errors, steps = relative_errors(values, truth), class_steps(values, truth, scale)
    bounds = [(*density.interval, true) for density, true in comparable if density.interval is not None]
    low, high, true_within = np.array(bounds, float).reshape(-1, 3).T
    return EvaluationResult(
        images=len(pairs),
        told=len(told),
        rank_correlation=rank_correlation(*_columns(told)),
        median_error=_quantile(errors, 0.5),
        high_error=_quantile(errors, HIGH_QUANTILE),
        exact_class=_share(steps == 0),
        within_one_class=_share(steps <= 1),
        coverage=_share((low <= true_within) & (true_within <= high)),
        interval_ratio=_quantile(high[low > 0] / low[low > 0], 0.5),
        reasons=dict(Counter(density.reason for density in densities if density.reason is not None).most_common()),
    )


def evaluate_all(
    estimators: Sequence[DensityEstimator],
    scenes: Sequence[Scene],
    truth_per_m2: Mapping[str, float],
    scale: LevelOfServiceScale,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, EvaluationResult]:
    """How well each estimator, by its name, agrees with the truth, fitted to all scenes.

    Args:
        estimators: not fitted yet; no two of one name.
        scenes: those whose names the truth lacks count for fitting alone.
        truth_per_m2: image name to true density in persons/m².
        scale: sorts densities into classes.
        workers: processes that share the work.
        progress: told of each scene.
    """
    known = [scene for scene in scenes if scene.source_name in truth_per_m2]
    truth = [truth_per_m2[scene.source_name] for scene in known]
    fitted = [estimator.fit(scenes) for estimator in estimators]
    answers = estimate_densities(fitted, known, workers=workers, progress=progress)
    return {
        estimator.name: evaluate(densities, truth, scale)
        for estimator, densities in zip(estimators, answers, strict=True)
    }


def is_per_m2(unit: str) -> bool:
    """Whether a unit counts persons per square metre, of the ground or of something that it names."""
    return unit == PER_M2 or unit.startswith(f"{PER_M2} of ")


def rank_correlation(values: Floats, truth: Floats) -> float | None:
    """Spearman's rank correlation, −1 to 1; None for fewer than two images, or where either is all equal.

    It is the correlation of the ranks; equal numbers share the mean of theirs.

    Args:
        values: `[num_images]` in any unit.
        truth: `[num_images]`.

    Source: Spearman, "The proof and measurement of association between two things", 1904.
    """
    ranks, true_ranks = _ranks(values), _ranks(truth)
    if len(np.unique(ranks)) < 2 or len(np.unique(true_ranks)) < 2:
        return None
    return float(np.corrcoef(ranks, true_ranks)[0, 1])


def relative_errors(values: Floats, truth: Floats) -> Floats:
    """|value / truth − 1| of the images whose true density is above 0, `[num_positive]`.

    Args:
        values: `[num_images]` in the unit of the truth.
        truth: `[num_images]`, 0 or above.
    """
    positive = truth > 0
    return np.asarray(np.abs(values[positive] / truth[positive] - 1))


def class_steps(values_per_m2: Floats, truth_per_m2: Floats, scale: LevelOfServiceScale) -> npt.NDArray[np.intp]:
    """Number of classes between estimate and truth, `[num_images]`: 0 for the same class, 1 for neighbours.

    Args:
        values_per_m2: `[num_images]` in persons/m².
        truth_per_m2: `[num_images]` in persons/m².
        scale: sorts densities into classes.
    """
    found, true = (
        np.array([scale.class_index(item) for item in numbers.tolist()], np.intp)
        for numbers in (values_per_m2, truth_per_m2)
    )
    return np.asarray(np.abs(found - true))


def _columns(pairs: Sequence[tuple[DensityEstimate, float]]) -> tuple[Floats, Floats]:
    """Values and true densities, `[num_pairs]` each."""
    values = np.array([density.value for density, _ in pairs], float)
    return values, np.array([true for _, true in pairs], float)


def _ranks(numbers: Floats) -> Floats:
    """Ranks from 1, `[num_numbers]`; equal numbers share the mean of theirs."""
    _, group, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[group])


def _quantile(numbers: Floats, quantile: float) -> float | None:
    return float(np.quantile(numbers, quantile)) if len(numbers) else None


def _share(holds: npt.NDArray[np.bool_]) -> float | None:
    return float(holds.mean()) if len(holds) else None

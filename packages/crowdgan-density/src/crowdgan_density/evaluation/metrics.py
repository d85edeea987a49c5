"""Comparison of density estimates with ground truth.

All metrics are computed over the images whose density was estimated; their number is reported too. A metric that is
not defined, such as a correlation over one image, is None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crowdgan_core.density.checked_calls import fit_estimator
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.pipeline.estimation import estimate_densities
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.utils.arrays import BoolArray, FloatArray, IndexArray
from crowdgan_core.utils.parallel import Workers
from crowdgan_core.utils.progress import Progress
from crowdgan_density.evaluation.ground_truth import GroundTruthIndex
from crowdgan_density.level_of_service_scales import DEFAULT_SCALE, LevelOfServiceScale, parse_scale

PER_M2 = "persons/m²"
"""Unit of the ground truth. A unit that starts with it, such as `persons/m² of the image plane`, is comparable."""

HIGH_QUANTILE = 0.9
"""Quantile of the relative errors that is reported beside the median."""

MIN_SPEARMAN_VALUES = 3
"""Minimum number of values for a rank correlation, ours: over two it is always 1 or −1."""


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """Agreement of an estimator with ground truth; fractions are from 0 to 1."""

    images: int
    """Number of images with ground truth."""
    num_estimated: int
    """Number of these images whose density was estimated."""
    spearman: float | None
    """Spearman's rank correlation of estimated and ground-truth density."""
    median_error: float | None
    """Median of |estimate / ground truth − 1|; None for units other than persons/m²."""
    high_error: float | None
    """90th percentile of the same errors."""
    class_accuracy: float | None
    """Fraction with the same class on the scale as the ground truth; None for units other than persons/m²."""
    within_one_class: float | None
    """Fraction whose class is the same or adjacent."""
    coverage: float | None
    """Fraction of the intervals that contain the ground truth; None without intervals, or in other units."""
    interval_ratio: float | None
    """Median ratio of upper to lower bound."""
    reasons: dict[str, int]
    """Reasons for unknown densities: reason to number of images, the most frequent first."""

    def __repr__(self) -> str:
        """For example `EvaluationResult(spearman 0.994, median error 4.6 %, 298 of 300 images estimated)`."""
        spearman = "spearman unknown" if self.spearman is None else f"spearman {self.spearman:.3f}"
        error = "" if self.median_error is None else f", median error {100 * self.median_error:.1f} %"
        return f"EvaluationResult({spearman}{error}, {self.num_estimated} of {self.images} images estimated)"


def evaluate(
    estimators: Sequence[DensityEstimator],
    scenes: Sequence[Scene],
    ground_truth: Mapping[str, float],
    scale: str = DEFAULT_SCALE,
    *,
    workers: Workers = 1,
    progress: Progress | None = None,
) -> dict[str, EvaluationResult]:
    """The agreement of each estimator with ground truth, by the estimator's name.

    Args:
        estimators: with unique names; each is fitted to all scenes first.
        scenes: scenes of full images; those without ground truth are used for fitting only.
        ground_truth: image name, with or without suffix, to density in persons/m².
        scale: level-of-service scale, or class boundaries, as for `parse_scale`.
        workers: number of worker processes, or another executor.
        progress: receives one step per scene.

    Raises:
        ConfigError: no such scale.
    """
    classes = parse_scale(scale)
    index = GroundTruthIndex(ground_truth)
    densities = [index.density_per_m2(scene.source_name) for scene in scenes]
    known = [scene for scene, density in zip(scenes, densities, strict=True) if density is not None]
    densities_per_m2 = [density for density in densities if density is not None]
    fitted = [fit_estimator(estimator, scenes) for estimator in estimators]
    estimates = estimate_densities(fitted, known, workers=workers, progress=progress)
    return {
        estimator.name: evaluate_estimates(of_estimator, densities_per_m2, classes)
        for estimator, of_estimator in zip(estimators, estimates, strict=True)
    }


def evaluate_estimates(
    estimates: Sequence[DensityEstimate], ground_truth_per_m2: Sequence[float], scale: LevelOfServiceScale
) -> EvaluationResult:
    """The agreement of one estimator's estimates with ground truth.

    Args:
        estimates: one estimate per image.
        ground_truth_per_m2: densities of the same images in persons/m², 0 or above.
        scale: classes of densities.
    """
    pairs = list(zip(estimates, ground_truth_per_m2, strict=True))
    estimated = [pair for pair in pairs if pair[0].value is not None]
    comparable = [pair for pair in estimated if is_per_m2(pair[0].unit)]  # all of them, or none
    values, ground_truth = _columns(comparable)
    errors = relative_errors(values, ground_truth)
    distances = class_distance(values, ground_truth, scale)
    bounds = [(*estimate.interval, density) for estimate, density in comparable if estimate.interval is not None]
    low, high, bounded = np.array(bounds, float).reshape(-1, 3).T
    return EvaluationResult(
        images=len(pairs),
        num_estimated=len(estimated),
        spearman=spearman(*_columns(estimated)),
        median_error=_quantile(errors, 0.5),
        high_error=_quantile(errors, HIGH_QUANTILE),
        class_accuracy=_fraction(distances == 0),
        within_one_class=_fraction(distances <= 1),
        coverage=_fraction((low <= bounded) & (bounded <= high)),
        interval_ratio=_quantile(high[low > 0] / low[low > 0], 0.5),
        reasons=dict(Counter(estimate.reason for estimate in estimates if estimate.reason is not None).most_common()),
    )


def is_per_m2(unit: str) -> bool:
    """Whether a unit is persons per square metre, of the ground or of a named surface."""
    return unit == PER_M2 or unit.startswith(f"{PER_M2} of ")


def spearman(values: FloatArray, ground_truth: FloatArray) -> float | None:
    """Spearman's rank correlation, −1 to 1; None for fewer than three images or if either input is constant.

    Args:
        values: `[num_images]` in any unit.
        ground_truth: `[num_images]`.

    Source: Spearman, "The proof and measurement of association between two things", 1904.
    """
    from scipy.stats import spearmanr  # imported late: `crowdgan --help` must not load scipy

    if len(values) < MIN_SPEARMAN_VALUES or np.ptp(values) == 0 or np.ptp(ground_truth) == 0:
        return None
    return float(spearmanr(values, ground_truth).statistic)


def relative_errors(values: FloatArray, ground_truth: FloatArray) -> FloatArray:
    """|value / ground truth − 1| of the images whose ground truth is above 0, `[num_positive]`.

    Args:
        values: `[num_images]` in the unit of the ground truth.
        ground_truth: `[num_images]`, 0 or above.
    """
    positive = ground_truth > 0
    return np.asarray(np.abs(values[positive] / ground_truth[positive] - 1))


def class_distance(
    values_per_m2: FloatArray, ground_truth_per_m2: FloatArray, scale: LevelOfServiceScale
) -> IndexArray:
    """Number of class boundaries between estimate and ground truth, `[num_images]`: 0 same class, 1 adjacent.

    Args:
        values_per_m2: `[num_images]` in persons/m².
        ground_truth_per_m2: `[num_images]` in persons/m².
        scale: classes of densities.
    """
    estimated, expected = (
        np.array([scale.class_index(density) for density in densities.tolist()], np.intp)
        for densities in (values_per_m2, ground_truth_per_m2)
    )
    return np.asarray(np.abs(estimated - expected))


def _columns(pairs: Sequence[tuple[DensityEstimate, float]]) -> tuple[FloatArray, FloatArray]:
    """Estimated and ground-truth densities, `[num_pairs]` each."""
    values = np.array([estimate.value for estimate, _ in pairs], float)
    return values, np.array([density for _, density in pairs], float)


def _quantile(values: FloatArray, quantile: float) -> float | None:
    return float(np.quantile(values, quantile)) if len(values) else None


def _fraction(mask: BoolArray) -> float | None:
    return float(mask.mean()) if len(mask) else None

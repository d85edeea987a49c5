"""Scores of requested against measured densities, with standard errors: pure functions on arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from crowdgan_core.metrics.feature_arrays import row_blocks
from crowdgan_core.metrics.fidelity_report import FidelityScores
from crowdgan_core.metrics.metric import MetricValue
from crowdgan_core.utils.arrays import FloatArray, IndexArray
from crowdgan_density.evaluation.metrics import spearman

NUM_BOOTSTRAP_SAMPLES = 200
"""Bootstrap samples of a standard error; its relative error is then 5 %."""

NUM_PERMUTATIONS = 200
"""Permutations of the control."""

PAIR_BLOCK_ROWS = 256
"""Images whose pairs with all images are compared at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurements:
    """Requested and measured labels of a set of images, `[num_images]` each."""

    latents: IndexArray
    """Index of the latent of each image; every real image has another one."""

    requested_classes: IndexArray
    measured_classes: IndexArray

    requested: FloatArray
    """Requested labels in label units."""

    measured: FloatArray
    """Measured labels in label units."""

    densities: FloatArray
    """Measured densities."""

    num_classes: int

    def select(self, indices: IndexArray) -> Measurements:
        """The measurements of some of the images, which may be repeated."""
        arrays = {item.name: getattr(self, item.name)[indices] for item in fields(self) if item.name != "num_classes"}
        return replace(self, **arrays)


def score_measurements(measurements: Measurements, *, seed: int = 0) -> FidelityScores:
    """All scores of a set of images; standard errors are bootstrap estimates over latents.

    Args:
        measurements: at least one image.
        seed: seed of the bootstrap.
    """
    confusion = confusion_matrix(
        measurements.requested_classes, measurements.measured_classes, measurements.num_classes
    )
    return FidelityScores(
        num_images=len(measurements.requested),
        accuracy=_with_error(measurements, balanced_accuracy, seed),
        recall=class_recall(confusion),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        mae=_with_error(measurements, mean_absolute_error, seed),
        slope=regression_slope(measurements.requested, measurements.measured),
        bias=class_bias(measurements),
        spearman=_optional(measurements, rank_correlation, seed),
        ordering=score_ordering(measurements),
    )


def confusion_matrix(requested: IndexArray, measured: IndexArray, num_classes: int) -> npt.NDArray[np.int64]:
    """Number of images by requested class (row) and measured class (column), `[num_classes, num_classes]`."""
    confusion = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(confusion, (requested, measured), 1)
    return confusion


def class_recall(confusion: npt.NDArray[np.int64]) -> tuple[float | None, ...]:
    """Fraction of each requested class that is measured in it; None for a class without images."""
    totals = confusion.sum(axis=1)
    return tuple(
        float(correct / total) if total else None for correct, total in zip(confusion.diagonal(), totals, strict=True)
    )


def balanced_accuracy(measurements: Measurements) -> float:
    """Mean recall of the requested classes, so that the score does not depend on the class balance."""
    confusion = confusion_matrix(
        measurements.requested_classes, measurements.measured_classes, measurements.num_classes
    )
    return float(np.mean([recall for recall in class_recall(confusion) if recall is not None]))


def mean_absolute_error(measurements: Measurements) -> float:
    """Mean over the requested classes of the mean absolute error in label units."""
    errors = np.abs(measurements.measured - measurements.requested)
    classes = measurements.requested_classes
    return float(np.mean([errors[classes == item].mean() for item in np.unique(classes)]))


def rank_correlation(measurements: Measurements) -> float | None:
    """Spearman's rank correlation of requested label and measured density; None if either is constant."""
    return spearman(measurements.densities, measurements.requested)


def regression_slope(requested: FloatArray, measured: FloatArray) -> float | None:
    """Slope of the least-squares line of measured on requested label; None if all requests are equal."""
    centred = requested - requested.mean()
    variation = float(centred @ centred)
    return float(centred @ measured) / variation if variation > 0 else None


def class_bias(measurements: Measurements) -> tuple[float | None, ...]:
    """Mean of measured minus requested label for each requested class; None for a class without images."""
    errors = measurements.measured - measurements.requested
    members = [measurements.requested_classes == index for index in range(measurements.num_classes)]
    return tuple(float(errors[mask].mean()) if mask.any() else None for mask in members)


def latent_ordering(measurements: Measurements) -> FloatArray:
    """Correct pairs and pairs of each latent, `[num_latents, 2]`; a latent with one request has none."""
    order = np.argsort(measurements.latents, kind="stable")
    starts = np.flatnonzero(np.diff(measurements.latents[order])) + 1
    groups = np.split(order, starts)
    requested, densities = measurements.requested, measurements.densities
    return np.array([image_ordering(requested[group], densities[group]).sum(axis=0) / 2 for group in groups])


def image_ordering(requested: FloatArray, densities: FloatArray) -> FloatArray:
    """Correctly ordered pairs and pairs that contain each image, `[num_images, 2]`.

    Pairs have different requests; ties of the densities count as a half. Each pair counts for both of its images.
    """
    ordering = np.zeros((len(requested), 2))
    for rows in row_blocks(len(requested), PAIR_BLOCK_ROWS):
        order = np.sign(requested[rows, None] - requested)
        agreement = order * np.sign(densities[rows, None] - densities)  # 0 for ties
        num_pairs = np.count_nonzero(order, axis=1)
        ordering[rows] = np.stack([(num_pairs + agreement.sum(axis=1)) / 2, num_pairs], axis=1)
    return ordering


def bootstrap_standard_error(
    statistic: Callable[[Measurements], float | None], measurements: Measurements, *, seed: int = 0
) -> float | None:
    """Standard deviation of a statistic over samples of the latents with replacement; None for fewer than two."""
    latents, group = np.unique(measurements.latents, return_inverse=True)
    if len(latents) < 2:
        return None
    order = np.argsort(group, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(NUM_BOOTSTRAP_SAMPLES):
        drawn = rng.integers(len(latents), size=len(latents))
        value = statistic(measurements.select(np.concatenate([members[index] for index in drawn])))
        if value is not None:
            values.append(value)
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def permuted_accuracies(measurements: Measurements, *, seed: int = 0) -> FloatArray:
    """Accuracies after random permutations of the requested classes, `[NUM_PERMUTATIONS]`."""
    rng = np.random.default_rng(seed)
    classes = measurements.requested_classes
    permuted = [replace(measurements, requested_classes=rng.permutation(classes)) for _ in range(NUM_PERMUTATIONS)]
    return np.array([balanced_accuracy(item) for item in permuted])


def permuted_correlations(measurements: Measurements, *, seed: int = 0) -> FloatArray:
    """Rank correlations after random permutations of the requests, `[NUM_PERMUTATIONS]`; 0 where undefined."""
    rng = np.random.default_rng(seed)
    requested = measurements.requested
    permuted = [replace(measurements, requested=rng.permutation(requested)) for _ in range(NUM_PERMUTATIONS)]
    return np.array([rank_correlation(item) or 0.0 for item in permuted])


def _with_error(measurements: Measurements, statistic: Callable[[Measurements], float], seed: int) -> MetricValue:
    return MetricValue(statistic(measurements), bootstrap_standard_error(statistic, measurements, seed=seed))


def _optional(
    measurements: Measurements, statistic: Callable[[Measurements], float | None], seed: int
) -> MetricValue | None:
    value = statistic(measurements)
    if value is None:
        return None
    return MetricValue(value, bootstrap_standard_error(statistic, measurements, seed=seed))


def score_ordering(measurements: Measurements) -> MetricValue | None:
    """Fraction of correctly ordered pairs within latents, with its standard error; None without pairs.

    The pairs are those of all images if every image has its own latent, as real images have.
    """
    if len(np.unique(measurements.latents)) == len(measurements.latents):
        pairs, repetitions = image_ordering(measurements.requested, measurements.densities), 2
    else:
        pairs, repetitions = latent_ordering(measurements), 1
    total = pairs[:, 1].sum()
    if not total:
        return None
    fraction = float(pairs[:, 0].sum() / total)
    residuals = pairs[:, 0] - fraction * pairs[:, 1]  # influence on the ratio of the sums
    count = len(pairs)
    error = repetitions * float(np.sqrt(count / (count - 1) * (residuals**2).sum()) / total) if count > 1 else None
    return MetricValue(fraction, error)

"""Scores of requested against measured densities, on arrays with known answers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from crowdgan_density.fidelity.scores import (
    Measurements,
    balanced_accuracy,
    bootstrap_standard_error,
    permuted_accuracies,
    score_measurements,
    score_ordering,
)


def measurements(
    requested: Sequence[int], measured: Sequence[int], latents: Sequence[int] | None = None, num_classes: int = 3
) -> Measurements:
    """Measurements with class labels; the measured density is the class."""
    return Measurements(
        latents=np.array(latents if latents is not None else range(len(requested)), np.intp),
        requested_classes=np.array(requested, np.intp),
        measured_classes=np.array(measured, np.intp),
        requested=np.array(requested, float),
        measured=np.array(measured, float),
        densities=np.array(measured, float),
        num_classes=num_classes,
    )


def test_scores_of_classes_have_the_values_computed_by_hand() -> None:
    scores = score_measurements(measurements([0, 0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 1, 2, 2]))
    assert scores.confusion == ((3, 1, 0), (0, 1, 1), (0, 0, 1))
    assert scores.recall == (0.75, 0.5, 1.0)
    assert scores.accuracy.value == pytest.approx(0.75)  # mean of the recalls, not 5 / 7
    assert scores.mae.value == pytest.approx((0.25 + 0.5 + 0) / 3)
    assert scores.bias == (0.25, 0.5, 0.0)


def test_a_class_without_images_has_no_recall_and_no_bias() -> None:
    scores = score_measurements(measurements([0, 0, 2, 2], [0, 1, 2, 2]))
    assert scores.recall == (0.5, None, 1.0)
    assert scores.bias == (0.5, None, 0.0)
    assert scores.accuracy.value == 0.75


def test_pairs_of_one_latent_are_ordered_and_ties_count_as_a_half() -> None:
    # latent 0: 0 < 1 < 2 (3 of 3 pairs); latent 1: 0, 0, 1 (one tie: 2.5); latent 2: 2, 1, 0 (none)
    scores = score_measurements(measurements([0, 1, 2] * 3, [0, 1, 2, 0, 0, 1, 2, 1, 0], [0, 0, 0, 1, 1, 1, 2, 2, 2]))
    assert scores.ordering is not None
    assert scores.ordering.value == pytest.approx(5.5 / 9)


def test_pairs_of_real_images_are_all_pairs_with_different_labels() -> None:
    scores = score_measurements(measurements([0, 0, 1], [0, 2, 1]))
    assert scores.ordering is not None
    assert scores.ordering.value == 0.5


def test_the_standard_error_of_the_ordering_of_real_images_is_the_deviation_between_samples() -> None:
    orderings = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        requested = rng.integers(0, 3, 60)
        measured = (requested + rng.integers(-2, 3, 60)).clip(0, 2)
        orderings.append(score_ordering(measurements(requested.tolist(), measured.tolist())))
    assert None not in orderings
    values, errors = zip(*((item.value, item.standard_error) for item in orderings if item is not None), strict=True)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


def test_scores_of_one_label_have_no_slope_correlation_or_ordering() -> None:
    scores = score_measurements(measurements([1, 1, 1, 1], [0, 1, 2, 1]))
    assert (scores.slope, scores.spearman, scores.ordering) == (None, None, None)


def test_the_standard_error_is_that_of_a_binomial_for_independent_images() -> None:
    rng = np.random.default_rng(0)
    requested = np.zeros(400, int)
    correct = rng.random(400) < 0.8
    items = measurements(requested.tolist(), np.where(correct, 0, 1).tolist())
    expected = math.sqrt(correct.mean() * (1 - correct.mean()) / 400)
    assert bootstrap_standard_error(balanced_accuracy, items) == pytest.approx(expected, rel=0.15)


def test_the_standard_error_is_that_of_the_latents_if_their_images_agree() -> None:
    correct = np.random.default_rng(0).random(100) < 0.8
    latents = np.arange(100).repeat(4).tolist()
    measured = np.where(correct, 0, 1).repeat(4).tolist()
    expected = math.sqrt(correct.mean() * (1 - correct.mean()) / 100)  # of 100 latents, not of 400 images
    error = bootstrap_standard_error(balanced_accuracy, measurements([0] * 400, measured, latents))
    assert error == pytest.approx(expected, rel=0.15)


def test_the_standard_error_of_one_latent_is_unknown() -> None:
    assert bootstrap_standard_error(balanced_accuracy, measurements([0, 1], [0, 1], [0, 0])) is None


def test_permuted_requests_score_chance() -> None:
    classes = [0, 1, 2] * 60
    assert permuted_accuracies(measurements(classes, classes)).mean() == pytest.approx(1 / 3, abs=0.01)

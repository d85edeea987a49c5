"""Validity of the scores of a predictor, and agreement of two predictors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdgan_core.metrics.fidelity_report import Sensitivity
from crowdgan_core.metrics.metric import MetricValue
from crowdgan_density.fidelity.judgement import compare_predictors, judge_predictor, void_reasons
from crowdgan_density.fidelity.scores import Measurements
from crowdgan_density.fidelity.sensitivity import measure_sensitivity
from tests.support.fidelity_reports import example_predictor


def classes(right: float, num_images: int = 300, seed: int = 0) -> Measurements:
    """Three classes that are measured rightly with a given probability."""
    rng = np.random.default_rng(seed)
    requested = np.arange(num_images) % 3
    measured = np.where(rng.random(num_images) < right, requested, (requested + rng.integers(1, 3, num_images)) % 3)
    return Measurements(
        latents=np.arange(num_images),
        requested_classes=requested,
        measured_classes=measured,
        requested=requested.astype(float),
        measured=measured.astype(float),
        densities=measured + rng.random(num_images),
        num_classes=3,
    )


def sensitivity(blur_change: float = 0.1) -> Sensitivity:
    return Sensitivity(blur_sigma_px=0.5, blur_change=blur_change, noise_sigma=8.0, noise_change=0.1)


def test_scores_are_void_if_the_predictor_does_not_measure_the_density_of_real_images() -> None:
    report = judge_predictor("p", "", classes(1 / 3), classes(0.9, seed=1), sensitivity(), seed=0)
    assert report.is_void
    assert "the predictor does not measure density" in report.void_reasons[0]
    assert not judge_predictor("p", "", classes(0.8), classes(0.9, seed=1), sensitivity(), seed=0).is_void


def test_scores_are_void_if_permuted_requests_do_not_score_chance() -> None:
    (reason,) = void_reasons(0.9, 0.3, 0.5, 1 / 3)
    assert reason == "with permuted requests the accuracy is 50%; it must fall to chance, 33%"
    assert void_reasons(0.9, 0.3, 0.34, 1 / 3) == []


def test_a_predictor_that_reacts_to_blur_is_reported() -> None:
    report = judge_predictor("p", "", classes(0.9), classes(0.9, seed=1), sensitivity(0.7), seed=0)
    assert report.warnings == (
        "blur of 0.5 px changes the predictions of real images by 0.7 classes; the predictor reacts to image quality",
    )


def test_the_sensitivity_is_the_mean_change_of_the_predictions() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    constant = measure_sensitivity([images], lambda batch: np.zeros(len(batch)))
    assert (constant.blur_change, constant.noise_change) == (0, 0)
    contrast = measure_sensitivity([images], lambda batch: batch.std(axis=(1, 2, 3)))
    assert measure_sensitivity([images[:4], images[4:]], lambda batch: batch.std(axis=(1, 2, 3))) == contrast
    assert contrast.blur_change > 10 > contrast.noise_change > 0


@pytest.mark.parametrize(("excess", "agree"), [(-0.18, True), (-0.5, False)])
def test_predictors_agree_if_their_excesses_differ_by_little(excess: float, agree: bool) -> None:
    first = replace(example_predictor("a", 0.8, void=False), excess_accuracy=MetricValue(-0.1, 0.04))
    second = replace(first, name="b", excess_accuracy=MetricValue(excess, 0.04))
    generated, real = (classes(0.8), classes(0.7)), (classes(0.9), classes(0.9))
    agreement = compare_predictors((first, second), generated, real)
    assert agreement.agree is agree
    assert agreement.excess_difference == pytest.approx(abs(excess + 0.1))
    assert agreement.held_out_same_class == 1
    assert 0.5 < agreement.generated_same_class < 0.9

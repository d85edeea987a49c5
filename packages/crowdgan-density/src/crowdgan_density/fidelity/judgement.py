"""Validity of the scores of a predictor, and agreement of two predictors."""

from __future__ import annotations

import math

import numpy as np

from crowdgan_core.metrics.fidelity_report import PredictorAgreement, PredictorReport, Sensitivity
from crowdgan_core.metrics.metric import MetricValue
from crowdgan_density.evaluation.metrics import spearman
from crowdgan_density.fidelity.scores import (
    Measurements,
    permuted_accuracies,
    permuted_correlations,
    score_measurements,
)
from crowdgan_density.fidelity.sensitivity import MAX_CHANGE

CONTROL_TOLERANCE = 0.05
"""Largest difference between chance and the mean accuracy after permutations of the requests."""

CONTROL_QUANTILE = 0.99
"""Quantile of the rank correlations after permutations that the one on real images must exceed."""

MAX_EXCESS_DIFFERENCE, MAX_STANDARD_ERRORS = 0.1, 2.0
"""Predictors agree if their excesses differ by at most this, or by at most this many standard errors."""


def judge_predictor(
    name: str,
    description: str,
    held_out: Measurements,
    generated: Measurements,
    sensitivity: Sensitivity,
    *,
    seed: int,
) -> PredictorReport:
    """The report of one predictor: scores, floor, controls, and reasons why the scores have no meaning."""
    floor, scores = score_measurements(held_out, seed=seed), score_measurements(generated, seed=seed)
    control = float(permuted_accuracies(generated, seed=seed).mean())
    floor_control = float(np.quantile(permuted_correlations(held_out, seed=seed), CONTROL_QUANTILE))
    floor_correlation = 0.0 if floor.spearman is None else floor.spearman.value
    chance = 1 / len(np.unique(generated.requested_classes))
    return PredictorReport(
        name=name,
        description=description,
        held_out=floor,
        generated=scores,
        excess_accuracy=difference(scores.accuracy, floor.accuracy),
        control_accuracy=control,
        chance_accuracy=chance,
        held_out_control_spearman=floor_control,
        sensitivity=sensitivity,
        void_reasons=tuple(void_reasons(floor_correlation, floor_control, control, chance)),
        warnings=tuple(_warnings(sensitivity)),
    )


def difference(value: MetricValue, floor: MetricValue) -> MetricValue:
    """A score minus its floor, with the standard error of independent images."""
    errors = (value.standard_error, floor.standard_error)
    error = None if None in errors else math.hypot(*(item or 0.0 for item in errors))
    return MetricValue(value.value - floor.value, error)


def void_reasons(floor: float, floor_control: float, control: float, chance: float) -> list[str]:
    """Reasons why the scores of a predictor have no meaning; empty if they are valid.

    Args:
        floor: rank correlation on held-out real images.
        floor_control: high quantile of this correlation after permutations of the labels.
        control: mean accuracy on generated images after permutations of the requests.
        chance: 1 / number of requested classes.
    """
    reasons = []
    if floor <= floor_control:
        reasons.append(
            f"the predictor does not measure density: its rank correlation on held-out real images is {floor:.2f}, "
            f"and up to {floor_control:.2f} with permuted labels"
        )
    if control > chance + CONTROL_TOLERANCE:
        reasons.append(f"with permuted requests the accuracy is {control:.0%}; it must fall to chance, {chance:.0%}")
    return reasons


def compare_predictors(
    reports: tuple[PredictorReport, PredictorReport],
    generated: tuple[Measurements, Measurements],
    held_out: tuple[Measurements, Measurements],
) -> PredictorAgreement:
    """Agreement of two predictors on the same images."""
    excesses = [report.excess_accuracy for report in reports]
    gap = abs(excesses[0].value - excesses[1].value)
    error = math.hypot(*(item.standard_error or 0.0 for item in excesses))
    return PredictorAgreement(
        names=(reports[0].name, reports[1].name),
        generated_same_class=_same_class(generated),
        held_out_same_class=_same_class(held_out),
        generated_spearman=spearman(generated[0].densities, generated[1].densities),
        excess_difference=gap,
        agree=gap <= max(MAX_EXCESS_DIFFERENCE, MAX_STANDARD_ERRORS * error),
    )


def _same_class(measurements: tuple[Measurements, Measurements]) -> float:
    return float(np.mean(measurements[0].measured_classes == measurements[1].measured_classes))


def _warnings(sensitivity: Sensitivity) -> list[str]:
    changes = {
        f"blur of {sensitivity.blur_sigma_px:.2g} px": sensitivity.blur_change,
        f"noise of {sensitivity.noise_sigma:.0f} grey levels": sensitivity.noise_change,
    }
    return [
        f"{name} changes the predictions of real images by {change:.1f} classes; the predictor reacts to image quality"
        for name, change in changes.items()
        if change >= MAX_CHANGE
    ]

"""Reports of density fidelity for tests of files and figures; built by hand, without predictors."""

from __future__ import annotations

import numpy as np

from crowdgan_core.metrics.fidelity_report import (
    FidelityReport,
    FidelityScores,
    IntraClassDistance,
    MeasuredImage,
    PredictorAgreement,
    PredictorReport,
    Sensitivity,
)
from crowdgan_core.metrics.metric import MetricValue

CLASSES = ("sparse", "medium", "dense")
DENSITIES = (2.0, 9.0, 30.0)
"""Typical density of each class."""


def example_scores(accuracy: float, num_images: int = 60) -> FidelityScores:
    """Scores with a given accuracy."""
    per_class = num_images // len(CLASSES)
    right = round(accuracy * per_class)
    wrong = per_class - right
    confusion = ((right, wrong, 0), (wrong // 2, right, wrong - wrong // 2), (0, wrong, right))
    return FidelityScores(
        num_images=num_images,
        accuracy=MetricValue(accuracy, 0.04),
        recall=(accuracy, accuracy, accuracy),
        confusion=confusion,
        mae=MetricValue(1 - accuracy, 0.04),
        slope=accuracy,
        bias=(0.1, 0.0, -0.2),
        spearman=MetricValue(accuracy, 0.03),
        ordering=MetricValue((1 + accuracy) / 2, 0.02),
    )


def example_report(label_kind: str = "class", *, void: bool = False, num_latents: int = 20) -> FidelityReport:
    """A report of two predictors; `label_kind` is `class` or `value`."""
    return FidelityReport(
        data="crowds.zip",
        images="model.safetensors",
        label_kind=label_kind,  # type: ignore[arg-type]
        unit="persons per cell",
        classes=CLASSES,
        class_bounds=(5.0, 16.0),
        log_offset=0.8,
        seed=0,
        truncation_psi=1.0,
        num_training=240,
        num_held_out=60,
        predictors=(example_predictor("ridge", 0.7, void=void), example_predictor("cnn", 0.75, void=False)),
        unavailable=(),
        agreement=PredictorAgreement(
            names=("ridge", "cnn"),
            generated_same_class=0.8,
            held_out_same_class=0.85,
            generated_spearman=0.9,
            excess_difference=0.05,
            agree=True,
        ),
        intra_class_extractor="lite0",
        intra_class=(
            IntraClassDistance(
                class_name="sparse", num_real=100, num_generated=20, distance=MetricValue(0.1, 0.01), reason=None
            ),
            IntraClassDistance(class_name="dense", num_real=9, num_generated=20, distance=None, reason="too few"),
        ),
        measured=example_images(label_kind, num_latents, noise=0.4, prefix="seed "),
        held_out=example_images(label_kind, 20, noise=0.2, prefix="img"),
        notes=(),
    )


def example_predictor(name: str, accuracy: float, *, void: bool) -> PredictorReport:
    """A predictor with a floor of 0.9."""
    return PredictorReport(
        name=name,
        description=f"predictor {name}",
        held_out=example_scores(0.9),
        generated=example_scores(accuracy),
        excess_accuracy=MetricValue(accuracy - 0.9, 0.06),
        control_accuracy=0.333,
        chance_accuracy=1 / 3,
        held_out_control_spearman=0.3,
        sensitivity=Sensitivity(blur_sigma_px=0.5, blur_change=0.1, noise_sigma=8.0, noise_change=0.2),
        void_reasons=("the predictor does not measure density",) if void else (),
        warnings=(),
    )


def example_images(label_kind: str, num_latents: int, *, noise: float, prefix: str) -> tuple[MeasuredImage, ...]:
    """Images of every latent in every class, measured with log-normal errors."""
    rng = np.random.default_rng(0)
    return tuple(
        MeasuredImage(
            name=f"{prefix}{latent}",
            requested_class=index,
            requested=float(index) if label_kind == "class" else density,
            measured=tuple((density * np.exp(noise * rng.normal(size=2))).tolist()),
        )
        for latent in range(num_latents)
        for index, density in enumerate(DENSITIES)
    )

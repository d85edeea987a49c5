"""Metrics of the generator itself. Importing this module loads no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics.metric import MetricInputs, MetricValue
from crowdgan_core.utils.progress import Progress
from crowdgan_stylegan3.backend_name import BACKEND_NAME

if TYPE_CHECKING:
    from crowdgan_core.utils.arrays import LabelArray
    from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
    from crowdgan_stylegan3.metrics.generator_equivariance import Movement

OFFICIAL_NUM_IMAGES = 50_000
"""Number of generated images, or of pairs, in the definitions of the official StyleGAN3 code."""

PERCEPTUAL_EXTRACTOR = "vgg16"
"""Name of the feature extractor of perceptual distances."""


@dataclass(frozen=True)
class EquivarianceMetric:
    """Equivariance of the generator to a movement; implements `crowdgan_core.metrics.metric.Metric`."""

    name: str
    description: str
    movement: Movement
    higher_is_better: bool = True
    num_images: int = OFFICIAL_NUM_IMAGES
    uses_real_images: bool = False

    def unavailable_reason(self, inputs: MetricInputs) -> str | None:
        """The reason why it cannot be computed: no generator, one of another backend, or labels without a dataset."""
        return _generator_reason(inputs)

    def compute(self, inputs: MetricInputs, progress: Progress) -> Mapping[str, MetricValue]:
        """The equivariance in decibels.

        Raises:
            ConfigError: it is infinite, since all movements are 0 or all images have one colour.
        """
        from crowdgan_stylegan3.metrics.generator_equivariance import equivariance_db

        generator, seeds, labels = _samples(inputs, inputs.num_images)
        progress.start(self.name, len(seeds))
        value = equivariance_db(generator, seeds, labels, self.movement, seed=inputs.seed, progress=progress)
        if not math.isfinite(value):
            raise ConfigError(
                f"{self.name}: undefined for {len(seeds)} images: no image changes when it is moved; increase the "
                "number of images, unless the model generates images of one colour"
            )
        return {self.name: MetricValue(value)}


@dataclass(frozen=True)
class PerceptualPathLengthMetric:
    """Perceptual path length; implements `crowdgan_core.metrics.metric.Metric`."""

    name: str = "ppl2_wend"
    description: str = "perceptual path length in W, with LPIPS distances of VGG16; lower is better"
    higher_is_better: bool = False
    num_images: int = OFFICIAL_NUM_IMAGES
    uses_real_images: bool = False

    def unavailable_reason(self, inputs: MetricInputs) -> str | None:
        """The reason why it cannot be computed, as for equivariance, or the missing weights of VGG16."""
        return _generator_reason(inputs) or inputs.unavailable_extractor(PERCEPTUAL_EXTRACTOR)

    def compute(self, inputs: MetricInputs, progress: Progress) -> Mapping[str, MetricValue]:
        """The perceptual path length and its standard error.

        Raises:
            ConfigError: the installed feature extractor `vgg16` gives no perceptual distances.
        """
        from crowdgan_stylegan3.metrics.perceptual_path_length import path_lengths, trimmed_mean

        perceptual_features = getattr(inputs.extractor(PERCEPTUAL_EXTRACTOR), "perceptual_features", None)
        if perceptual_features is None:
            raise ConfigError(f"the feature extractor {PERCEPTUAL_EXTRACTOR} has no method perceptual_features")
        count = inputs.num_images
        generator, seeds, labels = _samples(inputs, count, seeds_per_label=2)
        progress.start(self.name, count)
        ends = seeds[:count], seeds[count:]
        mean, standard_error = trimmed_mean(path_lengths(generator, ends, labels, perceptual_features, progress))
        return {self.name: MetricValue(mean, standard_error)}


GENERATOR_METRICS = (
    PerceptualPathLengthMetric(),
    EquivarianceMetric(
        "eqt50k_int",
        "equivariance to translation by whole pixels (EQ-T) in dB; higher is better",
        "integer translation",
    ),
    EquivarianceMetric(
        "eqt50k_frac", "equivariance to any translation (EQ-T_frac) in dB; higher is better", "fractional translation"
    ),
    EquivarianceMetric("eqr50k", "equivariance to rotation (EQ-R) in dB; higher is better", "rotation"),
)
"""All metrics of a StyleGAN generator."""


def _generator_reason(inputs: MetricInputs) -> str | None:
    from crowdgan_core.metrics.generated_images import check_labels

    generator = inputs.generator
    if generator is None:
        return "it measures a generator; pass a model by --network"
    if generator.card.backend != BACKEND_NAME:
        return f"it needs the layers of a model of {BACKEND_NAME}; this is a model of {generator.card.backend}"
    try:
        check_labels(inputs.dataset, generator.card)
    except ConfigError as error:
        return str(error)
    return None


def _samples(
    inputs: MetricInputs, count: int, *, seeds_per_label: int = 1
) -> tuple[StyleGanImageGenerator, list[int], LabelArray | None]:
    """The generator, `count · seeds_per_label` distinct seeds, and labels `[count, label_dim]` or None."""
    import numpy as np

    from crowdgan_core.metrics.generated_images import GeneratedImages, sample_labels
    from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator

    reason = _generator_reason(inputs)
    generator = inputs.generator
    if reason is not None or not isinstance(generator, StyleGanImageGenerator):
        raise ConfigError(reason or f"the generator is a {type(generator).__name__}, not a StyleGanImageGenerator")
    labels = sample_labels(inputs.dataset, generator.card, count, inputs.seed)
    images = GeneratedImages(generator, np.tile(labels, (seeds_per_label, 1)), seed=inputs.seed)
    return generator, images.seeds, labels if generator.card.label_dim else None

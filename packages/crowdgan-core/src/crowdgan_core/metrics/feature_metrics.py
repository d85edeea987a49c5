"""Distances between the features of real and generated images, for every feature extractor, and the official metrics.

The official metrics are those of StyleGAN3: 50,000 generated images, and a fixed extractor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics.distances import frechet_distance, kernel_distance
from crowdgan_core.metrics.extractor import FeatureArray
from crowdgan_core.metrics.image_sets import ImageSet
from crowdgan_core.metrics.inception_scores import inception_score
from crowdgan_core.metrics.metric import Metric, MetricInputs, MetricValue
from crowdgan_core.metrics.neighbours import precision_recall
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_core.utils.sampling import evenly_spaced

OFFICIAL_NUM_IMAGES = 50_000
"""Generated images of the official metrics."""

UNBIASED_NUM_IMAGES = 2048
"""Number of images below which the Fréchet distance has a large bias; source: Heusel et al. 2017, appendix."""

PRECISION_RECALL_K = 3
"""Neighbour whose distance is the radius; source: Kynkäänniemi et al. 2019."""

PRECISION_RECALL_MAX_REAL = 200_000
"""Maximum number of real images of the official precision and recall."""

INCEPTION_SCORE_SPLITS = 10
"""Splits of the inception score; source: Salimans et al. 2016."""

Comparison = Callable[[FeatureArray, FeatureArray, int], Mapping[str, MetricValue]]
"""Values by suffix of their key, from features of real images, features of generated images, and a seed."""


@dataclass(frozen=True, kw_only=True)
class FeatureMetric:
    """A comparison of the features of real and generated images."""

    name: str
    description: str
    extractor: str
    """Name of the feature extractor."""
    compare: Comparison
    higher_is_better: bool = False
    """Whether a higher value is better."""
    min_images: int
    """Minimum number of images of each set."""
    num_images: int | None = None
    """Number of generated images in the definition; None for the default."""
    max_real: int | None = None
    """Maximum number of real images in the definition."""
    is_biased: bool = False
    """Whether the value depends on the number of images."""

    def unavailable_reason(self, inputs: MetricInputs) -> str | None:
        """The reason why it cannot be computed from these inputs, with what the user can do; None if it can be."""
        return (
            inputs.unavailable_extractor(self.extractor)
            or _missing(inputs.real, "--data, and --network or --against", self.min_images)
            or _missing(inputs.generated, "--network or --against", self.min_images)
        )

    def compute(self, inputs: MetricInputs, progress: Progress) -> Mapping[str, MetricValue]:
        """Values by key."""
        assert inputs.real is not None, "unavailable_reason checks the inputs"
        assert inputs.generated is not None, "unavailable_reason checks the inputs"
        real = inputs.features(inputs.real, self.extractor, progress)
        generated = inputs.features(inputs.generated, self.extractor, progress)
        if self.max_real is not None:
            real = real[evenly_spaced(range(len(real)), self.max_real)]
        values = self.compare(real, generated, inputs.seed)
        return {f"{self.name}{suffix}": value for suffix, value in values.items()}

    def notes(self, inputs: MetricInputs) -> Sequence[str]:
        """Remarks on the values, after `compute`."""
        if not self.is_biased or inputs.real is None or inputs.generated is None:
            return ()
        num_features = inputs.features(inputs.real, self.extractor, NullProgress()).shape[1]
        count, needed = min(len(inputs.real), len(inputs.generated)), max(UNBIASED_NUM_IMAGES, num_features)
        if count >= needed:
            return ()
        return (f"biased with {count} images: it needs {needed}; compare models by kid_{self.extractor}",)


@dataclass(frozen=True, kw_only=True)
class InceptionScoreMetric:
    """Inception score of generated images, from the class probabilities of an extractor."""

    name: str = "is50k"
    description: str = "inception score: recognisable and diverse classes of ImageNet; higher is better (official)"
    higher_is_better: bool = True
    ranking_key: str = "is50k_mean"
    extractor: str = "inception"
    num_images: int = OFFICIAL_NUM_IMAGES
    uses_real_images: bool = False

    def unavailable_reason(self, inputs: MetricInputs) -> str | None:
        """The reason why it cannot be computed from these inputs, with what the user can do; None if it can be."""
        return inputs.unavailable_extractor(self.extractor) or _missing(
            inputs.generated, "--network or --against", INCEPTION_SCORE_SPLITS
        )

    def compute(self, inputs: MetricInputs, progress: Progress) -> Mapping[str, MetricValue]:
        """Mean and standard deviation over the splits.

        Raises:
            ConfigError: the extractor computes no class probabilities.
        """
        assert inputs.generated is not None, "unavailable_reason checks the inputs"
        extractor: Any = inputs.extractor(self.extractor)
        if not hasattr(extractor, "probabilities"):
            raise ConfigError(f"{self.name}: the feature extractor {self.extractor} computes no class probabilities")
        progress.start(f"{self.name}: {inputs.generated.description}", len(inputs.generated))
        parts = []
        for batch in inputs.generated.batches(inputs.batch_size):
            parts.append(extractor.probabilities(batch))
            for _ in batch:
                progress.advance()
        mean, std = inception_score(np.concatenate(parts), splits=INCEPTION_SCORE_SPLITS)
        return {f"{self.name}_mean": MetricValue(mean), f"{self.name}_std": MetricValue(std)}


def extractor_metrics(extractors: Iterable[str]) -> list[Metric]:
    """Kernel distance, Fréchet distance, precision and recall with each extractor."""
    return [metric for name in extractors for metric in _metrics_of(name)]


def official_metrics() -> list[Metric]:
    """The official metrics of StyleGAN3 that compare images; they need the official weights."""
    return [
        FeatureMetric(
            name="fid50k_full",
            description="Fréchet inception distance; lower is better (official)",
            extractor="inception",
            compare=_frechet,
            min_images=2,
            is_biased=True,
            num_images=OFFICIAL_NUM_IMAGES,
        ),
        FeatureMetric(
            name="kid50k_full",
            description="kernel inception distance; lower is better (official)",
            extractor="inception",
            compare=_kernel,
            min_images=2,
            num_images=OFFICIAL_NUM_IMAGES,
        ),
        FeatureMetric(
            name="pr50k3_full",
            description="precision (quality) and recall (diversity); higher is better (official)",
            extractor="vgg16",
            compare=_precision_recall,
            higher_is_better=True,
            min_images=PRECISION_RECALL_K + 1,
            max_real=PRECISION_RECALL_MAX_REAL,
            num_images=OFFICIAL_NUM_IMAGES,
        ),
        InceptionScoreMetric(),
    ]


def _metrics_of(extractor: str) -> list[Metric]:
    with_features = f"of {extractor} features"
    return [
        FeatureMetric(
            name=f"kid_{extractor}",
            description=f"kernel distance {with_features}, unbiased; lower is better",
            extractor=extractor,
            compare=_kernel,
            min_images=2,
        ),
        FeatureMetric(
            name=f"fd_{extractor}",
            description=f"Fréchet distance {with_features}; lower is better",
            extractor=extractor,
            compare=_frechet,
            min_images=2,
            is_biased=True,
        ),
        FeatureMetric(
            name=f"pr_{extractor}",
            description=f"precision (quality) and recall (diversity) {with_features}; higher is better",
            extractor=extractor,
            compare=_precision_recall,
            higher_is_better=True,
            min_images=PRECISION_RECALL_K + 1,
        ),
    ]


def _kernel(real: FeatureArray, generated: FeatureArray, seed: int) -> Mapping[str, MetricValue]:
    distance = kernel_distance(real, generated, seed=seed)
    return {"": MetricValue(distance.mean, distance.standard_error)}


def _frechet(real: FeatureArray, generated: FeatureArray, seed: int) -> Mapping[str, MetricValue]:
    return {"": MetricValue(frechet_distance(real, generated))}


def _precision_recall(real: FeatureArray, generated: FeatureArray, seed: int) -> Mapping[str, MetricValue]:
    precision, recall = precision_recall(real, generated, k=PRECISION_RECALL_K)
    return {"_precision": MetricValue(precision), "_recall": MetricValue(recall)}


def _missing(images: ImageSet | None, option: str, min_images: int) -> str | None:
    """The reason why a set of images is not sufficient; None if it is."""
    if images is None:
        return f"needs images: give {option}"
    if len(images) < min_images:
        return f"{images.description}: {len(images)} images; it needs at least {min_images}"
    return None

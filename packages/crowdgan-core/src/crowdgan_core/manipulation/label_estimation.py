"""Label of an image, estimated by comparing it with generated images of known labels."""

from __future__ import annotations

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.manipulation.image_loss import pyramid, to_float_images
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.conditioning import LabelVector, one_hot
from crowdgan_core.utils.arrays import FloatArray, ImageArray

NUM_DENSITIES = 9
"""Densities of generated images for continuous labels, logarithmically spaced over the range of the training data."""

NUM_SEEDS = 16
"""Generated images per label."""

NUM_NEIGHBOURS = 10
"""Generated images whose labels are averaged."""

MIN_RANGE_RATIO = 100
"""The lowest density is at least the highest one divided by this, so that its logarithm is finite."""

SIGNIFICANT_DIGITS = 3
"""Digits of estimated densities."""


def estimate_labels(generator: ImageGenerator, images: ImageArray) -> list[LabelVector | None]:
    """Label of each image: that of the nearest generated images in the strength of edges at several scales.

    For classes it is the most frequent one, for continuous labels the geometric mean. It is a start for a projection,
    not a measurement of density: with a model that generates poor images it is not reliable.

    Args:
        generator: the generator; without labels the results are None.
        images: `[num_images, height, width, 3]`.

    Raises:
        ConfigError: the model has continuous labels of unknown range.
    """
    if generator.card.label_kind is None:
        return [None] * len(images)
    labels = candidate_labels(generator.card)
    vectors = [label for label in labels for _ in range(NUM_SEEDS)]
    seeds = [*range(NUM_SEEDS)] * len(labels)
    known = edge_strengths(generator.generate(seeds, np.array(vectors, np.float32)))
    scale = known.std(axis=0) + 1e-6
    distances = np.square((edge_strengths(images)[:, None] - known) / scale).sum(axis=2)
    neighbours = np.argsort(distances, axis=1)[:, :NUM_NEIGHBOURS]
    return [_combined([vectors[index] for index in row], generator) for row in neighbours]


def candidate_labels(card: ModelCard) -> list[LabelVector]:
    """All classes of a model, or densities over the range of its training data.

    Raises:
        ConfigError: the model has continuous labels of unknown range.
    """
    if card.label_kind == "class":
        return [one_hot(card, index) for index in range(card.label_dim)]
    if card.label_range is None:
        raise ConfigError("the model does not state the range of its labels; give the density of the image")
    low, high = card.label_range
    return [(density,) for density in np.geomspace(max(low, high / MIN_RANGE_RATIO), high, NUM_DENSITIES).tolist()]


def edge_strengths(images: ImageArray) -> FloatArray:
    """Logarithms of the mean absolute horizontal and vertical differences of neighbouring pixels at several scales.

    Args:
        images: `[num_images, height, width, 3]`.

    Returns:
        `[num_images, 2 * num_scales]`
    """
    means = [
        np.abs(np.diff(level, axis=axis)).mean(axis=(1, 2, 3))
        for level in pyramid(to_float_images(images))
        for axis in (1, 2)
    ]
    return np.log(np.stack(means, axis=1) + 1e-3).astype(float)


def _combined(labels: list[LabelVector], generator: ImageGenerator) -> LabelVector:
    if generator.card.label_kind == "class":
        return max(labels, key=labels.count)
    return (float(f"{np.exp(np.mean(np.log(labels))):.{SIGNIFICANT_DIGITS}g}"),)

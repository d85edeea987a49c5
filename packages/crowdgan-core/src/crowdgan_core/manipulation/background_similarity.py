"""Similarity of the background of edited images to that of the unedited image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crowdgan_core.models.generation.conditioning import LabelVector
from crowdgan_core.models.generation.generation import GenerationOptions, generate_images
from crowdgan_core.models.latent_generator import LatentGenerator
from crowdgan_core.utils.arrays import FloatArray, ImageArray

NUM_OTHER_IMAGES = 8
"""Images of other seeds per density, whose similarity is 0 on average."""

BACKGROUND_FRACTION = 0.5
"""Fraction of the pixels that count, those that change least: people appear and disappear in the others."""


def background_similarity(image: ImageArray, edited: ImageArray, others: ImageArray) -> FloatArray:
    """Similarity of the background of edited images, `[num_edited]`: 1 if nothing changed, 0 for other images.

    It is 1 minus the mean absolute difference from the unedited image, over the half of the pixels that change least,
    in relation to the mean of the same difference for other images of the density of the edited one.

    Args:
        image: the unedited image, `[height, width, 3]`.
        edited: `[num_edited, height, width, 3]`.
        others: images of other scenes with the density of each edited image,
            `[num_edited, num_others, height, width, 3]`.
    """
    scale = np.array([_differences(image, images).mean() for images in others])
    return np.asarray(1 - _differences(image, edited) / scale)


def other_images(generator: LatentGenerator, vectors: Sequence[LabelVector]) -> ImageArray:
    """Images of `NUM_OTHER_IMAGES` seeds with each label, `[num_labels, num_others, height, width, 3]`."""
    labels = [vector for vector in vectors for _ in range(NUM_OTHER_IMAGES)]
    seeds = [*range(NUM_OTHER_IMAGES)] * len(vectors)
    images = np.stack(list(generate_images(generator, seeds, labels, GenerationOptions())))
    return images.reshape(len(vectors), NUM_OTHER_IMAGES, *images.shape[1:])


def _differences(image: ImageArray, images: ImageArray) -> FloatArray:
    """Mean absolute difference of each image over the pixels that differ least, `[num_images]`."""
    pixels = np.abs(images.astype(np.int16) - image).mean(axis=3).reshape(len(images), -1)
    count = max(1, round(BACKGROUND_FRACTION * pixels.shape[1]))
    return np.asarray(np.partition(pixels, count - 1)[:, :count].mean(axis=1))

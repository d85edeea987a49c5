"""Pivotal tuning: changes the weights of a copy of a generator, so that its image of a latent is nearer to a target.

Source: Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images", 2021. Their locality term keeps the
images of latents near the pivot. Here it keeps the density edits of the image instead, and carries the details of the
target over to what an edit leaves unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.manipulation.image_loss import PyramidLoss, to_float_images
from crowdgan_core.manipulation.label_estimation import candidate_labels
from crowdgan_core.manipulation.schedule import learning_rate_factor
from crowdgan_core.models.generation.conditioning import LabelVector
from crowdgan_core.models.latent_generator import FloatImages, GeneratorTuner, LatentArray, LatentGenerator
from crowdgan_core.models.latent_means import LatentMeans
from crowdgan_core.utils.arrays import ImageArray
from crowdgan_core.utils.flags import flag
from crowdgan_core.utils.progress import NullProgress, Progress

LEARNING_RATE = 0.015

NEIGHBOURHOOD_PX = 3

CHANGED_PIXEL = 0.2
"""Mean difference of the neighbourhood of a pixel from which on an edit has changed it; images are -1 to 1."""


@dataclass(frozen=True, kw_only=True)
class TuningOptions:
    """Options of pivotal tuning.

    Raises:
        ConfigError: a number out of its range.
    """

    num_tuning_steps: int = flag("--tune-steps", default=700, min=1, help="Steps of the tuning.")

    locality: bool = True
    """Whether the density edits of the image are kept."""

    def __post_init__(self) -> None:
        if self.num_tuning_steps < 1:
            raise ConfigError(f"tune_steps is {self.num_tuning_steps}; it must be at least 1")


def tune(
    generator: LatentGenerator,
    pivot: LatentArray,
    label: LabelVector | None,
    target: ImageArray,
    means: LatentMeans,
    options: TuningOptions,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    after_step: Callable[[int, GeneratorTuner], None] = lambda _step, _tuner: None,
) -> GeneratorTuner:
    """A tuned copy of a generator whose image of `pivot` is near `target`.

    Args:
        generator: the generator; it does not change.
        pivot: `[1, num_layers, latent_dim]`.
        label: label of the target; None for a model without labels.
        target: `[1, height, width, 3]`.
        means: means of the generator's latents.
        options: options.
        seed: seed of the choice of edits.
        progress: progress display.
        after_step: is called after each step, with the number of steps so far.
    """
    progress = progress or NullProgress()
    tuner = generator.create_tuner()
    target_images = to_float_images(target)
    examples = EditExamples(generator, pivot, label, target_images, means, seed) if options.locality else None
    progress.start("tuning", options.num_tuning_steps)
    for step in range(options.num_tuning_steps):
        latents, images = pivot, target_images
        if examples is not None:
            latent, image = examples.draw()
            latents, images = np.concatenate([pivot, latent]), np.concatenate([target_images, image])
        rate = LEARNING_RATE * learning_rate_factor((step + 0.5) / options.num_tuning_steps)
        tuner.step(latents, PyramidLoss(images), rate)
        after_step(step + 1, tuner)
        progress.advance()
    return tuner


class EditExamples:
    """Random edits of a latent, with the images that a tuned generator should make of them.

    For a model with classes, or densities of a known range, they are density edits; otherwise latents between the pivot
    and those of random seeds.

    Args:
        generator: the generator without tuning.
        pivot: `[1, num_layers, latent_dim]`.
        label: label of the target.
        target: `[1, height, width, 3]`, -1 to 1.
        means: means of the generator's latents.
        seed: seed of the choice of edits.
    """

    def __init__(
        self,
        generator: LatentGenerator,
        pivot: LatentArray,
        label: LabelVector | None,
        target: FloatImages,
        means: LatentMeans,
        seed: int,
    ) -> None:
        self._generator, self._pivot, self._target = generator, pivot, target
        self._original = to_float_images(generator.synthesise(pivot))
        self._rng = np.random.default_rng(seed)
        self._labels = None if label is None else np.array([label], np.float32)
        card = generator.card
        labels = candidate_labels(card) if card.label_kind == "class" or card.label_range is not None else []
        self._directions = [np.asarray(means.direction(label, other), np.float32) for other in labels]

    def draw(self) -> tuple[LatentArray, FloatImages]:
        """An edited latent `[1, num_layers, latent_dim]` and its image `[1, height, width, 3]`, -1 to 1."""
        if self._directions:
            latent = self._pivot + self._directions[self._rng.integers(len(self._directions))]
        else:
            other = self._generator.map_seeds([int(self._rng.integers(2**32))], self._labels)
            latent = self._pivot + np.float32(self._rng.uniform()) * (other - self._pivot)
        edited = to_float_images(self._generator.synthesise(latent))
        return latent, transfer_details(self._original, self._target, edited)


def transfer_details(original: FloatImages, target: FloatImages, edited: FloatImages) -> FloatImages:
    """Edited images with what distinguishes the target from the original image, where the edit changes nothing.

    The difference of colour, the median over all pixels, is transferred to the whole image.

    Args:
        original: images before the edit, `[num_images, height, width, 3]`.
        target: images that the originals should equal.
        edited: images after the edit.
    """
    missing, change = target - original, edited - original
    colour = np.median(missing, axis=(1, 2), keepdims=True)
    change = np.abs(change - np.median(change, axis=(1, 2), keepdims=True)).mean(axis=3, keepdims=True)
    unchanged = np.clip(1 - _neighbourhood_mean(change) / CHANGED_PIXEL, 0, 1)
    return np.asarray(edited + colour + unchanged * (missing - colour), np.float32)


def _neighbourhood_mean(values: FloatImages) -> FloatImages:
    """Mean over the neighbourhood of each pixel of `[num_images, height, width, 1]`; edge pixels are repeated."""
    radius = NEIGHBOURHOOD_PX // 2
    for axis in (1, 2):
        padding = [(radius, radius) if other == axis else (0, 0) for other in range(4)]
        padded = np.pad(values, padding, mode="edge")
        values = np.lib.stride_tricks.sliding_window_view(padded, NEIGHBOURHOOD_PX, axis=axis).mean(axis=-1)
    return values

"""Projection: the intermediate latents whose images are nearest to given images, found with gradients.

Source of the schedule and of the noise on latents: Karras et al., "Analyzing and Improving the Image Quality of
StyleGAN", 2020, appendix D.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.manipulation.image_loss import PyramidLoss, to_float_images
from crowdgan_core.manipulation.schedule import learning_rate_factor
from crowdgan_core.models.generation.conditioning import LabelVector
from crowdgan_core.models.latent_generator import LatentArray, LatentGenerator
from crowdgan_core.models.latent_means import LatentMeans
from crowdgan_core.utils.arrays import FloatArray, ImageArray
from crowdgan_core.utils.flags import flag
from crowdgan_core.utils.progress import NullProgress, Progress

LatentSpace = Literal["w", "w+"]

LEARNING_RATE = 0.1
ADAM_BETAS, ADAM_EPSILON = (0.9, 0.999), 1e-8

NOISE, NOISE_END = 0.05, 0.75
"""Standard deviation of the noise on latents at the start, in spreads, and the fraction of steps at which it ends."""

DISTANCE_WEIGHT, TUNED_DISTANCE_WEIGHT = 1.0, 3.0
"""Default weights of the distance from the mean; tuning adds what is missing near the mean, where edits obey."""


@dataclass(frozen=True, kw_only=True)
class ProjectionOptions:
    """Options of a projection.

    Raises:
        ConfigError: a number out of its range.
    """

    space: LatentSpace = flag(
        "--space", default="w", help="One latent for all layers (w), or one per layer (w+): nearer, but harder to edit."
    )

    num_steps: int = flag("--num-steps", default=300, min=1, help="Steps of the optimisation.")

    distance_weight: float | None = flag(
        "--distance-weight",
        default=None,
        shown_default=f"{DISTANCE_WEIGHT:g}; with tuning {TUNED_DISTANCE_WEIGHT:g}",
        help="Weight of the distance from the mean latent of the density: lower = nearer to the image; "
        "higher = edits change the density more reliably.",
    )

    seed: int = flag("--seed", default=0, min=0, help="Random seed.")

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ConfigError(f"num_steps is {self.num_steps}; it must be at least 1")
        if self.distance_weight is not None and not 0 <= self.distance_weight < math.inf:
            raise ConfigError(f"distance weight is {self.distance_weight}; it must be at least 0")

    def resolved(self, *, is_tuned: bool) -> ProjectionOptions:
        """The same options with the default distance weight, which depends on whether tuning follows."""
        if self.distance_weight is not None:
            return self
        return replace(self, distance_weight=TUNED_DISTANCE_WEIGHT if is_tuned else DISTANCE_WEIGHT)


class Projector:
    """A projection of several images in progress; each image is independent of the others.

    The loss of an image is multiplied by 1 + `distance_weight` times the mean squared distance of its latents from the
    mean, in spreads. A factor, not a sum: images that the generator can make are reached, whatever their distance.

    Layers that only translate and rotate the image have separate latents, without a distance, in both spaces: moved
    targets are found (Alaluf et al., "Third Time's the Charm?", 2022).

    Args:
        generator: the generator.
        targets: images `[num_images, height, width, 3]` of the generator's size.
        labels: label of each image; None for a model without labels.
        means: means of the generator's latents.
        options: options.
    """

    def __init__(
        self,
        generator: LatentGenerator,
        targets: ImageArray,
        labels: Sequence[LabelVector | None],
        means: LatentMeans,
        options: ProjectionOptions,
    ) -> None:
        self._generator, self._options = generator, options
        self._distance_weight = options.resolved(is_tuned=False).distance_weight or 0.0
        self._loss = PyramidLoss(to_float_images(targets))
        layers = np.arange(generator.latent_shape[0])
        num_transform_layers = generator.num_transform_layers
        self._rows = layers if options.space == "w+" else np.minimum(layers, num_transform_layers)
        self._has_distance = (np.unique(self._rows) >= num_transform_layers)[:, None]
        per_layer = np.stack([means.mean(label) for label in labels])
        self._means = self._per_row(per_layer) / np.bincount(self._rows)[:, None]
        self._spreads = np.array([means.spread(label) for label in labels])[:, None, None]
        self._w = self._means
        self._moments = np.zeros((2, *self._w.shape))
        self._rngs = [np.random.default_rng(options.seed) for _ in labels]
        self.num_steps_done = 0

    @property
    def latents(self) -> LatentArray:
        """The latents found so far, `[num_images, num_layers, latent_dim]`."""
        return self._per_layer(self._w)

    def run(self, progress: Progress | None = None, after_step: Callable[[], None] = lambda: None) -> None:
        """Performs the remaining steps. An interrupt leaves the latents of the last complete step.

        Args:
            progress: progress display.
            after_step: is called after each step.
        """
        progress = progress or NullProgress()
        progress.start("projecting", self._options.num_steps - self.num_steps_done)
        while self.num_steps_done < self._options.num_steps:
            self.step()
            after_step()
            progress.advance()

    def step(self) -> FloatArray:
        """One step of the optimisation; returns the loss of each image."""
        t = (self.num_steps_done + 0.5) / self._options.num_steps
        noise = NOISE * self._spreads * max(0.0, 1 - t / NOISE_END) ** 2
        draws = np.stack([rng.standard_normal(self._w.shape[1:]) for rng in self._rngs])
        values, gradients = self._generator.loss_gradient(self._per_layer(self._w + noise * draws), self._loss)
        gradient = self._per_row(gradients.astype(float))
        losses = np.asarray(values)[:, None, None]
        weight = self._distance_weight / (self._has_distance.sum() * self._spreads**2)
        offset = (self._w - self._means) * self._has_distance
        distance = weight * (offset**2).sum(axis=(1, 2), keepdims=True)
        gradient = (1 + distance) * gradient + losses * 2 * weight * offset
        self._w = self._w - LEARNING_RATE * learning_rate_factor(t) * self._adam(gradient)
        self.num_steps_done += 1
        return np.asarray((losses * (1 + distance))[:, 0, 0])

    def _per_layer(self, w: FloatArray) -> LatentArray:
        """Latents of all layers, from the rows that are optimized, `[num_images, num_rows, latent_dim]`."""
        return np.ascontiguousarray(w[:, self._rows], np.float32)

    def _per_row(self, per_layer: FloatArray) -> FloatArray:
        """Sums over the layers that share a row, `[num_images, num_rows, latent_dim]`."""
        return np.stack([per_layer[:, self._rows == row].sum(axis=1) for row in np.unique(self._rows)], axis=1)

    def _adam(self, gradient: FloatArray) -> FloatArray:
        """The update of Adam for a learning rate of 1."""
        count = self.num_steps_done + 1
        corrected = []
        for moment, value, beta in zip(self._moments, (gradient, gradient**2), ADAM_BETAS, strict=True):
            moment += (1 - beta) * (value - moment)
            corrected.append(moment / (1 - beta**count))
        return np.asarray(corrected[0] / (np.sqrt(corrected[1]) + ADAM_EPSILON))

"""The contract of generators whose images are synthesised from one latent per layer, with gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.utils.arrays import FloatArray, LabelArray

LatentArray = npt.NDArray[np.float32]
"""Intermediate latents w `[num_images, num_layers, latent_dim]`, one per layer of the synthesis network."""

FloatImages = npt.NDArray[np.float32]
"""Images `[num_images, height, width, 3]`, RGB, -1 for black and 1 for white; values beyond both are possible."""

ImageLoss = Callable[[FloatImages], tuple[FloatArray, FloatImages]]
"""Maps images to the loss of each image `[num_images]`, and to the gradient of its loss with respect to each image."""


@runtime_checkable
class LatentGenerator(ImageGenerator, Protocol):
    """A generator that maps seeds and labels to intermediate latents, and these to images.

    It is optional for a backend: `crowdgan project`, `edit` and `mix` need it.
    `crowdgan_core.testing.check_latent_generator` checks an implementation.
    """

    @property
    def latent_shape(self) -> tuple[int, int]:
        """`(num_layers, latent_dim)`, from coarse to fine layers."""
        ...

    def map_seeds(self, seeds: Sequence[int], labels: LabelArray | None) -> LatentArray:
        """Intermediate latents of seeds and labels without truncation, equal for all layers.

        `generate(seeds, labels)` equals `synthesise(map_seeds(seeds, labels))`.

        Raises:
            ConfigError: as `generate`.
        """
        ...

    def synthesise(self, latents: LatentArray) -> npt.NDArray[np.uint8]:
        """Images `[num_images, height, width, 3]` of intermediate latents, the same in every batch."""
        ...

    def loss_gradient(self, latents: LatentArray, loss: ImageLoss) -> tuple[FloatArray, LatentArray]:
        """The loss of the images of `latents`, `[num_images]`, and its gradient with respect to `latents`.

        Noise inputs are constant.
        """
        ...

    def create_tuner(self, learning_rate: float) -> GeneratorTuner:
        """A tuner of a copy of this generator with the optimizer Adam."""
        ...


class GeneratorTuner(Protocol):
    """Changes the weights of a copy of a generator, so that its images of given latents have a lower loss."""

    @property
    def generator(self) -> LatentGenerator:
        """The copy; its images change with each step."""
        ...

    def step(self, latents: LatentArray, loss: ImageLoss) -> FloatArray:
        """One step of the optimizer on the summed loss; returns the loss of each image before it."""
        ...

    def save(self, path: Path, provenance: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Writes the copy as a model file; `provenance` is added to that of the model card.

        Raises:
            DatasetError: the file exists and `overwrite` is False, or it cannot be written.
        """
        ...

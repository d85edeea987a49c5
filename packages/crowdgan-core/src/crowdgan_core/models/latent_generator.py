"""The contract of generators whose images are synthesised from one latent per layer, with gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.utils.arrays import FloatArray, LabelArray

LatentArray = npt.NDArray[np.float32]
"""Intermediate latents w `[num_images, num_layers, latent_dim]`, one per layer of the synthesis network."""

FloatImages = npt.NDArray[np.float32]
"""Images `[num_images, height, width, 3]`, RGB, -1 for black and 1 for white; values beyond both are possible."""

NoiseMode = Literal["const", "random", "none"]
"""Noise inputs of the synthesis: the constant noise of the model, random noise by seed, or no noise."""

TruncationMean = Literal["label", "all"]
"""Latent towards which truncation moves: the mean of the label, or the mean of all labels."""

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

    @property
    def num_transform_layers(self) -> int:
        """Number of the first layers whose latents only translate and rotate the image; usually 0."""
        ...

    def generate(
        self,
        seeds: Sequence[int],
        labels: LabelArray | None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        truncation_mean: TruncationMean = "label",
        translate: tuple[float, float] = (0.0, 0.0),
        rotate_deg: float = 0.0,
        noise_mode: NoiseMode = "const",
    ) -> npt.NDArray[np.uint8]:
        """Images `[num_seeds, height, width, 3]`, as `ImageGenerator.generate`, with truncation by layer and noise.

        Args:
            seeds: one per image.
            labels: `[num_seeds, label_dim]`; None for a model without labels.
            truncation_psi: truncation towards a mean latent; 1 is off.
            truncation_cutoff: number of truncated layers, from the coarsest, 0 to `num_layers`; None for all.
            truncation_mean: the mean latent of the label of each image, or of all labels. Models without labels have
                one mean.
            translate: `(x, y)` translation in image widths.
            rotate_deg: rotation in degrees.
            noise_mode: noise inputs; random noise depends only on the seed of the image.

        Raises:
            ConfigError: as `ImageGenerator.generate`, or a `noise_mode` other than `const` for a generator without
                noise inputs.
        """
        ...

    def map_seeds(
        self,
        seeds: Sequence[int],
        labels: LabelArray | None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        truncation_mean: TruncationMean = "label",
    ) -> LatentArray:
        """Intermediate latents of seeds and labels; without truncation they are equal for all layers.

        `synthesise(map_seeds(seeds, labels))` equals `generate(seeds, labels)`, also with truncation.

        Raises:
            ConfigError: as `generate`.
        """
        ...

    def synthesise(
        self, latents: LatentArray, *, translate: tuple[float, float] = (0.0, 0.0), rotate_deg: float = 0.0
    ) -> npt.NDArray[np.uint8]:
        """Images `[num_images, height, width, 3]` of intermediate latents, the same in every batch.

        Args:
            latents: `[num_images, num_layers, latent_dim]`.
            translate: `(x, y)` translation in image widths.
            rotate_deg: rotation in degrees.

        Raises:
            ConfigError: a translation or rotation that the model does not support.
        """
        ...

    def loss_gradient(self, latents: LatentArray, loss: ImageLoss) -> tuple[FloatArray, LatentArray]:
        """The loss of the images of `latents`, `[num_images]`, and its gradient with respect to `latents`.

        Noise inputs are constant.
        """
        ...

    def create_tuner(self) -> GeneratorTuner:
        """A tuner of a copy of this generator with the optimizer Adam."""
        ...


class GeneratorTuner(Protocol):
    """Changes the weights of a copy of a generator, so that its images of given latents have a lower loss."""

    @property
    def generator(self) -> LatentGenerator:
        """The copy; its images change with each step."""
        ...

    def step(self, latents: LatentArray, loss: ImageLoss, learning_rate: float) -> FloatArray:
        """One step of the optimizer on the summed loss; returns the loss of each image before it."""
        ...

    def save(self, path: Path, provenance: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Writes the copy as a model file; `provenance` is added to that of the model card.

        Raises:
            DatasetError: the file exists and `overwrite` is False, or it cannot be written.
        """
        ...


def require_latents(generator: ImageGenerator, purpose: str) -> LatentGenerator:
    """The same generator as a `LatentGenerator`.

    Args:
        generator: any generator.
        purpose: subject of the error message, for example `style mixing`.

    Raises:
        ConfigError: its backend does not support intermediate latents.
    """
    if not isinstance(generator, LatentGenerator):
        raise ConfigError(f"{purpose} needs intermediate latents; the backend {generator.card.backend} has none")
    return generator

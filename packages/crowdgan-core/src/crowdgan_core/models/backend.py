"""The contract between model backends and the commands that use them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from crowdgan_core.models.card import ModelCard

if TYPE_CHECKING:
    import click


class ImageGenerator(Protocol):
    """A trained generator, ready to make images."""

    @property
    def card(self) -> ModelCard:
        """What the model is, and what its labels mean."""
        ...

    @property
    def supports_transform(self) -> bool:
        """Whether the image can be moved: `generate` takes `translate` and `rotate_deg`."""
        ...

    def generate(
        self,
        seeds: Sequence[int],
        labels: npt.NDArray[np.float32] | None,
        *,
        truncation_psi: float = 1.0,
        translate: tuple[float, float] = (0.0, 0.0),
        rotate_deg: float = 0.0,
    ) -> npt.NDArray[np.uint8]:
        """Images `[num_seeds, H, W, 3]`, one per seed; a seed gives the same image in every batch.

        `crowdgan_core.testing.check_image_generator` checks all of this.

        Args:
            seeds: one per image, 0 to 2^32 - 1.
            labels: `[num_seeds, label_dim]`, finite, not changed; None for a model without labels.
            truncation_psi: pull towards the mean latent, 1 for none; 0 gives all seeds the same image.
            translate: `(x, y)` by which the image moves, both in image widths, right and down positive.
            rotate_deg: angle by which it turns about its centre before that, in degrees, anticlockwise positive.

        Raises:
            ConfigError: labels of the wrong shape or not finite, labels missing or none needed, an image that
                cannot be moved, or `truncation_psi` other than 1 where there is no mean latent.
        """
        ...


class ModelBackend(Protocol):
    """A family of models: how to train one, and how to load its generator."""

    @property
    def name(self) -> str:
        """What users write after `crowdgan train`, and what model cards name."""
        ...

    def train_command(self) -> click.Command | None:
        """The click command that becomes `crowdgan train <name>`; None for a backend that only loads models."""
        ...

    def can_load(self, path: Path) -> bool:
        """Whether `path` looks like a model of this backend; reads no more than its header."""
        ...

    def load_generator(self, path: Path, device: str) -> ImageGenerator:
        """The generator in a model file, on the device `auto`, `cpu` or `cuda`.

        Raises:
            CheckpointError: the file is no model of this backend, or is damaged.
            ConfigError: there is no such device.
        """
        ...

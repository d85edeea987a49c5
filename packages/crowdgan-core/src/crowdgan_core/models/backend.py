"""The contract between model backends and the commands that use them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from crowdgan_core.models.card import ModelCard
from crowdgan_core.utils.arrays import LabelArray

if TYPE_CHECKING:
    import click


class ImageGenerator(Protocol):
    """A trained generator of images.

    `crowdgan_core.testing.check_image_generator` checks an implementation.
    """

    @property
    def card(self) -> ModelCard:
        """The model card: backend, image size, labels and their meaning."""
        ...

    @property
    def supports_transform(self) -> bool:
        """Whether `generate` accepts `translate` and `rotate_deg` other than 0."""
        ...

    def generate(
        self,
        seeds: Sequence[int],
        labels: LabelArray | None,
        *,
        truncation_psi: float = 1.0,
        translate: tuple[float, float] = (0.0, 0.0),
        rotate_deg: float = 0.0,
    ) -> npt.NDArray[np.uint8]:
        """Images `[num_seeds, height, width, 3]`, one per seed; a seed gives the same image in every batch.

        Args:
            seeds: one per image, 0 to 2^32 - 1.
            labels: `[num_seeds, label_dim]`, finite; not modified. None for a model without labels.
            truncation_psi: truncation towards the mean latent: 1 is off; with 0 all seeds of a label give one image.
            translate: `(x, y)` translation of the image in image widths, positive to the right and down.
            rotate_deg: rotation about the image centre in degrees, positive counterclockwise; applied before the
                translation.

        Raises:
            ConfigError: labels of the wrong shape or not finite, missing or unnecessary labels, a translation or
                rotation that the model does not support, or `truncation_psi` other than 1 without a mean latent.
        """
        ...


class ModelBackend(Protocol):
    """A family of models: its training command and its loader."""

    @property
    def name(self) -> str:
        """Name in `crowdgan train NAME` and in model cards."""
        ...

    def train_command(self) -> click.Command | None:
        """The click command `crowdgan train <name>`; None for a backend that only loads models."""
        ...

    def can_load(self, path: Path) -> bool:
        """Whether a file without a model card is a model of this backend; reads at most its header."""
        ...

    def load_generator(self, path: Path, device: str) -> ImageGenerator:
        """The generator in a model file, on the device `auto`, `cpu` or `cuda`.

        Raises:
            CheckpointError: the file is not a model of this backend, or is damaged.
            ConfigError: the device is not available.
        """
        ...

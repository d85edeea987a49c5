"""The contract between model backends and the commands that use them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import click


class ImageGenerator(Protocol):
    """A trained generator, ready to make pictures."""

    @property
    def resolution(self) -> tuple[int, int]:
        """`(height, width)` of the pictures in pixels."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the label classes; empty for a model without labels or with continuous ones."""
        ...

    @property
    def label_dim(self) -> int:
        """Length of the label vector; 0 for a model without labels."""
        ...

    def generate(
        self, seeds: Sequence[int], labels: npt.NDArray[np.float32] | None, *, truncation_psi: float = 1.0
    ) -> npt.NDArray[np.uint8]:
        """Pictures `[num_seeds, H, W, 3]`, one per seed; a seed gives the same picture in every batch.

        Args:
            seeds: one per picture.
            labels: `[num_seeds, label_dim]`; None for a model without labels.
            truncation_psi: pull towards the mean latent, 1 for none.
        """
        ...


class ModelBackend(Protocol):
    """A family of models: how to train one, and how to load its generator."""

    @property
    def name(self) -> str:
        """What users write after `crowdgan train`."""
        ...

    def train_command(self) -> click.Command:
        """The click command that becomes `crowdgan train <name>`."""
        ...

    def can_load(self, path: Path) -> bool:
        """Whether `path` looks like a model of this backend; reads no more than its header."""
        ...

    def load_generator(self, path: Path, device: str) -> ImageGenerator:
        """The generator in a model file, on the device `auto`, `cpu` or `cuda`.

        Raises:
            CheckpointError: the file is no model of this backend, or is damaged.
        """
        ...

"""The generator, an implementation of `crowdgan_core.models.backend.ImageGenerator`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crowdgan_blobs.drawing import COLOUR_SD, LATENT_DIM, POSITION_SD, View, draw_crowd
from crowdgan_blobs.model import BlobModel
from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard


class BlobGenerator:
    """A generator with a latent of five numbers per blob, with mean 0."""

    supports_transform = True

    def __init__(self, model: BlobModel) -> None:
        self._model = model

    @property
    def card(self) -> ModelCard:
        """The model card."""
        return self._model.card

    def generate(
        self,
        seeds: Sequence[int],
        labels: npt.NDArray[np.float32] | None,
        *,
        truncation_psi: float = 1.0,
        translate: tuple[float, float] = (0.0, 0.0),
        rotate_deg: float = 0.0,
    ) -> npt.NDArray[np.uint8]:
        """Images `[num_seeds, H, W, 3]`, one per seed."""
        view = View(size=self.card.resolution, translate=translate, rotate_deg=rotate_deg)
        pairs = zip(seeds, self._counts(len(seeds), labels), strict=True)
        return np.stack([self._image(seed, count, truncation_psi, view) for seed, count in pairs])

    def _image(self, seed: int, count: float, truncation_psi: float, view: View) -> npt.NDArray[np.uint8]:
        model = self._model
        z = truncation_psi * np.random.default_rng(seed).standard_normal((len(model.positions), LATENT_DIM), np.float32)
        return draw_crowd(count, model.positions + POSITION_SD * z[:, :2], model.colours + COLOUR_SD * z[:, 2:], view)

    def _counts(self, num_seeds: int, labels: npt.NDArray[np.float32] | None) -> list[float]:
        """Blobs per image."""
        shape = None if labels is None else labels.shape
        expected = (num_seeds, self.card.label_dim) if self.card.label_dim else None
        if shape != expected:
            raise ConfigError(f"labels have shape {shape}; it must be {expected}")
        if labels is None:
            return [float(self._model.counts[0])] * num_seeds
        if not np.isfinite(labels).all():
            raise ConfigError("labels must be finite numbers")
        return [float(label @ self._model.counts) for label in labels]

"""A generator of smooth images with intermediate latents and exact gradients, in numpy."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from crowdgan_core.errors import ConfigError
from crowdgan_core.io.atomic import check_overwrite
from crowdgan_core.models.card import CARD_KEY, LabelKind, ModelCard
from crowdgan_core.models.latent_generator import ImageLoss, LatentArray, NoiseMode, TruncationMean
from crowdgan_core.utils.arrays import FloatArray, LabelArray

NUM_LAYERS, LATENT_DIM = 4, 12

SPREAD = 0.6
"""Standard deviation of latents about the mean of their label."""


class LinearGenerator:
    """Images tanh(bias + sum over layers of w · basis); a label moves the mean of w and makes images lighter."""

    supports_transform = False
    num_transform_layers = 0

    def __init__(self, label_kind: LabelKind | None = "class", size: tuple[int, int] = (16, 16)) -> None:
        rng = np.random.default_rng(0)
        label_dim = {"class": 3, "value": 1, None: 0}[label_kind]
        self.card = ModelCard(
            backend="linear",
            resolution=size,
            label_dim=label_dim,
            label_kind=label_kind,
            classes=("sparse", "medium", "dense") if label_kind == "class" else (),
            unit="persons/m²" if label_kind else None,
            label_range=(0.5, 4.0) if label_kind == "value" else None,
        )
        y, x = np.mgrid[: size[0], : size[1]] / max(size)
        waves = [np.cos(np.pi * (k % 4 * x + k // 4 * y) + k) for k in range(LATENT_DIM)]
        weights = rng.normal(0, 0.3, (NUM_LAYERS, LATENT_DIM, 3))
        self.basis = np.einsum("khw,lkc->lkhwc", waves, weights).astype(np.float32)
        self.basis[:, 0] = 0.3
        self.bias = np.zeros((*size, 3), np.float32)
        self.label_means = rng.normal(0, 0.3, (label_dim, LATENT_DIM)).astype(np.float32)
        self.label_means[:, 0] = np.linspace(-1, 1, label_dim) if label_dim > 1 else 0.3

    @property
    def latent_shape(self) -> tuple[int, int]:
        return NUM_LAYERS, LATENT_DIM

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
    ) -> np.ndarray:
        if noise_mode != "const":
            raise ConfigError("the model has no noise inputs")
        latents = self.map_seeds(
            seeds,
            labels,
            truncation_psi=truncation_psi,
            truncation_cutoff=truncation_cutoff,
            truncation_mean=truncation_mean,
        )
        return self.synthesise(latents, translate=translate, rotate_deg=rotate_deg)

    def map_seeds(
        self,
        seeds: Sequence[int],
        labels: LabelArray | None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        truncation_mean: TruncationMean = "label",
    ) -> LatentArray:
        z = np.stack([np.random.default_rng(seed).standard_normal(LATENT_DIM) for seed in seeds])
        offsets = np.repeat(SPREAD * z[:, None], NUM_LAYERS, 1).astype(np.float32)
        latents = self._means(len(seeds), labels)
        centres = latents if truncation_mean == "label" else np.zeros_like(latents)
        truncated = centres + np.float32(truncation_psi) * (latents + offsets - centres)
        latents = latents + offsets
        latents[:, :truncation_cutoff] = truncated[:, :truncation_cutoff]
        return latents

    def synthesise(
        self, latents: LatentArray, *, translate: tuple[float, float] = (0.0, 0.0), rotate_deg: float = 0.0
    ) -> np.ndarray:
        if translate != (0, 0) or rotate_deg != 0:
            raise ConfigError("the model does not support translation and rotation")
        return np.clip(np.rint((self._float_images(latents) + 1) * 127.5), 0, 255).astype(np.uint8)

    def loss_gradient(self, latents: LatentArray, loss: ImageLoss) -> tuple[FloatArray, LatentArray]:
        images = self._float_images(latents)
        values, gradients = loss(images)
        return values, np.einsum("nhwc,lkhwc->nlk", gradients * (1 - images**2), self.basis)

    def create_tuner(self) -> LinearTuner:
        return LinearTuner(copy.deepcopy(self))

    def _float_images(self, latents: LatentArray) -> np.ndarray:
        return np.tanh(self.bias + np.einsum("nlk,lkhwc->nhwc", latents, self.basis)).astype(np.float32)

    def _means(self, count: int, labels: LabelArray | None) -> LatentArray:
        label_dim = self.card.label_dim
        if (None if labels is None else labels.shape) != ((count, label_dim) if label_dim else None):
            raise ConfigError("labels have the wrong shape")
        if labels is None:
            return np.zeros((count, NUM_LAYERS, LATENT_DIM), np.float32)
        if not np.isfinite(labels).all():
            raise ConfigError("labels must be finite")
        return np.repeat((labels @ self.label_means)[:, None], NUM_LAYERS, axis=1)


class LinearTuner:
    """Gradient descent with steps of constant length on the bias of a `LinearGenerator`."""

    def __init__(self, generator: LinearGenerator) -> None:
        self.generator = generator

    def step(self, latents: LatentArray, loss: ImageLoss, learning_rate: float) -> FloatArray:
        images = self.generator._float_images(latents)
        values, gradients = loss(images)
        gradient = (gradients * (1 - images**2)).sum(axis=0)
        self.generator.bias -= learning_rate * np.sign(gradient)
        return values

    def save(self, path: Path, provenance: Mapping[str, Any], *, overwrite: bool = False) -> None:
        check_overwrite(path, overwrite=overwrite)
        card = replace(self.generator.card, provenance=provenance)
        text = json.dumps({"__metadata__": {CARD_KEY: json.dumps(card.to_json())}}).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text)

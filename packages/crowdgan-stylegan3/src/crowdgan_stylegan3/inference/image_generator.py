"""Images by seed from a StyleGAN generator."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_core.models.generation.parsing import MAX_SEED
from crowdgan_core.models.latent_generator import ImageLoss, LatentArray, NoiseMode, TruncationMean
from crowdgan_core.models.latent_means import LatentMeans
from crowdgan_core.utils.arrays import FloatArray, LabelArray
from crowdgan_core.utils.flags import format_size
from crowdgan_stylegan3.device import resolve_device
from crowdgan_stylegan3.inference.backpropagation import backpropagate
from crowdgan_stylegan3.inference.tuning import StyleGanTuner
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.synthesis_stylegan2 import StyleGan2Synthesis
from crowdgan_stylegan3.networks.synthesis_stylegan3 import StyleGan3Synthesis

LARGE_BATCH = 256
"""Number of seeds from which they are mapped at once."""


class StyleGanImageGenerator:
    """Generates images of seeds and latents; implements `crowdgan_core.models.latent_generator.LatentGenerator`.

    Raises:
        ConfigError: the device is not available, or the images have neither 1 nor 3 channels.
    """

    def __init__(self, generator: Generator, card: ModelCard, device: str = "auto") -> None:
        channels = generator.config.image_channels
        if channels not in (1, 3):
            raise ConfigError(f"the model's images have {channels} channels; they must have 1 or 3")
        self.device = resolve_device(device)
        self._generator = generator.to(self.device).eval()
        self._card = card
        self._means = LatentMeans(self)

    def __repr__(self) -> str:
        """Backend, image size and labels, on one line."""
        card = self._card
        labels = f"{card.label_dim} classes" if card.label_kind == "class" else f"label_dim {card.label_dim}"
        labels = labels if card.label_kind else "unconditional"
        return f"ImageGenerator({card.backend}, {format_size(card.resolution)}, {labels})"

    @property
    def card(self) -> ModelCard:
        """The model card: backend, image size, labels and their meaning."""
        return self._card

    @property
    def synthesis(self) -> StyleGan2Synthesis | StyleGan3Synthesis:
        """The synthesis network, which maps intermediate latents to images."""
        return self._generator.synthesis

    @property
    def supports_transform(self) -> bool:
        """Whether `generate` accepts a translation and rotation: True for StyleGAN3, False for StyleGAN2."""
        return isinstance(self._generator.synthesis, StyleGan3Synthesis)

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
        """Images `[num_seeds, height, width, 3]`, one per seed; a seed gives the same image in every batch.

        Args:
            seeds: one per image, 0 to 2^32 - 1.
            labels: `[num_seeds, label_dim]`; None for a model without labels.
            truncation_psi: truncation towards a mean latent; 1 is off.
            truncation_cutoff: number of truncated layers, from the coarsest; None for all.
            truncation_mean: `label` for the mean latent of the label of each image, `all` for the running mean of the
                training, which the published tools use. Models without labels have only the latter.
            translate: `(x, y)` translation in image widths, positive to the right and down.
            rotate_deg: rotation about the image centre in degrees, positive counterclockwise; applied before the
                translation.
            noise_mode: noise inputs of StyleGAN2: those of the model, random noise that depends only on the seed of
                the image, or no noise.

        Raises:
            ConfigError: an invalid seed, labels of the wrong shape, a StyleGAN2 model with a translation or rotation,
                or a StyleGAN3 model with a `noise_mode` other than `const`.
        """
        transform = self._image_transform(translate, rotate_deg)
        _check_choice("noise mode", noise_mode, NoiseMode)
        if noise_mode != "const" and not isinstance(self._generator.synthesis, StyleGan2Synthesis):
            raise ConfigError(
                f"a StyleGAN3 model has no noise inputs, so noise mode {noise_mode} has no effect; use const"
            )
        ws = self.latents(
            seeds,
            labels,
            truncation_psi=truncation_psi,
            truncation_cutoff=truncation_cutoff,
            truncation_mean=truncation_mean,
        )
        return self.images(ws, transform) if noise_mode == "const" else self._images_with_noise(ws, seeds, noise_mode)

    def latents(
        self,
        seeds: Sequence[int],
        labels: LabelArray | None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        truncation_mean: TruncationMean = "label",
        exact: bool = True,
    ) -> Tensor:
        """Intermediate latents `[num_seeds, num_ws, w_dim]` on the device.

        Arguments are those of `generate`. With `exact`, the latents of a seed on a CPU are bit-identical in every
        batch; without it, large batches are faster.

        Raises:
            ConfigError: an invalid seed, or labels of the wrong shape.
        """
        _check_choice("truncation mean", truncation_mean, TruncationMean)
        mapping = self._generator.mapping
        z, c = self._seed_latents(seeds), self._label_tensor(labels, len(seeds))
        step = 1 if exact and self.device.type == "cpu" else len(seeds)  # on a CPU, rounding depends on batch size
        with torch.no_grad():
            parts = [
                mapping(z[start : start + step], None if c is None else c[start : start + step])
                for start in range(0, len(seeds), step)
            ]
            ws = torch.cat(parts)
            if truncation_psi == 1:
                return ws
            mean = self._label_means(labels) if truncation_mean == "label" and labels is not None else None
            return mapping.truncate(ws, truncation_psi, truncation_cutoff, mean)

    @property
    def latent_shape(self) -> tuple[int, int]:
        """`(num_layers, latent_dim)`: number of intermediate latents of an image and their length."""
        return self._generator.synthesis.num_ws, self._generator.config.w_dim

    @property
    def num_transform_layers(self) -> int:
        """1 for StyleGAN3, whose first latent determines the transform of the Fourier features; otherwise 0."""
        return int(self.supports_transform)

    def map_seeds(
        self,
        seeds: Sequence[int],
        labels: LabelArray | None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        truncation_mean: TruncationMean = "label",
    ) -> LatentArray:
        """Intermediate latents `[num_seeds, num_ws, w_dim]`; arguments as for `generate`.

        In batches of `LARGE_BATCH` and more, as for the mean of many latents, rounding depends on the batch size.

        Raises:
            ConfigError: an invalid seed, or labels of the wrong shape.
        """
        ws = self.latents(
            seeds,
            labels,
            truncation_psi=truncation_psi,
            truncation_cutoff=truncation_cutoff,
            truncation_mean=truncation_mean,
            exact=len(seeds) < LARGE_BATCH,
        )
        return ws.cpu().numpy()

    def synthesise(
        self, latents: LatentArray, *, translate: tuple[float, float] = (0.0, 0.0), rotate_deg: float = 0.0
    ) -> npt.NDArray[np.uint8]:
        """Images `[N, height, width, 3]` of intermediate latents `[N, num_ws, w_dim]`.

        Raises:
            ConfigError: a StyleGAN2 model with a translation or rotation.
        """
        return self.images(torch.from_numpy(latents).to(self.device), self._image_transform(translate, rotate_deg))

    def loss_gradient(self, latents: LatentArray, loss: ImageLoss) -> tuple[FloatArray, LatentArray]:
        """The loss of the images of `latents`, `[N]`, and its gradient with respect to `latents`."""
        ws = torch.from_numpy(latents).to(self.device).requires_grad_()
        values = backpropagate(self._generator.synthesis(ws), loss)
        assert ws.grad is not None
        return values, ws.grad.cpu().numpy()

    def create_tuner(self) -> StyleGanTuner:
        """A tuner of a copy of this generator with the optimizer Adam."""
        network = copy.deepcopy(self._generator)
        return StyleGanTuner(network, StyleGanImageGenerator(network, self._card, self.device.type))

    def images(self, ws: Tensor, transform: Tensor | None = None) -> npt.NDArray[np.uint8]:
        """Images `[N, height, width, 3]` of intermediate latents.

        Args:
            ws: intermediate latents `[N, num_ws, w_dim]`.
            transform: translation and rotation, `[N, 3, 3]` or `[1, 3, 3]`, as in `StyleGan3Synthesis`; None uses the
                stored transform, the identity.
        """
        synthesis = self._generator.synthesis
        with torch.no_grad():
            return to_uint8(synthesis(ws) if transform is None else synthesis(ws, transform))

    def _label_means(self, labels: LabelArray) -> Tensor:
        """Mean latents of labels, `[num_labels, num_ws, w_dim]`."""
        means = np.stack([self._means.mean(tuple(label)) for label in labels.tolist()])
        return torch.from_numpy(means).to(self.device, torch.float32)

    def _images_with_noise(self, ws: Tensor, seeds: Sequence[int], noise_mode: NoiseMode) -> npt.NDArray[np.uint8]:
        """Images of a StyleGAN2 model, each with its own random noise, or without noise."""
        with torch.no_grad():
            images = [
                self._generator.synthesis(image_ws, noise=noise_rng(seed) if noise_mode == "random" else noise_mode)
                for seed, image_ws in zip(seeds, torch.split(ws, 1), strict=True)
            ]
        return to_uint8(torch.cat(images))

    def _seed_latents(self, seeds: Sequence[int]) -> Tensor:
        """Latents `[num_seeds, z_dim]`, equal to those of the published tools."""
        if not len(seeds):
            raise ConfigError("no seeds; at least one is required")
        for seed in seeds:
            if not 0 <= seed <= MAX_SEED:
                raise ConfigError(f"seed is {seed}; it must be between 0 and {MAX_SEED}")
        z_dim = self._generator.config.z_dim
        rows = [np.random.RandomState(seed).randn(z_dim) for seed in seeds]
        return torch.tensor(np.array(rows).reshape(-1, z_dim), dtype=torch.float32, device=self.device)

    def _label_tensor(self, labels: LabelArray | None, count: int) -> Tensor | None:
        """Labels `[count, label_dim]` on the device; None for a model without labels."""
        label_dim = self.card.label_dim
        if label_dim == 0:
            if labels is not None:
                raise ConfigError("the model is unconditional; labels must be None")
            return None
        if labels is None or labels.shape != (count, label_dim):
            actual = "missing" if labels is None else f"of shape {list(labels.shape)}"
            raise ConfigError(f"labels are {actual}; they must be of shape [{count}, {label_dim}]")
        if not np.isfinite(labels).all():
            raise ConfigError("labels have NaN or infinity; they must be finite")
        return torch.tensor(np.ascontiguousarray(labels), dtype=torch.float32, device=self.device)

    def _image_transform(self, translate: tuple[float, float], rotate_deg: float) -> Tensor | None:
        """The transform `[1, 3, 3]` from output to input coordinates: the inverse of the translation and rotation."""
        if not self.supports_transform:
            if translate != (0, 0) or rotate_deg != 0:
                raise ConfigError("a StyleGAN2 model does not support translation and rotation; use StyleGAN3")
            return None
        cos, sin = math.cos(math.radians(rotate_deg)), math.sin(math.radians(rotate_deg))
        matrix = np.array([[cos, sin, translate[0]], [-sin, cos, translate[1]], [0, 0, 1]])
        return torch.from_numpy(np.linalg.inv(matrix)[None]).to(self.device, torch.float32)


def _check_choice(name: str, value: str, choices: Any) -> None:
    if value not in get_args(choices):
        raise ConfigError(f"{name} is {value}; choose from {', '.join(get_args(choices))}")


def noise_rng(seed: int) -> torch.Generator:
    """Random numbers for the noise inputs of a seed's image, independent of its latent, equal on every device."""
    (noise_seed,) = np.random.SeedSequence(seed).generate_state(1)
    return torch.Generator().manual_seed(int(noise_seed))


def to_uint8(images: Tensor) -> npt.NDArray[np.uint8]:
    """Images `[N, channels, H, W]`, about -1 to 1, as uint8 `[N, H, W, 3]`, rounded as by the published tools."""
    pixels = (images * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return np.ascontiguousarray(pixels.expand(-1, -1, -1, 3).cpu().numpy())

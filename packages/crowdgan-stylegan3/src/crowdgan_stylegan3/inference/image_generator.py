"""Images from a generator, by seed: what `crowdgan generate` calls."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_core.models.card import ModelCard
from crowdgan_stylegan3.device import resolve_device
from crowdgan_stylegan3.networks.generator import Generator
from crowdgan_stylegan3.networks.synthesis_stylegan3 import StyleGan3Synthesis

Labels = npt.NDArray[np.float32]


class StyleGanImageGenerator:
    """A generator that makes images by seed; crowdgan_core's `ImageGenerator`.

    Raises:
        ConfigError: there is no such device, or the images are neither grey nor coloured.
    """

    def __init__(self, generator: Generator, card: ModelCard, device: str = "auto") -> None:
        channels = generator.settings.image_channels
        if channels not in (1, 3):
            raise ConfigError(f"the model's images have {channels} channels; 1 or 3 can be shown")
        self.device = resolve_device(device)
        self._generator = generator.to(self.device).eval()
        self._card = card

    @property
    def card(self) -> ModelCard:
        """What the model is, and what its labels mean."""
        return self._card

    @property
    def supports_transform(self) -> bool:
        """Whether the image can be moved: in StyleGAN3, not in StyleGAN2."""
        return isinstance(self._generator.synthesis, StyleGan3Synthesis)

    def generate(
        self,
        seeds: Sequence[int],
        labels: Labels | None,
        *,
        truncation_psi: float = 1.0,
        translate: tuple[float, float] = (0.0, 0.0),
        rotate_deg: float = 0.0,
    ) -> npt.NDArray[np.uint8]:
        """Images `[num_seeds, H, W, 3]`, one per seed; a seed gives the same image in every batch.

        Args:
            seeds: one per image, 0 to 2^32 - 1.
            labels: `[num_seeds, label_dim]`; None for a model without labels.
            truncation_psi: pull towards the mean latent, 1 for none.
            translate: `(x, y)` by which the image moves, in image widths, right and down positive.
            rotate_deg: angle by which it turns about its centre before that, in degrees, anticlockwise positive.

        Raises:
            ConfigError: labels of the wrong shape, or an image that cannot be moved.
        """
        self._move(translate, rotate_deg)
        return self.images(self.latents(seeds, labels, truncation_psi=truncation_psi))

    def latents(self, seeds: Sequence[int], labels: Labels | None, *, truncation_psi: float = 1.0) -> Tensor:
        """Intermediate latents `[num_seeds, num_ws, w_dim]` on the device; as in `generate`.

        Raises:
            ConfigError: a seed that is none, or labels of the wrong shape.
        """
        mapping = self._generator.mapping
        z, c = self._z(seeds), self._checked(labels, len(seeds))
        step = 1 if self.device.type == "cpu" else len(seeds)  # on a CPU, larger batches only round differently
        with torch.no_grad():
            parts = [
                mapping(z[at : at + step], None if c is None else c[at : at + step])
                for at in range(0, len(seeds), step)
            ]
            return mapping.truncated(torch.cat(parts), truncation_psi)

    def images(self, ws: Tensor) -> npt.NDArray[np.uint8]:
        """Images `[N, H, W, 3]` of intermediate latents `[N, num_ws, w_dim]`."""
        with torch.no_grad():
            return to_uint8(self._generator.synthesis(ws))

    def _z(self, seeds: Sequence[int]) -> Tensor:
        """Latents `[num_seeds, z_dim]`, those that the published tools draw for the seeds."""
        if not len(seeds):
            raise ConfigError("there are no seeds; give at least one")
        for seed in seeds:
            if not 0 <= seed < 2**32:
                raise ConfigError(f"seed is {seed}; it must lie between 0 and {2**32 - 1}")
        z_dim = self._generator.settings.z_dim
        rows = [np.random.RandomState(seed).randn(z_dim) for seed in seeds]
        return torch.tensor(np.array(rows).reshape(-1, z_dim), dtype=torch.float32, device=self.device)

    def _checked(self, labels: Labels | None, count: int) -> Tensor | None:
        length = self.card.label_dim
        if length == 0:
            if labels is not None:
                raise ConfigError("the model has no labels, so it takes none")
            return None
        if labels is None or labels.shape != (count, length):
            found = "missing" if labels is None else f"of shape {list(labels.shape)}"
            raise ConfigError(f"labels are {found}; they must be [{count}, {length}]")
        if not np.isfinite(labels).all():
            raise ConfigError("labels are not finite; they must be numbers")
        return torch.tensor(np.ascontiguousarray(labels), dtype=torch.float32, device=self.device)

    def _move(self, translate: tuple[float, float], rotate_deg: float) -> None:
        """Sets where the image lies: its places are those before the move, so the move is inverted."""
        synthesis = self._generator.synthesis
        if not isinstance(synthesis, StyleGan3Synthesis):
            if translate != (0, 0) or rotate_deg != 0:
                raise ConfigError("images of a StyleGAN2 model cannot be moved or turned; those of StyleGAN3 can")
            return
        cos, sin = math.cos(math.radians(rotate_deg)), math.sin(math.radians(rotate_deg))
        move = np.array([[cos, sin, translate[0]], [-sin, cos, translate[1]], [0, 0, 1]])
        synthesis.input.transform.copy_(torch.from_numpy(np.linalg.inv(move)))


def to_uint8(images: Tensor) -> npt.NDArray[np.uint8]:
    """Images `[N, channels, H, W]` of about -1 to 1 as `[N, H, W, 3]`, as the published tools round them."""
    pixels = (images * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return np.ascontiguousarray(pixels.expand(-1, -1, -1, 3).cpu().numpy())

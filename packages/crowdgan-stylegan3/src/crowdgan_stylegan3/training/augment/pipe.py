"""The augmentations of a batch, one after another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.training.augment.augment_config import AugmentSettings
from crowdgan_stylegan3.training.augment.colour import recoloured, recolourings
from crowdgan_stylegan3.training.augment.corruption import cut_out, noisy
from crowdgan_stylegan3.training.augment.draws import Draws
from crowdgan_stylegan3.training.augment.frequency_bands import band_filtered, band_gains
from crowdgan_stylegan3.training.augment.geometry import moves
from crowdgan_stylegan3.training.augment.warping import warped
from crowdgan_stylegan3.training.augment.wavelets import SYM6, lowpass

MIN_SIDE_PX = 2
"""A single sample cannot be reflected."""


class AugmentPipe(nn.Module):
    """Random augmentations of images, differentiable twice with respect to the images.

    `AugmentPipe(settings)`, `AugmentPipe(xflip=1, xint=1)`, or both: the fields of `AugmentSettings` by name.

    Args:
        settings: of which the named ones are changed.
        changes: fields of the settings.

    Raises:
        ConfigError: a setting out of its range.

    Source: Karras et al. 2020 (ADA), appendix B.
    """

    lowpass: Tensor

    def __init__(self, settings: AugmentSettings | None = None, /, **changes: Any) -> None:
        super().__init__()
        self.settings = replace(settings or AugmentSettings(), **changes)
        self._p = 1.0
        self.register_buffer("lowpass", lowpass(SYM6), persistent=False)

    @property
    def p(self) -> float:
        """Overall probability of augmentations, 0 to 1; 1 at first.

        A number of the host and in the state dict, not on the device: how much is computed depends on it.

        Raises:
            ConfigError: set to something else.
        """
        return self._p

    @p.setter
    def p(self, value: float) -> None:
        if not 0 <= value <= 1:
            raise ConfigError(f"p of the augmentation is {value}; it must lie between 0 and 1")
        self._p = float(value)

    def get_extra_state(self) -> Tensor:
        """p, for the state dict."""
        return torch.tensor(self._p, dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Takes p from the state dict."""
        self.p = float(state)

    def forward(
        self, images: Tensor, debug_percentile: float | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Images augmented, each with draws of its own; `[N, C, H, W]`, as they came where nothing is applied.

        The host does not wait for the device, and what becomes of an image depends on its own draws alone.

        Args:
            images: `[N, 1 or 3, H, W]`, about -1 to 1, float32 or float64, on the module's device; results may go past.
            debug_percentile: makes every draw that percentile of its distribution, above 0 and below 1, and applies
                whatever may be applied; None for random draws.
            generator: of the host, the only source of randomness where given; None for PyTorch's own of the host.

        Raises:
            ConfigError: images, a percentile or a generator of another kind.
        """
        _check(images, debug_percentile, generator)
        settings = self.settings
        if self._p == 0 or settings.is_off or not len(images):
            return images
        draws = Draws(count=len(images), p=self._p, generator=generator, percentile=debug_percentile)
        images = warped(images, moves(settings, draws, (images.shape[2], images.shape[3])), self.lowpass)
        images = recoloured(images, recolourings(settings, draws))
        images = band_filtered(images, band_gains(settings, draws))
        return cut_out(noisy(images, settings, draws), settings, draws)


def _check(images: Tensor, percentile: float | None, generator: torch.Generator | None) -> None:
    shape = list(images.shape)
    is_image = images.ndim == 4 and shape[1] in (1, 3) and min(shape[2:]) >= MIN_SIDE_PX
    if not is_image or images.dtype not in (torch.float32, torch.float64):
        raise ConfigError(
            f"images are {images.dtype} of shape {shape}; they must be float32 or float64 [N, 1 or 3, H, W], "
            f"of {MIN_SIDE_PX} px a side at least"
        )
    if percentile is not None and not 0 < percentile < 1:
        raise ConfigError(f"debug_percentile is {percentile}; it must be above 0 and below 1")
    if generator is not None and generator.device.type != "cpu":
        raise ConfigError(f"the generator is on {generator.device}; it must be on the cpu, where draws are made")

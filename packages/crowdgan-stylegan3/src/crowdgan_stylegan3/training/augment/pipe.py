"""The augmentation pipeline: augments a batch of images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.training.augment.augment_config import AugmentConfig
from crowdgan_stylegan3.training.augment.colour import colour_matrices, transform_colours
from crowdgan_stylegan3.training.augment.corruption import add_noise, apply_cutout
from crowdgan_stylegan3.training.augment.draws import Draws
from crowdgan_stylegan3.training.augment.frequency_bands import band_gains, filter_bands
from crowdgan_stylegan3.training.augment.geometry import geometric_transforms
from crowdgan_stylegan3.training.augment.warping import warp_images
from crowdgan_stylegan3.training.augment.wavelets import SYM6, lowpass

MIN_SIDE_PX = 2
"""Minimum image side, since reflection padding needs two samples."""


class AugmentPipe(nn.Module):
    """Random augmentations of images, differentiable twice with respect to the images.

    Created by `AugmentPipe(config)`, `AugmentPipe(xflip=1, xint=1)` with fields of `AugmentConfig`, or both.

    Args:
        config: probabilities and strengths; None for none.
        changes: fields of the config that are changed.

    Raises:
        ConfigError: a value out of its range.

    Source: Karras et al. 2020 (ADA), appendix B.
    """

    lowpass: Tensor

    def __init__(self, config: AugmentConfig | None = None, /, **changes: Any) -> None:
        super().__init__()
        self.config = replace(config or AugmentConfig(), **changes)
        self._p = 1.0
        self.register_buffer("lowpass", lowpass(SYM6), persistent=False)

    @property
    def p(self) -> float:
        """Overall probability of augmentations, 0 to 1; initially 1.

        It is stored in the state dict, but not on the device, since the amount of computation depends on it.

        Raises:
            ConfigError: set to a value out of this range.
        """
        return self._p

    @p.setter
    def p(self, value: float) -> None:
        if not 0 <= value <= 1:
            raise ConfigError(f"p of the augmentation is {value}; it must lie between 0 and 1")
        self._p = float(value)

    def get_extra_state(self) -> Tensor:
        """Returns p for the state dict."""
        return torch.tensor(self._p, dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Sets p from the state dict."""
        self.p = float(state)

    def forward(
        self, images: Tensor, debug_percentile: float | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Augmented images `[N, C, H, W]`; images to which no augmentation applies are unchanged.

        Each image has independent random draws. The host does not wait for the device.

        Args:
            images: `[N, 1 or 3, H, W]`, float32 or float64, on the module's device, with a value range of about
                [-1, 1]; results can exceed this range.
            debug_percentile: replaces each draw by this percentile of its distribution, above 0 and below 1, and
                applies all augmentations; None for random draws.
            generator: CPU generator, the only source of randomness; None for PyTorch's default.

        Raises:
            ConfigError: invalid images, percentile or generator.
        """
        _check(images, debug_percentile, generator)
        config = self.config
        if self._p == 0 or config.is_off or not len(images):
            return images
        draws = Draws(count=len(images), p=self._p, generator=generator, percentile=debug_percentile)
        images = warp_images(
            images, geometric_transforms(config, draws, (images.shape[2], images.shape[3])), self.lowpass
        )
        images = transform_colours(images, colour_matrices(config, draws))
        images = filter_bands(images, band_gains(config, draws))
        return apply_cutout(add_noise(images, config, draws), config, draws)


def _check(images: Tensor, percentile: float | None, generator: torch.Generator | None) -> None:
    shape = list(images.shape)
    is_image = images.ndim == 4 and shape[1] in (1, 3) and min(shape[2:]) >= MIN_SIDE_PX
    if not is_image or images.dtype not in (torch.float32, torch.float64):
        raise ConfigError(
            f"images are {images.dtype} of shape {shape}; they must be float32 or float64 [N, 1 or 3, H, W], "
            f"with at least {MIN_SIDE_PX} px per side"
        )
    if percentile is not None and not 0 < percentile < 1:
        raise ConfigError(f"debug_percentile is {percentile}; it must be above 0 and below 1")
    if generator is not None and generator.device.type != "cpu":
        raise ConfigError(f"the generator is on {generator.device}; it must be on the cpu")

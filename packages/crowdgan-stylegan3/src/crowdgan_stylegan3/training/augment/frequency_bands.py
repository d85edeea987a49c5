"""Random amplification of frequency bands."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from crowdgan_stylegan3.training.augment.augment_config import NUM_BANDS, AugmentConfig
from crowdgan_stylegan3.training.augment.draws import Draws, copy_to_device
from crowdgan_stylegan3.training.augment.groups import true_indices, update_groups
from crowdgan_stylegan3.training.augment.sampling import reflect_pad
from crowdgan_stylegan3.training.augment.wavelets import SYM2, band_filters

BAND_POWER_FRACTIONS = torch.tensor([10, 1, 1, 1], dtype=torch.float64) / 13
"""Fraction of each band in the power of natural images, whose amplitude spectrum falls as 1/f."""


def band_gains(config: AugmentConfig, draws: Draws) -> Tensor:
    """Random gain of each band, `[N, 4]`; the expected power of natural images is preserved."""
    gains = torch.ones(draws.count, NUM_BANDS, dtype=torch.float64)
    for band, multiplier in enumerate(config.imgfilter_bands):
        factors = torch.ones_like(gains)
        factors[:, band] = draws.apply_randomly(draws.factor(config.imgfilter_std), config.imgfilter * multiplier, 1)
        gains = gains * factors / (BAND_POWER_FRACTIONS * factors.square()).sum(dim=1, keepdim=True).sqrt()
    return gains


def filter_bands(images: Tensor, gains: Tensor) -> Tensor:
    """Images `[N, C, H, W]` with frequency bands multiplied by gains `[N, 4]`, along both axes."""
    indices = true_indices((gains != 1).any(dim=1))
    taps = gains @ _band_taps()
    return update_groups(
        images, [indices] if len(indices) else [], lambda group, members: _filter_axes(group, taps[members])
    )


def _filter_axes(images: Tensor, taps: Tensor) -> Tensor:
    """Images filtered along both axes, each with its symmetric taps `[N, length]`."""
    count, channels, height, width = images.shape
    length = taps.shape[1]
    x = reflect_pad(images, [length // 2] * 4).reshape(1, count * channels, height + length - 1, width + length - 1)
    weight = copy_to_device(taps, images).repeat_interleave(channels, dim=0)
    x = F.conv2d(x, weight[:, None, None, :], groups=count * channels)
    x = F.conv2d(x, weight[:, None, :, None], groups=count * channels)
    return x.view(count, channels, height, width)


@functools.lru_cache(maxsize=1)
def _band_taps() -> Tensor:
    """Taps of the bands, `[4, length]`."""
    return band_filters(SYM2, NUM_BANDS)

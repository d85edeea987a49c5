"""Frequency bands of images amplified and weakened."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from crowdgan_stylegan3.training.augment.augment_config import NUM_BANDS, AugmentSettings
from crowdgan_stylegan3.training.augment.draws import Draws, sent
from crowdgan_stylegan3.training.augment.groups import changed, numbers
from crowdgan_stylegan3.training.augment.sampling import reflected
from crowdgan_stylegan3.training.augment.wavelets import SYM2, band_filters

POWER = torch.tensor([10, 1, 1, 1], dtype=torch.float64) / 13
"""Share of each band in the power of natural images, whose spectrum falls as 1/f."""


def band_gains(settings: AugmentSettings, draws: Draws) -> Tensor:
    """Amplification of each band, `[N, 4]`, which leaves the power of natural images as it is."""
    gains = torch.ones(draws.count, NUM_BANDS, dtype=torch.float64)
    for band, multiplier in enumerate(settings.imgfilter_bands):
        own = torch.ones_like(gains)
        own[:, band] = draws.applied(draws.factor(settings.imgfilter_std), settings.imgfilter * multiplier, 1)
        gains = gains * own / (POWER * own.square()).sum(dim=1, keepdim=True).sqrt()
    return gains


def band_filtered(images: Tensor, gains: Tensor) -> Tensor:
    """Images `[N, C, H, W]` with their bands amplified by `[N, 4]`, in both directions."""
    own = numbers((gains != 1).any(dim=1))
    taps = gains @ _bands()
    return changed(images, [own] if len(own) else [], lambda some, which: _filtered(some, taps[which]))


def _filtered(images: Tensor, taps: Tensor) -> Tensor:
    """Each image filtered with its own symmetric taps `[N, length]` along both axes."""
    count, channels, height, width = images.shape
    length = taps.shape[1]
    x = reflected(images, [length // 2] * 4).reshape(1, count * channels, height + length - 1, width + length - 1)
    weight = sent(taps, images).repeat_interleave(channels, dim=0)
    x = F.conv2d(x, weight[:, None, None, :], groups=count * channels)
    x = F.conv2d(x, weight[:, None, :, None], groups=count * channels)
    return x.view(count, channels, height, width)


@functools.lru_cache(maxsize=1)
def _bands() -> Tensor:
    return band_filters(SYM2, NUM_BANDS)

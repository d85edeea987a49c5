"""Noise, and rectangles cut out."""

from __future__ import annotations

import torch
from torch import Tensor

from crowdgan_stylegan3.training.augment.augment_config import AugmentSettings
from crowdgan_stylegan3.training.augment.draws import Draws, sent


def noisy(images: Tensor, settings: AugmentSettings, draws: Draws) -> Tensor:
    """Images `[N, C, H, W]` with white noise, whose standard deviation each image draws."""
    std = draws.applied(draws.half_normal(settings.noise_std), settings.noise, 0)
    if not std.any():
        return images
    generator = draws.on_device(images.device)
    noise = torch.randn(images.shape, generator=generator, dtype=images.dtype, device=images.device)
    return images + noise * sent(std[:, None, None, None], images)


def cut_out(images: Tensor, settings: AugmentSettings, draws: Draws) -> Tensor:
    """Images `[N, C, H, W]` with a rectangle of zeros, whose middle is anywhere in the image."""
    middle = draws.uniform(2)
    size = torch.full((draws.count,), settings.cutout_size, dtype=torch.float64)
    size = draws.applied(size, settings.cutout, 0)
    if not size.any():
        return images
    kept_x = _is_outside(images.shape[3], middle[:, 0], size)
    kept_y = _is_outside(images.shape[2], middle[:, 1], size)
    return images * (sent(kept_x, images)[:, None, None, :] | sent(kept_y, images)[:, None, :, None])


def _is_outside(count: int, middle: Tensor, size: Tensor) -> Tensor:
    """Whether samples along a side lie outside of an interval, both in shares of the side: `[N, count]`."""
    places = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return (places - middle[:, None]).abs() >= size[:, None] / 2

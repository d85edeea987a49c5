"""Random noise and cutout."""

from __future__ import annotations

import torch
from torch import Tensor

from crowdgan_stylegan3.training.augment.augment_config import AugmentConfig
from crowdgan_stylegan3.training.augment.draws import Draws, copy_to_device


def add_noise(images: Tensor, config: AugmentConfig, draws: Draws) -> Tensor:
    """Images `[N, C, H, W]` with white noise of a random standard deviation per image."""
    std = draws.apply_randomly(draws.half_normal(config.noise_std), config.noise, 0)
    if not std.any():
        return images
    generator = draws.device_generator(images.device)
    noise = torch.randn(images.shape, generator=generator, dtype=images.dtype, device=images.device)
    return images + noise * copy_to_device(std[:, None, None, None], images)


def apply_cutout(images: Tensor, config: AugmentConfig, draws: Draws) -> Tensor:
    """Images `[N, C, H, W]` with a rectangle of zeros at a random position."""
    centre = draws.uniform(2)
    size = torch.full((draws.count,), config.cutout_size, dtype=torch.float64)
    size = draws.apply_randomly(size, config.cutout, 0)
    if not size.any():
        return images
    outside_x = _is_outside(images.shape[3], centre[:, 0], size)
    outside_y = _is_outside(images.shape[2], centre[:, 1], size)
    return images * (
        copy_to_device(outside_x, images)[:, None, None, :] | copy_to_device(outside_y, images)[:, None, :, None]
    )


def _is_outside(count: int, centre: Tensor, size: Tensor) -> Tensor:
    """Whether samples along an axis lie outside an interval, in fractions of the image side; `[N, count]`."""
    positions = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return (positions - centre[:, None]).abs() >= size[:, None] / 2

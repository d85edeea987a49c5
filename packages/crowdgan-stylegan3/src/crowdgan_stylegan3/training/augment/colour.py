"""Random colour transformations, as affine maps of the colour space."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from crowdgan_stylegan3.training.augment.augment_config import AugmentConfig
from crowdgan_stylegan3.training.augment.draws import Draws, copy_to_device

GREY = torch.full((3,), 1 / math.sqrt(3), dtype=torch.float64)
"""Unit vector of the grey axis."""
ALONG_GREY = torch.outer(GREY, GREY)
"""Projection onto the grey axis."""
ABOUT_GREY = torch.linalg.cross(GREY.expand(3, 3), torch.eye(3, dtype=torch.float64)).T
"""Matrix of the cross product with the grey axis."""
EYE = torch.eye(3, dtype=torch.float64)


def colour_matrices(config: AugmentConfig, draws: Draws) -> Tensor:
    """One random affine map of (red, green, blue, 1) per image, `[N, 4, 4]`; brightness first, saturation last."""
    return functools.reduce(lambda product, step: step @ product, _steps(config, draws))


def transform_colours(images: Tensor, maps: Tensor) -> Tensor:
    """Images `[N, 1 or 3, H, W]` with colours transformed by `[N, 4, 4]`.

    A grey image is treated as three equal channels; the result is the mean of the transformed channels.
    """
    if torch.equal(maps, torch.eye(4, dtype=maps.dtype).expand_as(maps)):
        return images
    linear, offset = maps[:, :3, :3], maps[:, :3, 3:]
    if images.shape[1] == 1:
        linear, offset = linear.sum(dim=2, keepdim=True).mean(dim=1, keepdim=True), offset.mean(dim=1, keepdim=True)
    return torch.baddbmm(copy_to_device(offset, images), copy_to_device(linear, images), images.flatten(2)).view(
        images.shape
    )


def _steps(config: AugmentConfig, draws: Draws) -> Iterator[Tensor]:
    """Yields maps of brightness, contrast, luma flip, hue and saturation."""
    offset = draws.apply_randomly(draws.normal(config.brightness_std), config.brightness, 0)
    yield _affine(EYE.expand(draws.count, 3, 3), offset)
    factor = draws.apply_randomly(draws.factor(config.contrast_std), config.contrast, 1)
    yield _affine(factor[:, None, None] * EYE)
    is_flipped = draws.apply_randomly(draws.integers_below(2), config.lumaflip, 0)
    yield _affine(EYE - 2 * is_flipped[:, None, None] * ALONG_GREY)
    angle = draws.apply_randomly(draws.symmetric() * (config.hue_max * math.pi), config.hue, 0)[:, None, None]
    yield _affine(ALONG_GREY + angle.cos() * (EYE - ALONG_GREY) + angle.sin() * ABOUT_GREY)
    factor = draws.apply_randomly(draws.factor(config.saturation_std), config.saturation, 1)
    yield _affine(ALONG_GREY + factor[:, None, None] * (EYE - ALONG_GREY))


def _affine(linear: Tensor, offset: Tensor | None = None) -> Tensor:
    """Affine maps `[N, 4, 4]` from linear maps `[N, 3, 3]` and offsets `[N]` of all channels."""
    maps = torch.eye(4, dtype=torch.float64).repeat(linear.shape[0], 1, 1)
    maps[:, :3, :3] = linear
    if offset is not None:
        maps[:, :3, 3] = offset[:, None]
    return maps

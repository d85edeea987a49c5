"""Changes of colour, as affine maps of the colour space."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from crowdgan_stylegan3.training.augment.augment_config import AugmentSettings
from crowdgan_stylegan3.training.augment.draws import Draws, sent

GREY = torch.full((3,), 1 / math.sqrt(3), dtype=torch.float64)
"""Unit vector along which red, green and blue are alike."""
ALONG_GREY = torch.outer(GREY, GREY)
"""The projection on it."""
ABOUT_GREY = torch.linalg.cross(GREY.expand(3, 3), torch.eye(3, dtype=torch.float64)).T
"""The cross product with it, as a matrix."""
EYE = torch.eye(3, dtype=torch.float64)


def recolourings(settings: AugmentSettings, draws: Draws) -> Tensor:
    """An affine map of (red, green, blue, 1) per image, `[N, 4, 4]`: brightness first, saturation last."""
    return functools.reduce(lambda done, step: step @ done, _steps(settings, draws))


def recoloured(images: Tensor, maps: Tensor) -> Tensor:
    """Images `[N, 1 or 3, H, W]` whose colours are mapped by `[N, 4, 4]`.

    A grey image counts as three equal channels, and the mean of what becomes of them is kept.
    """
    if torch.equal(maps, torch.eye(4, dtype=maps.dtype).expand_as(maps)):
        return images
    linear, added = maps[:, :3, :3], maps[:, :3, 3:]
    if images.shape[1] == 1:
        linear, added = linear.sum(dim=2, keepdim=True).mean(dim=1, keepdim=True), added.mean(dim=1, keepdim=True)
    return torch.baddbmm(sent(added, images), sent(linear, images), images.flatten(2)).view(images.shape)


def _steps(settings: AugmentSettings, draws: Draws) -> Iterator[Tensor]:
    """Brightness, contrast, light and dark exchanged, hue, saturation."""
    added = draws.applied(draws.normal(settings.brightness_std), settings.brightness, 0)
    yield _affine(EYE.expand(draws.count, 3, 3), added)
    factor = draws.applied(draws.factor(settings.contrast_std), settings.contrast, 1)
    yield _affine(factor[:, None, None] * EYE)
    flipped = draws.applied(draws.below(2), settings.lumaflip, 0)
    yield _affine(EYE - 2 * flipped[:, None, None] * ALONG_GREY)
    angle = draws.applied(draws.symmetric() * (settings.hue_max * math.pi), settings.hue, 0)[:, None, None]
    yield _affine(ALONG_GREY + angle.cos() * (EYE - ALONG_GREY) + angle.sin() * ABOUT_GREY)
    factor = draws.applied(draws.factor(settings.saturation_std), settings.saturation, 1)
    yield _affine(ALONG_GREY + factor[:, None, None] * (EYE - ALONG_GREY))


def _affine(linear: Tensor, added: Tensor | None = None) -> Tensor:
    """`[N, 4, 4]` of `[N, 3, 3]` and what is added to all channels, `[N]`."""
    maps = torch.eye(4, dtype=torch.float64).repeat(linear.shape[0], 1, 1)
    maps[:, :3, :3] = linear
    if added is not None:
        maps[:, :3, 3] = added[:, None]
    return maps

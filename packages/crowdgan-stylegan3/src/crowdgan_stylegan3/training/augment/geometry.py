"""Where images are moved to: matrices of blits and of general geometric transformations.

A matrix `[3, 3]` maps places in the moved image to places before the move, `(x, y, 1)` in pixels from the middle.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from crowdgan_stylegan3.training.augment.augment_config import AugmentSettings
from crowdgan_stylegan3.training.augment.draws import Draws


def moves(settings: AugmentSettings, draws: Draws, size: tuple[int, int]) -> Tensor:
    """A matrix per image, `[N, 3, 3]`: blits first, then general transformations.

    Args:
        settings: which transformations, and how strong.
        draws: the randomness.
        size: `(height, width)` of the images.
    """
    steps = [*_blits(settings, draws, size), *_transformations(settings, draws, size)]
    return functools.reduce(torch.matmul, steps)


def _blits(settings: AugmentSettings, draws: Draws, size: tuple[int, int]) -> Iterator[Tensor]:
    """Mirrored, turned by quarters, moved by whole pixels."""
    flipped = draws.applied(draws.below(2), settings.xflip, 0)
    yield _scaling(1 - 2 * flipped, torch.ones_like(flipped))
    quarters = draws.applied(draws.below(4), settings.rotate90, 0)
    yield _rotation(quarters * (math.pi / 2))
    shares = draws.applied(draws.symmetric(2) * settings.xint_max, settings.xint, 0)
    yield _translation(-(shares[:, 0] * size[1]).round(), -(shares[:, 1] * size[0]).round())


def _transformations(settings: AugmentSettings, draws: Draws, size: tuple[int, int]) -> Iterator[Tensor]:
    """Scaled, turned, stretched, turned again, moved. With a percentile it is turned once, as published."""
    factor = draws.applied(draws.factor(settings.scale_std), settings.scale, 1)
    yield _scaling(1 / factor, 1 / factor)
    yield _rotation(_angle(settings, draws))
    factor = draws.applied(draws.factor(settings.aniso_std), settings.aniso, 1)
    yield _scaling(1 / factor, factor)
    if draws.percentile is None:
        yield _rotation(_angle(settings, draws))
    shares = draws.applied(draws.normal(settings.xfrac_std, 2), settings.xfrac, 0)
    yield _translation(-shares[:, 0] * size[1], -shares[:, 1] * size[0])


def _angle(settings: AugmentSettings, draws: Draws) -> Tensor:
    """In radians; being turned before and after are so probable that with 1 - rotate · p neither happens."""
    return draws.applied(draws.symmetric() * (settings.rotate_max * math.pi), settings.rotate, 0, chances=2)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], dim=1))


def _rotation(angle: Tensor) -> Tensor:
    """Turned by an angle in radians, clockwise as seen, since y points down."""
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], dim=1).view(-1, 3, 3)


def _translation(x: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([one, zero, x, zero, one, y, zero, zero, one], dim=1).view(-1, 3, 3)

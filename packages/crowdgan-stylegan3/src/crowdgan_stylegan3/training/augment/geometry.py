"""Matrices of random geometric transformations: flips, rotations, scaling and translations.

A matrix `[3, 3]` maps points of the transformed image to points of the original, `(x, y, 1)` in pixels from the centre.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from crowdgan_stylegan3.training.augment.augment_config import AugmentConfig
from crowdgan_stylegan3.training.augment.draws import Draws


def geometric_transforms(config: AugmentConfig, draws: Draws, size: tuple[int, int]) -> Tensor:
    """One random matrix per image, `[N, 3, 3]`: pixel blitting first, then general transformations.

    Args:
        config: probabilities and strengths.
        draws: random draws.
        size: `(height, width)` of the images.
    """
    steps = [*_blits(config, draws, size), *_transformations(config, draws, size)]
    return functools.reduce(torch.matmul, steps)


def _blits(config: AugmentConfig, draws: Draws, size: tuple[int, int]) -> Iterator[Tensor]:
    """Yields matrices of horizontal flip, rotation by multiples of 90 degrees, and translation by whole pixels."""
    is_flipped = draws.apply_randomly(draws.integers_below(2), config.xflip, 0)
    yield _scaling(1 - 2 * is_flipped, torch.ones_like(is_flipped))
    quarter_turns = draws.apply_randomly(draws.integers_below(4), config.rotate90, 0)
    yield _rotation(quarter_turns * (math.pi / 2))
    fractions = draws.apply_randomly(draws.symmetric(2) * config.xint_max, config.xint, 0)
    yield _translation(-(fractions[:, 0] * size[1]).round(), -(fractions[:, 1] * size[0]).round())


def _transformations(config: AugmentConfig, draws: Draws, size: tuple[int, int]) -> Iterator[Tensor]:
    """Yields matrices of scaling, rotation, anisotropic scaling, a second rotation, and translation.

    With a percentile there is no second rotation, as in the published code.
    """
    factor = draws.apply_randomly(draws.factor(config.scale_std), config.scale, 1)
    yield _scaling(1 / factor, 1 / factor)
    yield _rotation(_angle(config, draws))
    factor = draws.apply_randomly(draws.factor(config.aniso_std), config.aniso, 1)
    yield _scaling(1 / factor, factor)
    if draws.percentile is None:
        yield _rotation(_angle(config, draws))
    fractions = draws.apply_randomly(draws.normal(config.xfrac_std, 2), config.xfrac, 0)
    yield _translation(-fractions[:, 0] * size[1], -fractions[:, 1] * size[0])


def _angle(config: AugmentConfig, draws: Draws) -> Tensor:
    """Rotation angle in radians; two rotations together are applied with probability rotate · p."""
    return draws.apply_randomly(draws.symmetric() * (config.rotate_max * math.pi), config.rotate, 0, num_chances=2)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], dim=1))


def _rotation(angle: Tensor) -> Tensor:
    """Rotation by an angle in radians, clockwise in the image, since y points down."""
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], dim=1).view(-1, 3, 3)


def _translation(x: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([one, zero, x, zero, one, y, zero, zero, one], dim=1).view(-1, 3, 3)

"""Random draws of augmentations: their distributions, and those of the transforms."""

from __future__ import annotations

import math

import pytest
import torch

from crowdgan_stylegan3.training.augment import AugmentConfig
from crowdgan_stylegan3.training.augment.draws import Draws, copy_to_device
from crowdgan_stylegan3.training.augment.geometry import geometric_transforms

COUNT = 20000
"""Number of images."""

ERFINV_HALF = 0.4769362762044699
"""Inverse error function at 0.5."""


def create_draws(p: float = 1.0, percentile: float | None = None) -> Draws:
    """Draws for `COUNT` images from a fixed seed."""
    return Draws(count=COUNT, p=p, generator=torch.Generator().manual_seed(0), percentile=percentile)


def test_draws_have_the_documented_distributions() -> None:
    draws = create_draws()
    assert draws.uniform(2).shape == (COUNT, 2)
    assert draws.uniform().mean() == pytest.approx(0.5, abs=0.01)
    assert draws.symmetric().abs().mean() == pytest.approx(0.5, abs=0.01)
    assert draws.integers_below(4).unique().tolist() == [0, 1, 2, 3]
    assert draws.integers_below(4).mean() == pytest.approx(1.5, abs=0.05)
    assert draws.normal(0.3).std() == pytest.approx(0.3, rel=0.03)
    assert draws.normal(0.3).mean() == pytest.approx(0, abs=0.01)
    assert draws.half_normal(0.3).square().mean().sqrt() == pytest.approx(0.3, rel=0.03)
    assert draws.half_normal(0.3).min() >= 0
    assert draws.factor(0.2).log2().std() == pytest.approx(0.2, rel=0.03)
    assert draws.factor(0.2).median() == pytest.approx(1, rel=0.01)


def test_percentiles_equal_the_published_code() -> None:
    draws = create_draws(percentile=0.75)
    assert draws.uniform().unique().tolist() == [0.75]
    assert draws.symmetric().unique().tolist() == [0.5]
    assert draws.integers_below(4).unique().tolist() == [3]
    assert draws.normal(2.0).unique().item() == pytest.approx(2 * ERFINV_HALF)
    assert draws.factor(1.0).unique().item() == pytest.approx(2**ERFINV_HALF)


@pytest.mark.parametrize(("multiplier", "p", "expected"), [(1, 0.3, 0.3), (0.5, 0.6, 0.3), (3, 0.5, 1), (0, 1, 0)])
@pytest.mark.parametrize("num_chances", [1, 2])
def test_several_chances_together_have_the_configured_probability(
    multiplier: float, p: float, expected: float, num_chances: int
) -> None:
    draws = create_draws(p)
    outcomes = [
        draws.apply_randomly(torch.ones(COUNT), multiplier, 0, num_chances=num_chances) for _ in range(num_chances)
    ]
    assert torch.stack(outcomes).amax(dim=0).mean() == pytest.approx(expected, abs=0.015)


def test_transforms_have_the_strengths_of_the_config() -> None:
    size = (100, 200)
    scalings = geometric_transforms(AugmentConfig(scale=1), create_draws(), size)
    assert scalings[:, 0, 0].log2().std() == pytest.approx(0.2, rel=0.03)
    assert torch.equal(scalings[:, 0, 0], scalings[:, 1, 1])
    anisotropic = geometric_transforms(AugmentConfig(aniso=1), create_draws(), size)
    torch.testing.assert_close(torch.linalg.det(anisotropic), torch.ones(COUNT, dtype=torch.float64))
    assert anisotropic[:, 0, 0].log2().std() == pytest.approx(0.2, rel=0.03)
    translations = geometric_transforms(AugmentConfig(xfrac=1), create_draws(), size)[:, :2, 2]
    assert translations.std(dim=0).tolist() == pytest.approx([25, 12.5], rel=0.03)
    translations = geometric_transforms(AugmentConfig(xint=1), create_draws(), size)[:, :2, 2]
    assert torch.equal(translations, translations.round())
    assert translations.abs().amax(dim=0).tolist() == [25, 12]
    rotations = geometric_transforms(AugmentConfig(rotate=1, rotate_max=0.25), create_draws(0.36), size)
    angle = torch.atan2(rotations[:, 1, 0], rotations[:, 0, 0])
    assert (angle == 0).double().mean() == pytest.approx(0.64, abs=0.015)
    assert angle.abs().max() == pytest.approx(math.pi / 2, rel=0.1)  # two rotations by 45 degrees
    nonzero_angles = angle[angle.abs() > 0].abs()
    assert (nonzero_angles < math.pi / 4).double().mean() > 0.85


def test_only_floats_are_converted_to_the_dtype_of_the_images() -> None:
    images = torch.zeros(1, dtype=torch.float32)
    assert copy_to_device(torch.ones(2, dtype=torch.float64), images).dtype == torch.float32
    assert copy_to_device(torch.ones(2, dtype=torch.int64), images).dtype == torch.int64
    assert copy_to_device(torch.ones(2, dtype=torch.bool), images).dtype == torch.bool

"""The random draws of augmentations: their distributions, and what matrices are made of them."""

from __future__ import annotations

import math

import pytest
import torch

from crowdgan_stylegan3.training.augment import AugmentConfig
from crowdgan_stylegan3.training.augment.draws import Draws, copy_to_device
from crowdgan_stylegan3.training.augment.geometry import geometric_transforms

COUNT = 20000

ERFINV_HALF = 0.4769362762044699


def draws(p: float = 1.0, percentile: float | None = None) -> Draws:
    return Draws(count=COUNT, p=p, generator=torch.Generator().manual_seed(0), percentile=percentile)


def test_draws_have_their_distributions() -> None:
    own = draws()
    assert own.uniform(2).shape == (COUNT, 2)
    assert own.uniform().mean() == pytest.approx(0.5, abs=0.01)
    assert own.symmetric().abs().mean() == pytest.approx(0.5, abs=0.01)
    assert own.integers_below(4).unique().tolist() == [0, 1, 2, 3]
    assert own.integers_below(4).mean() == pytest.approx(1.5, abs=0.05)
    assert own.normal(0.3).std() == pytest.approx(0.3, rel=0.03)
    assert own.normal(0.3).mean() == pytest.approx(0, abs=0.01)
    assert own.half_normal(0.3).square().mean().sqrt() == pytest.approx(0.3, rel=0.03)
    assert own.half_normal(0.3).min() >= 0
    assert own.factor(0.2).log2().std() == pytest.approx(0.2, rel=0.03)
    assert own.factor(0.2).median() == pytest.approx(1, rel=0.01)


def test_percentiles_are_the_published_ones() -> None:
    own = draws(percentile=0.75)
    assert own.uniform().unique().tolist() == [0.75]
    assert own.symmetric().unique().tolist() == [0.5]
    assert own.integers_below(4).unique().tolist() == [3]
    assert own.normal(2.0).unique().item() == pytest.approx(2 * ERFINV_HALF)
    assert own.factor(1.0).unique().item() == pytest.approx(2**ERFINV_HALF)


@pytest.mark.parametrize(("multiplier", "p", "expected"), [(1, 0.3, 0.3), (0.5, 0.6, 0.3), (3, 0.5, 1), (0, 1, 0)])
@pytest.mark.parametrize("num_chances", [1, 2])
def test_several_chances_have_the_probability_of_one(
    multiplier: float, p: float, expected: float, num_chances: int
) -> None:
    own = draws(p)
    tries = [own.apply_randomly(torch.ones(COUNT), multiplier, 0, num_chances=num_chances) for _ in range(num_chances)]
    assert torch.stack(tries).amax(dim=0).mean() == pytest.approx(expected, abs=0.015)


def test_transforms_have_the_strengths_of_the_config() -> None:
    size = (100, 200)
    scaled = geometric_transforms(AugmentConfig(scale=1), draws(), size)
    assert scaled[:, 0, 0].log2().std() == pytest.approx(0.2, rel=0.03)
    assert torch.equal(scaled[:, 0, 0], scaled[:, 1, 1])
    stretched = geometric_transforms(AugmentConfig(aniso=1), draws(), size)
    torch.testing.assert_close(torch.linalg.det(stretched), torch.ones(COUNT, dtype=torch.float64))
    assert stretched[:, 0, 0].log2().std() == pytest.approx(0.2, rel=0.03)
    shifted = geometric_transforms(AugmentConfig(xfrac=1), draws(), size)[:, :2, 2]
    assert shifted.std(dim=0).tolist() == pytest.approx([25, 12.5], rel=0.03)
    shifted = geometric_transforms(AugmentConfig(xint=1), draws(), size)[:, :2, 2]
    assert torch.equal(shifted, shifted.round())
    assert shifted.abs().amax(dim=0).tolist() == [25, 12]
    turned = geometric_transforms(AugmentConfig(rotate=1, rotate_max=0.25), draws(0.36), size)
    angle = torch.atan2(turned[:, 1, 0], turned[:, 0, 0])
    assert (angle == 0).double().mean() == pytest.approx(0.64, abs=0.015)
    assert angle.abs().max() == pytest.approx(math.pi / 2, rel=0.1)  # an eighth of a turn, twice
    once = angle[angle.abs() > 0].abs()
    assert (once < math.pi / 4).double().mean() > 0.85


def test_what_is_sent_to_images_takes_their_type() -> None:
    images = torch.zeros(1, dtype=torch.float32)
    assert copy_to_device(torch.ones(2, dtype=torch.float64), images).dtype == torch.float32
    assert copy_to_device(torch.ones(2, dtype=torch.int64), images).dtype == torch.int64
    assert copy_to_device(torch.ones(2, dtype=torch.bool), images).dtype == torch.bool

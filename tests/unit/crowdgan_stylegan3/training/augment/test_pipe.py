"""Arguments, invariants and gradients of the augmentation pipeline."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.training.augment import AugmentConfig, AugmentPipe, augment_preset
from crowdgan_stylegan3.training.augment.sampling import sample, spread, spread_in_order

EVERYTHING = augment_preset("bgcfnc")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"xflip": -1}, "xflip is -1; it must be a number at least 0"),
        ({"scale": float("nan")}, "scale is nan; it must be a number at least 0"),
        ({"noise_std": float("inf")}, "noise_std is inf; it must be a number at least 0"),
        ({"cutout": "yes"}, "cutout is 'yes'; it must be a number at least 0"),
        ({"rotate_max": 1.5}, "rotate_max is 1.5; it must be a number from 0 to 1"),
        ({"cutout_size": -0.1}, "cutout_size is -0.1; it must be a number from 0 to 1"),
        ({"imgfilter_bands": [1, 1]}, r"imgfilter_bands is \[1, 1\]; it must be 4 numbers"),
        ({"imgfilter_bands": 1.0}, "imgfilter_bands is 1.0; it must be 4 numbers"),
        ({"imgfilter_bands": [1, 1, -2, 1]}, "a value of imgfilter_bands is -2; it must be a number at least 0"),
    ],
)
def test_settings_out_of_their_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AugmentPipe(**options)


def test_an_unknown_augmentation_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'blur'"):
        AugmentPipe(blur=1)


def test_settings_are_frozen_and_can_be_changed_by_name() -> None:
    pipe = AugmentPipe(EVERYTHING, noise=0, imgfilter_bands=[1, 0, 0, 1])
    assert pipe.config.noise == 0
    assert pipe.config.cutout == 1
    assert pipe.config.imgfilter_bands == (1, 0, 0, 1)
    assert EVERYTHING.noise == 1
    assert AugmentPipe().config == AugmentConfig()
    with pytest.raises(FrozenInstanceError):
        pipe.config.noise = 1  # type: ignore[misc]


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_probability_out_of_range_is_refused(p: float) -> None:
    pipe = AugmentPipe()
    with pytest.raises(ConfigError, match=f"p of the augmentation is {p}; it must lie between 0 and 1"):
        pipe.p = p
    assert pipe.p == 1


def test_the_probability_is_in_the_state() -> None:
    pipe, other = AugmentPipe(xflip=1), AugmentPipe(xflip=1)
    pipe.p = 0.123456789
    other.load_state_dict(pipe.state_dict())
    assert other.p == 0.123456789
    assert all(isinstance(item, Tensor) for item in pipe.state_dict().values())


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 16, 16), "images are torch.float32 of shape [3, 16, 16]; they must be"),
        (torch.zeros(1, 4, 16, 16), "of shape [1, 4, 16, 16]; they must be float32 or float64 [N, 1 or 3, H, W]"),
        (torch.zeros(1, 3, 16, 1), "of shape [1, 3, 16, 1]; they must be"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), "images are torch.uint8 of shape"),
    ],
)
def test_what_is_no_image_is_refused(images: Tensor, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        AugmentPipe(xflip=1)(images)


@pytest.mark.parametrize("percentile", [0.0, 1.0, float("nan")])
def test_a_percentile_without_a_value_is_refused(percentile: float) -> None:
    with pytest.raises(ConfigError, match=f"debug_percentile is {percentile}; it must be above 0 and below 1"):
        AugmentPipe(scale=1)(torch.zeros(1, 3, 16, 16), percentile)


def test_a_generator_of_another_device_is_refused() -> None:
    class OnGpu(torch.Generator):
        device = torch.device("cuda")

    with pytest.raises(ConfigError, match="the generator is on cuda; it must be on the cpu"):
        AugmentPipe(scale=1)(torch.zeros(1, 3, 16, 16), generator=OnGpu())


@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_of_both_orders_are_right(channels: int) -> None:
    images = torch.rand(2, channels, 6, 5, dtype=torch.float64, requires_grad=True)

    def augmented(x: Tensor) -> Tensor:
        y: Tensor = AugmentPipe(EVERYTHING)(x, generator=seeded(1))
        return y

    assert torch.autograd.gradcheck(augmented, images)
    assert torch.autograd.gradgradcheck(lambda x: augmented(x).pow(3), images)


def test_the_penalty_of_augmented_images_has_gradients(ops_implementation: str) -> None:
    """R1: the squared gradient of a discriminator to images, through the augmentation, to its weights."""
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(3, 4, 3)
    images = torch.rand(3, 3, 16, 16, requires_grad=True)

    def penalty(move: Tensor | float = 0.0) -> Tensor:
        y = AugmentPipe(EVERYTHING)(images, generator=seeded(2))
        logits = F.conv2d(y, layer.weight + move, layer.bias).tanh().sum()
        (gradient,) = torch.autograd.grad(logits, images, create_graph=True)
        return gradient.square().sum()

    (slope,) = torch.autograd.grad(penalty(), layer.weight)
    step = 1e-3 * slope / slope.norm()
    difference = (penalty(step) - penalty(-step)).item() / 2e-3
    assert difference == pytest.approx(slope.norm().item(), rel=1e-2)


def places(count: int = 2, height: int = 7, width: int = 6) -> Tensor:
    return torch.rand(count, height, width, 2, dtype=torch.float64) * 2.6 - 1.3  # some outside


def test_samples_and_their_gradients_of_all_orders_are_those_of_pytorch() -> None:
    images = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    grid = places()
    assert torch.equal(sample(images, grid), F.grid_sample(images, grid, align_corners=False))
    values = torch.randn(2, 3, 7, 6, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(F.grid_sample(images, grid, align_corners=False), images, values)
    torch.testing.assert_close(spread(values, grid, 5, 4), expected)
    torch.testing.assert_close(spread_in_order(values, grid, 5, 4), expected)
    assert torch.autograd.gradcheck(lambda x: sample(x, grid), images)
    assert torch.autograd.gradcheck(lambda v: spread(v, grid, 5, 4), values)
    assert torch.autograd.gradgradcheck(lambda x: sample(x, grid).pow(3), images)


def test_the_samples_are_operators_that_pytorch_knows_all_about() -> None:
    images = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    values = torch.randn(2, 3, 7, 6, dtype=torch.float64, requires_grad=True)
    torch.library.opcheck(sample, (images, places()))
    torch.library.opcheck(spread, (values, places(), 5, 4))

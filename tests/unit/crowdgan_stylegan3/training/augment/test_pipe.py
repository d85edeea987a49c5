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

ALL_AUGMENTATIONS = augment_preset("bgcfnc")


def seeded_generator(seed: int = 0) -> torch.Generator:
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
def test_config_values_out_of_range_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AugmentPipe(**options)


def test_an_unknown_augmentation_is_an_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'blur'"):
        AugmentPipe(blur=1)


def test_the_config_is_immutable_and_has_the_changes() -> None:
    pipe = AugmentPipe(ALL_AUGMENTATIONS, noise=0, imgfilter_bands=[1, 0, 0, 1])
    assert pipe.config.noise == 0
    assert pipe.config.cutout == 1
    assert pipe.config.imgfilter_bands == (1, 0, 0, 1)
    assert ALL_AUGMENTATIONS.noise == 1
    assert AugmentPipe().config == AugmentConfig()
    with pytest.raises(FrozenInstanceError):
        pipe.config.noise = 1  # type: ignore[misc]


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_probability_out_of_range_is_an_error(p: float) -> None:
    pipe = AugmentPipe()
    with pytest.raises(ConfigError, match=f"p of the augmentation is {p}; it must lie between 0 and 1"):
        pipe.p = p
    assert pipe.p == 1


def test_the_state_dict_contains_the_probability() -> None:
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
def test_invalid_images_are_errors(images: Tensor, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        AugmentPipe(xflip=1)(images)


@pytest.mark.parametrize("percentile", [0.0, 1.0, float("nan")])
def test_a_percentile_out_of_range_is_an_error(percentile: float) -> None:
    with pytest.raises(ConfigError, match=f"debug_percentile is {percentile}; it must be above 0 and below 1"):
        AugmentPipe(scale=1)(torch.zeros(1, 3, 16, 16), percentile)


def test_a_generator_on_another_device_is_an_error() -> None:
    class OnGpu(torch.Generator):
        device = torch.device("cuda")

    with pytest.raises(ConfigError, match="the generator is on cuda; it must be on the cpu"):
        AugmentPipe(scale=1)(torch.zeros(1, 3, 16, 16), generator=OnGpu())


@pytest.mark.parametrize("channels", [1, 3])
def test_first_and_second_gradients_pass_gradcheck(channels: int) -> None:
    images = torch.rand(2, channels, 6, 5, dtype=torch.float64, requires_grad=True)

    def augment(x: Tensor) -> Tensor:
        y: Tensor = AugmentPipe(ALL_AUGMENTATIONS)(x, generator=seeded_generator(1))
        return y

    assert torch.autograd.gradcheck(augment, images)
    assert torch.autograd.gradgradcheck(lambda x: augment(x).pow(3), images, fast_mode=True)


def test_the_r1_penalty_of_augmented_images_has_correct_gradients(ops_implementation: str) -> None:
    """The gradient of the R1 penalty with respect to the weights equals a finite difference."""
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(3, 4, 3)
    images = torch.rand(3, 3, 16, 16, requires_grad=True)

    def penalty(offset: Tensor | float = 0.0) -> Tensor:
        y = AugmentPipe(ALL_AUGMENTATIONS)(images, generator=seeded_generator(2))
        logits = F.conv2d(y, layer.weight + offset, layer.bias).tanh().sum()
        (gradient,) = torch.autograd.grad(logits, images, create_graph=True)
        return gradient.square().sum()

    (gradient_of_penalty,) = torch.autograd.grad(penalty(), layer.weight)
    step = 1e-3 * gradient_of_penalty / gradient_of_penalty.norm()
    difference = (penalty(step) - penalty(-step)).item() / 2e-3
    assert difference == pytest.approx(gradient_of_penalty.norm().item(), rel=1e-2)


def random_grid(count: int = 2, height: int = 7, width: int = 6) -> Tensor:
    return torch.rand(count, height, width, 2, dtype=torch.float64) * 2.6 - 1.3  # some points are outside the image


def test_samples_and_their_gradients_equal_those_of_pytorch() -> None:
    images = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    grid = random_grid()
    assert torch.equal(sample(images, grid), F.grid_sample(images, grid, align_corners=False))
    values = torch.randn(2, 3, 7, 6, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(F.grid_sample(images, grid, align_corners=False), images, values)
    torch.testing.assert_close(spread(values, grid, 5, 4), expected)
    torch.testing.assert_close(spread_in_order(values, grid, 5, 4), expected)
    assert torch.autograd.gradcheck(lambda x: sample(x, grid), images)
    assert torch.autograd.gradcheck(lambda v: spread(v, grid, 5, 4), values)
    assert torch.autograd.gradgradcheck(lambda x: sample(x, grid).pow(3), images)


def test_sampling_operators_pass_the_checks_of_torch_library() -> None:
    images = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    values = torch.randn(2, 3, 7, 6, dtype=torch.float64, requires_grad=True)
    torch.library.opcheck(sample.registered, (images, random_grid()))
    torch.library.opcheck(spread.registered, (values, random_grid(), 5, 4))

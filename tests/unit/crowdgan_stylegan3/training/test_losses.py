"""Losses, compared with closed-form values."""

from __future__ import annotations

import math

import pytest
import torch

from crowdgan_stylegan3.training.losses import (
    combine_heads,
    gaussian_blur,
    gradient_penalty,
    logistic_loss_fake,
    logistic_loss_real,
    mix_styles,
    path_lengths,
)


def test_logistic_losses_are_logarithms_of_probabilities() -> None:
    logits = torch.tensor([[-3.0], [0.0], [2.0]], dtype=torch.float64)
    assert torch.allclose(logistic_loss_real(logits), -torch.log(torch.sigmoid(logits)))
    assert torch.allclose(logistic_loss_fake(logits), -torch.log(1 - torch.sigmoid(logits)))


def test_r1_of_a_linear_discriminator_is_the_squared_norm_of_the_weights() -> None:
    weights = torch.randn(3, 4, 4)
    images = torch.randn(5, 3, 4, 4, requires_grad=True)
    logits = (images * weights).sum(dim=(1, 2, 3))[:, None]
    assert torch.allclose(gradient_penalty(logits, images), weights.square().sum().expand(5), rtol=1e-5)


def test_r1_has_gradients_with_respect_to_the_weights() -> None:
    weight = torch.tensor(2.0, requires_grad=True)
    images = torch.ones(1, 1, 2, 2, requires_grad=True)
    penalty = gradient_penalty((weight * images.square()).sum(dim=(1, 2, 3))[:, None], images)
    assert penalty.item() == pytest.approx(4 * 4**2)
    (gradient,) = torch.autograd.grad(penalty.sum(), weight)  # the penalty is 4 · (2 · weight)²
    assert gradient.item() == pytest.approx(32 * 2.0)


def test_path_lengths_of_a_linear_generator_are_norms_of_its_transposed_map() -> None:
    ws = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    matrix, noise = torch.randn(5 * 5, 4, dtype=torch.float64), torch.randn(2, 1, 5, 5, dtype=torch.float64)
    images = (ws.sum(dim=1) @ matrix.t()).reshape(2, 1, 5, 5)
    gradient = noise.reshape(2, 25) @ matrix / 5  # divided by the root of the number of pixels
    assert torch.allclose(path_lengths(images, ws, noise), gradient.norm(dim=1))


def test_styles_change_at_the_crossover_layer_of_each_image() -> None:
    first, second = torch.zeros(3, 4, 2), torch.ones(3, 4, 2)
    mixed = mix_styles(first, second, torch.tensor([1, 3, 4]))
    assert mixed[:, :, 0].tolist() == [[0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_the_blur_is_a_gaussian_of_the_given_sigma() -> None:
    impulse = torch.zeros(1, 1, 65, 65)
    impulse[..., 32, 32] = 1
    blur = gaussian_blur(impulse, 4.0)[0, 0]
    positions = torch.arange(65.0) - 32
    assert blur.sum().item() == pytest.approx(1, abs=1e-4)
    assert math.sqrt((blur.sum(dim=0) * positions.square()).sum().item()) == pytest.approx(4, rel=0.03)  # cut off at 3σ
    assert torch.allclose(blur, blur.t(), atol=1e-7)


def test_a_blur_below_a_third_of_a_pixel_returns_the_images() -> None:
    images = torch.randn(1, 3, 8, 8)
    assert gaussian_blur(images, 0.3) is images
    assert gaussian_blur(images, 0.0) is images


def test_two_heads_are_weighted_by_the_influence_of_the_labels() -> None:
    values = torch.tensor([[1.0, 10.0], [2.0, 20.0]])
    assert combine_heads(values, 0.5).tolist() == [[10.5], [21]]
    assert torch.equal(combine_heads(values[:, :1], 0.5), values[:, :1])

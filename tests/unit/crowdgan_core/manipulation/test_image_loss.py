"""The loss between images at several resolutions, its gradient, and similarity of images."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.manipulation.image_loss import PyramidLoss, pyramid, to_float_images
from crowdgan_core.manipulation.similarity import psnr, ssim


def random_images(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, height, width, 3)).astype(np.float32)


@pytest.mark.parametrize(("height", "width", "levels"), [(32, 32, 3), (33, 47, 3), (16, 64, 2), (9, 9, 1)])
def test_gradients_equal_numeric_derivatives(height: int, width: int, levels: int) -> None:
    images, targets = random_images(2, height, width), random_images(2, height, width, seed=1)
    loss = PyramidLoss(targets)
    values, gradients = loss(images)
    assert len(pyramid(images)) == levels
    direction = random_images(2, height, width, seed=2)
    step = 1e-3
    ahead, behind = (loss(images + np.float32(sign * step) * direction)[0] for sign in (1, -1))
    numeric = (ahead - behind) / (2 * step)
    assert values.shape == (2,)
    assert np.sum(gradients * direction, axis=(1, 2, 3)) == pytest.approx(numeric, rel=0.02, abs=2e-4)


def test_the_loss_of_a_constant_difference_is_its_square() -> None:
    images = np.zeros((1, 32, 32, 3), np.float32)
    values, gradients = PyramidLoss(images)(images + np.float32(0.5))
    assert values == pytest.approx([0.25])
    assert gradients == pytest.approx(np.full_like(images, 2 * 0.5 / images.size))
    assert PyramidLoss(images)(images)[0] == pytest.approx([0])


def test_the_loss_of_edges_counts_horizontal_and_vertical_differences() -> None:
    targets = np.zeros((1, 8, 8, 3), np.float32)
    images = targets.copy()
    images[:, :, 4:] = 1  # one vertical edge: 8 of 56 horizontal differences
    assert PyramidLoss(targets)(images)[0] == pytest.approx([0.5 + 0.5 / 7])


def test_black_is_minus_one_and_white_is_one() -> None:
    assert to_float_images(np.array([[[[0, 255, 255]]]], np.uint8)).ravel().tolist() == [-1, 1, 1]


def test_psnr_of_a_known_error() -> None:
    image = np.full((16, 16, 3), 100, np.uint8)
    assert psnr(image + np.uint8(16), image) == pytest.approx(20 * np.log10(255 / 16))
    assert psnr(image, image) == float("inf")


def test_ssim_is_1_for_equal_images_and_falls_with_noise_and_inversion() -> None:
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    noisy = np.clip(image + rng.normal(0, 40, image.shape), 0, 255).astype(np.uint8)
    assert ssim(image, image) == pytest.approx(1)
    assert 0.2 < ssim(noisy, image) < 0.95
    assert ssim(255 - image, image) < 0
    flat, other = np.full((16, 16, 3), 50, np.uint8), np.full((16, 16, 3), 100, np.uint8)
    constant = (0.01 * 255) ** 2
    assert ssim(flat, other) == pytest.approx((2 * 50 * 100 + constant) / (50**2 + 100**2 + constant))
    assert 0 < ssim(noisy[:5, :7], image[:5, :7]) < 1

"""Loss between images and targets at several resolutions, with its gradient: pure functions on arrays."""

from __future__ import annotations

import numpy as np

from crowdgan_core.models.latent_generator import FloatImages
from crowdgan_core.utils.arrays import FloatArray, ImageArray

MIN_SIDE_PX = 8
"""Shorter side of the coarsest level of the pyramid, at least."""

EDGE_WEIGHT = 0.5
"""Weight of the differences of neighbouring pixels."""


class PyramidLoss:
    """Mean over the levels of a 2x average pyramid of squared differences, and of differences of image gradients.

    At each level, the loss is the mean squared difference of pixels plus `EDGE_WEIGHT` times the mean absolute
    difference of the horizontal and of the vertical derivative.

    Args:
        targets: `[num_images, height, width, 3]`, -1 to 1.
    """

    def __init__(self, targets: FloatImages) -> None:
        self._targets = targets

    def __call__(self, images: FloatImages) -> tuple[FloatArray, FloatImages]:
        """Loss of each image `[num_images]`, and the gradients `[num_images, height, width, 3]`."""
        levels = pyramid(images - self._targets)
        values = np.zeros(len(images))
        gradient: FloatImages = np.zeros_like(levels[-1])
        for level in reversed(levels):
            level_values, level_gradient = _level_loss(level)
            values += level_values / len(levels)
            gradient = level_gradient / np.float32(len(levels)) + _adjoint_average(gradient, level.shape)
        return values, gradient


def to_float_images(images: ImageArray) -> FloatImages:
    """Images uint8 `[num_images, height, width, 3]` as floats from -1 to 1."""
    return images.astype(np.float32) / 127.5 - 1


def pyramid(images: FloatImages) -> list[FloatImages]:
    """The images and their averages over blocks of 2x2 pixels, as long as sides are at least `MIN_SIDE_PX`.

    A last row or column of an odd side is dropped.
    """
    levels = [images]
    while min(levels[-1].shape[1:3]) // 2 >= MIN_SIDE_PX:
        height, width = (side // 2 * 2 for side in levels[-1].shape[1:3])
        x = levels[-1][:, :height, :width]
        levels.append((x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) * np.float32(0.25))
    return levels


def _level_loss(difference: FloatImages) -> tuple[FloatArray, FloatImages]:
    """Loss of each image at one level, and its gradient."""
    values = np.square(difference).mean(axis=(1, 2, 3), dtype=np.float64)
    gradient: FloatImages = np.float32(2 / difference[0].size) * difference
    for axis in (1, 2):
        edges = np.diff(difference, axis=axis)
        values += EDGE_WEIGHT * np.abs(edges).mean(axis=(1, 2, 3), dtype=np.float64)
        signs = np.float32(EDGE_WEIGHT / edges[0].size) * np.sign(edges)
        leading, trailing = (np.moveaxis(gradient, axis, 0)[part] for part in (slice(1, None), slice(None, -1)))
        leading += np.moveaxis(signs, axis, 0)
        trailing -= np.moveaxis(signs, axis, 0)
    return values, gradient


def _adjoint_average(gradient: FloatImages, shape: tuple[int, ...]) -> FloatImages:
    """Gradient with respect to a level `shape` of the pyramid, from that with respect to the next coarser level.

    The gradient of the coarsest level with respect to itself is returned unchanged.
    """
    if gradient.shape == shape:
        return gradient
    repeated = gradient.repeat(2, axis=1).repeat(2, axis=2) / np.float32(4)
    padding = [(0, side - actual) for side, actual in zip(shape, repeated.shape, strict=True)]
    return np.pad(repeated, padding)

"""3x3 convolutions in float32 on a CPU with a quarter of the multiplications: Winograd's algorithm F(4x4, 3x3).

A tile of 4x4 outputs of one channel needs 36 products per input channel instead of 144 (`native/winograd.cpp`, which
lists the sources). The gradient of the weight needs as few.
"""

from __future__ import annotations

import torch
from torch import Tensor

from crowdgan_stylegan3.ops.native import library
from crowdgan_stylegan3.ops.weight_cache import cache_per_weight

TILE_SIZE = 4
"""Side of an output tile in pixels."""

MIN_CHANNELS = 16
"""Minimum number of input and output channels for which Winograd is faster than direct convolution (measured)."""

MIN_TILES = 4
"""Minimum number of tiles of an image for which Winograd is faster (measured): the transformed weights are four times
as large. The number depends on one image only, so that an image does not depend on the batch size."""


def is_worthwhile(x: Tensor, weight: Tensor, padding: int) -> bool:
    """Whether Winograd is the faster way to convolve `x` `[N, C, H, W]` with `weight` `[K, C, 3, 3]`."""
    if weight.shape[2:] != (3, 3) or min(weight.shape[:2]) < MIN_CHANNELS or padding > 2:
        return False
    _, _, height, width = out_shape(x, weight, padding)
    return -(-height // TILE_SIZE) * -(-width // TILE_SIZE) >= MIN_TILES


def convolve(
    x: Tensor, weight: Tensor, padding: int, in_scale: Tensor | None = None, out_scale: Tensor | None = None
) -> Tensor:
    """The convolution `[N, K, H + 2·padding - 2, W + 2·padding - 2]`, channels last in memory.

    Args:
        x: `[N, C, H, W]`.
        weight: `[K, C, 3, 3]`.
        padding: zeros on each side.
        in_scale: `[N, C]`, factors of the input channels; None for no scaling.
        out_scale: `[N, K]`, factors of the output channels; None for no scaling.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    shape = out_shape(x, weight, padding)
    y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    return library.winograd_convolve(x, transform_weight(weight), padding, in_scale, out_scale, y)


def weight_gradient(x: Tensor, dy: Tensor, padding: int) -> Tensor:
    """Gradient `[K, C, 3, 3]` of the weight of `convolve`.

    Args:
        x: `[N, C, H, W]`.
        dy: gradient of the result, `[N, K, H + 2·padding - 2, W + 2·padding - 2]`.
        padding: zeros on each side of `x`.
    """
    x, dy = (image.contiguous(memory_format=torch.channels_last) for image in (x, dy))
    return library.winograd_weight_gradient(x, dy, padding)


def out_shape(x: Tensor, weight: Tensor, padding: int) -> tuple[int, int, int, int]:
    """Shape of the result of `convolve`."""
    return x.shape[0], weight.shape[0], x.shape[2] + 2 * padding - 2, x.shape[3] + 2 * padding - 2


transform_weight = cache_per_weight(library.winograd_transform_weight)

"""3x3 convolutions of float32 on a CPU with a quarter of the products: minimal filtering, F(4x4, 3x3).

A tile of 4x4 outputs of one channel needs 36 products per input channel in place of 144. They are done as 36 matrix
products over all tiles and channels, by PyTorch; the native library makes tiles of images and images of tiles
(`native/winograd.cpp`, with the sources). A few tile rows at a time, so that what lies between stays in the cache.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from crowdgan_stylegan3.ops.native import library
from crowdgan_stylegan3.ops.weight_cache import cache_per_weight

POINTS = (0.0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)
"""Where the polynomials are interpolated, besides infinity; as in winograd.cpp."""

OUT = 4
"""Side of a tile of outputs in pixels."""

CHUNK_FLOATS = 2**21
"""Floats of transformed input that are held at a time: 8 MiB."""

MIN_CHANNELS = 64
"""Channels in and out from which it is faster than direct convolution (measured)."""

MIN_TILES = 25
"""Tiles of an image from which it is faster (measured): the transformed weights are four times as many. It depends on
one image alone, so that an image is the same in every batch."""


def is_worthwhile(x: Tensor, weight: Tensor, padding: int) -> bool:
    """Whether a convolution of `x` `[N, C, H, W]` with `weight` `[K, C, 3, 3]` is faster this way."""
    if weight.shape[2:] != (3, 3) or min(weight.shape[:2]) < MIN_CHANNELS or padding > 2:
        return False
    _, _, height, width = out_shape(x, weight, padding)
    return -(-height // OUT) * -(-width // OUT) >= MIN_TILES


def convolve(
    x: Tensor, weight: Tensor, padding: int, in_scale: Tensor | None = None, out_scale: Tensor | None = None
) -> Tensor:
    """The convolution `[N, K, H + 2·padding - 2, W + 2·padding - 2]`, channels last in memory.

    Args:
        x: `[N, C, H, W]`.
        weight: `[K, C, 3, 3]`.
        padding: zeros on each side.
        in_scale: `[N, C]` that the image is multiplied by; None for none.
        out_scale: `[N, K]` that the result is multiplied by; None for none.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    shape = out_shape(x, weight, padding)
    y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    matrices = transformed(weight)
    for n in range(x.shape[0]):
        own_in, own_out = (None if scale is None else scale[n].contiguous() for scale in (in_scale, out_scale))
        _convolve_one(x[n : n + 1], matrices, padding, own_in, own_out, y[n : n + 1])
    return y


def out_shape(x: Tensor, weight: Tensor, padding: int) -> tuple[int, int, int, int]:
    """Shape of the result of `convolve`."""
    return x.shape[0], weight.shape[0], x.shape[2] + 2 * padding - 2, x.shape[3] + 2 * padding - 2


def _convolve_one(
    x: Tensor, matrices: Tensor, padding: int, in_scale: Tensor | None, out_scale: Tensor | None, y: Tensor
) -> None:
    points, channels_in, channels_out = matrices.shape
    across, tiles = -(-y.shape[3] // OUT), -(-y.shape[3] // OUT) * -(-y.shape[2] // OUT)
    most = max(CHUNK_FLOATS // (points * channels_in), 1)
    chunk = -(-tiles // -(-tiles // most))
    values, products = x.new_empty(points * chunk * channels_in), x.new_empty(points * chunk * channels_out)
    for first in range(0, tiles, chunk):
        count = min(chunk, tiles - first)
        at = values[: points * count * channels_in].view(points, count, channels_in)
        to = products[: points * count * channels_out].view(points, count, channels_out)
        library.winograd_in(x, in_scale, (padding, padding), across, first, at)
        torch.bmm(at, matrices, out=to)
        library.winograd_out(to, out_scale, across, first, y)


@cache_per_weight
def transformed(weight: Tensor) -> Tensor:
    """A weight `[K, C, 3, 3]` at the points, `[36, C, K]`."""
    to_points = _weight_matrix()
    values = torch.einsum("pi,kcij,qj->pqck", to_points, weight.detach(), to_points)
    return values.reshape(len(to_points) ** 2, weight.shape[1], weight.shape[0]).contiguous()


@lru_cache(maxsize=1)
def _weight_matrix() -> Tensor:
    """`[6, 3]`: the values of a filter's polynomial at the points, over those of the interpolation's denominators."""
    rows = []
    for point in POINTS:
        denominator = 1.0
        for other in POINTS:
            denominator *= point - other if other != point else 1.0
        rows.append([1 / denominator, point / denominator, point**2 / denominator])
    return torch.tensor([*rows, [0.0, 0.0, 1.0]], dtype=torch.float32, device="cpu")

"""3x3 convolutions in float32 on a CPU with a quarter of the multiplications: Winograd's algorithm F(4x4, 3x3).

A tile of 4x4 outputs of one channel needs 36 products per input channel instead of 144. They are computed as 36 matrix
products over all tiles and channels by PyTorch; the native library transforms images to tiles and tiles to images
(`native/winograd.cpp`, which lists the sources). Chunks of tiles are processed in turn, so that the transformed values
stay in the cache.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from crowdgan_stylegan3.ops.native import library
from crowdgan_stylegan3.ops.weight_cache import cache_per_weight

FINITE_POINTS = (0.0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)
"""Interpolation points of the polynomials, besides infinity; the same as in winograd.cpp."""

TILE_SIZE = 4
"""Side of an output tile in pixels."""

CHUNK_FLOATS = 2**21
"""Floats of transformed input that are in memory at a time: 8 MiB."""

MIN_CHANNELS = 64
"""Minimum number of input and output channels for which Winograd is faster than direct convolution (measured)."""

MIN_TILES = 25
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
    matrices = transform_weight(weight)
    for n in range(x.shape[0]):
        image_in_scale = None if in_scale is None else in_scale[n].contiguous()
        image_out_scale = None if out_scale is None else out_scale[n].contiguous()
        _convolve_image(x[n : n + 1], matrices, padding, image_in_scale, image_out_scale, y[n : n + 1])
    return y


def out_shape(x: Tensor, weight: Tensor, padding: int) -> tuple[int, int, int, int]:
    """Shape of the result of `convolve`."""
    return x.shape[0], weight.shape[0], x.shape[2] + 2 * padding - 2, x.shape[3] + 2 * padding - 2


def _convolve_image(
    x: Tensor, matrices: Tensor, padding: int, in_scale: Tensor | None, out_scale: Tensor | None, y: Tensor
) -> None:
    """Convolve the image `x` `[1, C, H, W]` into `y`, chunk by chunk."""
    points, channels_in, channels_out = matrices.shape
    tiles_per_row = -(-y.shape[3] // TILE_SIZE)
    num_tiles = tiles_per_row * -(-y.shape[2] // TILE_SIZE)
    max_chunk = max(CHUNK_FLOATS // (points * channels_in), 1)
    chunk = -(-num_tiles // -(-num_tiles // max_chunk))
    in_buffer, out_buffer = x.new_empty(points * chunk * channels_in), x.new_empty(points * chunk * channels_out)
    for first in range(0, num_tiles, chunk):
        count = min(chunk, num_tiles - first)
        values = in_buffer[: points * count * channels_in].view(points, count, channels_in)
        products = out_buffer[: points * count * channels_out].view(points, count, channels_out)
        library.winograd_input_transform(x, in_scale, (padding, padding), tiles_per_row, first, values)
        torch.bmm(values, matrices, out=products)
        library.winograd_output_transform(products, out_scale, tiles_per_row, first, y)


@cache_per_weight
def transform_weight(weight: Tensor) -> Tensor:
    """The values of a weight `[K, C, 3, 3]` at the interpolation points, `[36, C, K]`."""
    to_points = _weight_matrix()
    values = torch.einsum("pi,kcij,qj->pqck", to_points, weight.detach(), to_points)
    return values.reshape(len(to_points) ** 2, weight.shape[1], weight.shape[0]).contiguous()


@lru_cache(maxsize=1)
def _weight_matrix() -> Tensor:
    """`[6, 3]`: maps three taps to the values of their polynomial at the points, over Lagrange's denominators."""
    rows = []
    for point in FINITE_POINTS:
        denominator = 1.0
        for other in FINITE_POINTS:
            denominator *= point - other if other != point else 1.0
        rows.append([1 / denominator, point / denominator, point**2 / denominator])
    return torch.tensor([*rows, [0.0, 0.0, 1.0]], dtype=torch.float32, device="cpu")

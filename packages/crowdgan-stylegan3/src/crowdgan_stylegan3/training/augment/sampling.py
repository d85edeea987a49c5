"""Bilinear sampling with second derivatives, which older versions of PyTorch do not have; reflection padding.

Sampling is a torch operator, linear in the image: its gradient is the transposed operator, whose gradient is sampling.
The operators have no gradient with respect to the sampling points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from crowdgan_stylegan3.ops.registration import ALL_DEVICES, operator, register_autograd, register_fake

BILINEAR, ZEROS = 0, 0
"""PyTorch's enumeration values of the interpolation and padding modes."""


@operator(ALL_DEVICES)
def sample(images: Tensor, grid: Tensor) -> Tensor:
    """Samples `[N, C, height, width]` of images `[N, C, H, W]`, which are 0 outside.

    Args:
        images: the images.
        grid: points `(x, y)`, `[N, height, width, 2]`; -1 and 1 are the outer edges of the outermost pixels.
    """
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


@register_fake(sample)
def _(images: Tensor, grid: Tensor) -> Tensor:
    return images.new_empty((*images.shape[:2], *grid.shape[1:3]))


@operator(ALL_DEVICES)
def spread(values: Tensor, grid: Tensor, height: int, width: int) -> Tensor:
    """Transpose of `sample`: images `[N, C, H, W]` onto which values `[N, C, height, width]` are added.

    On a GPU the order of additions is fixed only with `torch.use_deterministic_algorithms`.
    """
    if values.device.type != "cpu" and torch.are_deterministic_algorithms_enabled():
        return spread_in_order(values, grid, height, width)
    shape_only = values.new_empty((*values.shape[:2], height, width))
    backward = torch.ops.aten.grid_sampler_2d_backward
    images: Tensor = backward(values.contiguous(), shape_only, grid, BILINEAR, ZEROS, False, [True, False])[0]
    return images


@register_fake(spread)
def _(values: Tensor, grid: Tensor, height: int, width: int) -> Tensor:
    return values.new_empty((*values.shape[:2], height, width))


def spread_in_order(values: Tensor, grid: Tensor, height: int, width: int) -> Tensor:
    """As `spread`, slower, with a fixed order of additions on every device."""
    count, channels = values.shape[:2]
    x, y = ((grid[..., axis] * size + (size - 1)) / 2 for axis, size in ((0, width), (1, height)))
    first = torch.arange(count, device=values.device)[:, None, None] * (height * width)
    rows = values.permute(0, 2, 3, 1)
    images = values.new_zeros(count * height * width, channels)
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = x.floor() + right, y.floor() + down
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        weight = torch.where(inside, (1 - (x - column).abs()) * (1 - (y - row).abs()), 0)
        index = torch.where(inside, first + row.long() * width + column.long(), 0)
        images.index_add_(0, index.flatten(), (rows * weight[..., None]).flatten(0, 2))
    return images.view(count, height, width, channels).permute(0, 3, 1, 2).contiguous()


def _setup_sample(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    images, grid = inputs
    ctx.save_for_backward(grid)
    ctx.size = images.shape[2:]


def _backward_sample(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    (grid,) = ctx.saved_tensors
    return spread(dy, grid, *ctx.size), None


register_autograd(sample, _backward_sample, setup_context=_setup_sample)


def _setup_spread(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[1])


def _backward_spread(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    (grid,) = ctx.saved_tensors
    return sample(dy, grid), None, None, None


register_autograd(spread, _backward_spread, setup_context=_setup_spread)


def reflect_pad(images: Tensor, margins: Sequence[int]) -> Tensor:
    """Images `[N, C, H, W]` with reflection padding; the outermost samples are not repeated.

    Args:
        images: the images, of at least 2x2 samples.
        margins: samples `(x0, x1, y0, y1)`, at least 0; margins larger than the image are reflected repeatedly.
    """
    return _pad_axis(_pad_axis(images, 3, margins[0], margins[1]), 2, margins[2], margins[3])


def _pad_axis(images: Tensor, dim: int, before: int, after: int) -> Tensor:
    if before == after == 0:
        return images
    last_index = images.shape[dim] - 1
    first, last = min(before, last_index), min(after, last_index)
    start, end = images.narrow(dim, 1, first), images.narrow(dim, last_index - last, last)
    images = torch.cat([start.flip(dim), images, end.flip(dim)], dim=dim)
    return _pad_axis(images, dim, before - first, after - last)

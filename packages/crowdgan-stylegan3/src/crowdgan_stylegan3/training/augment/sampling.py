"""Bilinear samples of images, as operators of PyTorch: PyTorch's own have second derivatives in new versions alone.

The samples are linear in the image: the gradient spreads values over it, and its gradient is samples again. There
are no gradients to the places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.library import custom_op

BILINEAR, ZEROS = 0, 0
"""PyTorch's numbers for the interpolation, and for what lies outside of the image."""


@custom_op("crowdgan::sample", mutates_args=())
def sample(images: Tensor, grid: Tensor) -> Tensor:
    """Values `[N, C, height, width]` of images `[N, C, H, W]`, which are 0 outside.

    Args:
        images: the images.
        grid: places `(x, y)` `[N, height, width, 2]`; -1 and 1 are the outer borders of the outermost samples.
    """
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


@sample.register_fake
def _(images: Tensor, grid: Tensor) -> Tensor:
    return images.new_empty((*images.shape[:2], *grid.shape[1:3]))


@custom_op("crowdgan::spread", mutates_args=())
def spread(values: Tensor, grid: Tensor, height: int, width: int) -> Tensor:
    """Images `[N, C, H, W]` onto which values `[N, C, height, width]` at places are added: `sample` transposed.

    On a GPU the order of additions differs from run to run, unless `torch.use_deterministic_algorithms` asks for one.
    """
    if values.device.type != "cpu" and torch.are_deterministic_algorithms_enabled():
        return spread_in_order(values, grid, height, width)
    shape_alone = values.new_empty((*values.shape[:2], height, width))
    back = torch.ops.aten.grid_sampler_2d_backward
    images: Tensor = back(values.contiguous(), shape_alone, grid, BILINEAR, ZEROS, False, [True, False])[0]
    return images


@spread.register_fake
def _(values: Tensor, grid: Tensor, height: int, width: int) -> Tensor:
    return values.new_empty((*values.shape[:2], height, width))


def spread_in_order(values: Tensor, grid: Tensor, height: int, width: int) -> Tensor:
    """As `spread`, slower, with additions that PyTorch can do in a fixed order on a GPU too."""
    count, channels = values.shape[:2]
    x, y = ((grid[..., axis] * size + (size - 1)) / 2 for axis, size in ((0, width), (1, height)))
    first = torch.arange(count, device=values.device)[:, None, None] * (height * width)
    rows = values.permute(0, 2, 3, 1)
    images = values.new_zeros(count * height * width, channels)
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = x.floor() + right, y.floor() + down
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        share = torch.where(inside, (1 - (x - column).abs()) * (1 - (y - row).abs()), 0)
        index = torch.where(inside, first + row.long() * width + column.long(), 0)
        images.index_add_(0, index.flatten(), (rows * share[..., None]).flatten(0, 2))
    return images.view(count, height, width, channels).permute(0, 3, 1, 2).contiguous()


def _save_sample(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    images, grid = inputs
    ctx.save_for_backward(grid)
    ctx.size = images.shape[2:]


def _back_sample(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    (grid,) = ctx.saved_tensors
    return spread(dy, grid, *ctx.size), None


sample.register_autograd(_back_sample, setup_context=_save_sample)


def _save_spread(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[1])


def _back_spread(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    (grid,) = ctx.saved_tensors
    return sample(dy, grid), None, None, None


spread.register_autograd(_back_spread, setup_context=_save_spread)


def reflected(images: Tensor, margins: Sequence[int]) -> Tensor:
    """Images `[N, C, H, W]` continued on each side, without repeating the outermost samples.

    Args:
        images: the images, of at least 2x2 samples.
        margins: samples `(x0, x1, y0, y1)`, at least 0; past an image's side it is reflected again.
    """
    return _along(_along(images, 3, margins[0], margins[1]), 2, margins[2], margins[3])


def _along(images: Tensor, dim: int, before: int, after: int) -> Tensor:
    if before == after == 0:
        return images
    most = images.shape[dim] - 1
    first, last = min(before, most), min(after, most)
    start, end = images.narrow(dim, 1, first), images.narrow(dim, most - last, last)
    images = torch.cat([start.flip(dim), images, end.flip(dim)], dim=dim)
    return _along(images, dim, before - first, after - last)

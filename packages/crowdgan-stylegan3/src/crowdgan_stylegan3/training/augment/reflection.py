"""Pictures continued by reflection; PyTorch's own form adds gradients in an order that differs from run to run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def reflected(images: Tensor, margins: Sequence[int]) -> Tensor:
    """Pictures `[N, C, H, W]` continued on each side, without repeating the outermost samples.

    Args:
        images: the pictures, of at least 2x2 samples.
        margins: samples `(x0, x1, y0, y1)`, at least 0; past a picture's side it is reflected again.
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

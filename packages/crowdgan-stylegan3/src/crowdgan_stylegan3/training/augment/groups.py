"""Transformations of a part of the images of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from crowdgan_stylegan3.training.augment.draws import copy_to_device


def update_groups(images: Tensor, groups: Sequence[Tensor], transform: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Images `[N, C, H, W]`, of which groups are transformed.

    Args:
        images: the images.
        groups: indices of images, in host memory; an image is in at most one group.
        transform: returns the transformed images of a group, from the images and their indices.
    """
    if not groups:
        return images
    pieces = [transform(images.index_select(0, copy_to_device(indices, images)), indices) for indices in groups]
    return images.index_copy(0, copy_to_device(torch.cat(list(groups)), images), torch.cat(pieces))


def true_indices(mask: Tensor) -> Tensor:
    """Indices at which a mask `[N]` in host memory is true."""
    return mask.nonzero().flatten()

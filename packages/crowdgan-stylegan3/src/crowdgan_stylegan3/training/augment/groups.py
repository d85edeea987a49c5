"""Work on some images of a batch, while the others stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from crowdgan_stylegan3.training.augment.draws import sent


def changed(images: Tensor, groups: Sequence[Tensor], change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Images `[N, C, H, W]` of which groups have been changed.

    Args:
        images: the images.
        groups: numbers of images, each in one group at most, on the host.
        change: the changed images of a group, from the images and their numbers.
    """
    if not groups:
        return images
    pieces = [change(images.index_select(0, sent(own, images)), own) for own in groups]
    return images.index_copy(0, sent(torch.cat(list(groups)), images), torch.cat(pieces))


def numbers(is_in: Tensor) -> Tensor:
    """The numbers of images for which `[N]` on the host is true."""
    return is_in.nonzero().flatten()

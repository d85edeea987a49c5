"""Order of the training images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from crowdgan_stylegan3.training.runtime.rng import RngStream, rng_stream


@dataclass(frozen=True, kw_only=True)
class ImageSampler:
    """Infinite batch sampler of one rank: lists of image indices, in a new random order for each pass.

    Rank r of n receives every n-th image of a batch, starting with the r-th. The order depends only on `seed`.
    """

    num_images: int
    """Images in the dataset."""
    batch: int
    """Images per training step, over all ranks."""
    seed: int
    """Random seed of the run."""
    start_nimg: int = 0
    """Images shown before the first step; iteration continues after them."""
    rank: int = 0
    """Index of this rank."""
    world_size: int = 1
    """Number of ranks."""

    def __iter__(self) -> Iterator[list[int]]:
        """Yields the image indices of each training step, endlessly."""
        order, order_pass = torch.empty(0), -1
        start = self.start_nimg
        while True:
            indices = []
            for position in range(start + self.rank, start + self.batch, self.world_size):
                current_pass, offset = divmod(position, self.num_images)
                if current_pass != order_pass:
                    order, order_pass = self._order(current_pass), current_pass
                indices.append(int(order[offset]))
            yield indices
            start += self.batch

    def _order(self, pass_index: int) -> Tensor:
        """Random order of all images in one pass through the dataset, `[num_images]`."""
        return torch.randperm(self.num_images, generator=rng_stream(self.seed, RngStream.ORDER, pass_index))

"""Order of the training images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from crowdgan_stylegan3.training.data.label_sampling import LabelSampler
from crowdgan_stylegan3.training.runtime.rng import RngStream, rng_stream

DrawnImage = tuple[int, NDArray[np.float32]]
"""Index of an image, and the label `[label_dim]` for which D judges it."""


@dataclass(frozen=True, kw_only=True)
class ImageSampler:
    """Infinite batch sampler of one rank: lists of images with their labels, by default in a new order for each pass.

    Rank r of n receives every n-th image of a batch, starting with the r-th. Draws depend only on `seed` and the
    position. With `mirror` the images have twice the number of indices: the second half stands for flipped images.
    """

    labels: LabelSampler
    """Label sampler of the dataset."""
    mirror: bool
    """Whether images are also shown flipped left to right."""
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

    def __iter__(self) -> Iterator[list[DrawnImage]]:
        """Yields the images of each training step, endlessly."""
        order = ShuffledOrder(len(self.labels.vectors) * (2 if self.mirror else 1), self.seed)
        for start in count(self.start_nimg, self.batch):
            random = rng_stream(self.seed, RngStream.IMAGES, start)
            drawn = self.labels.draw_images(self.batch, random)
            if drawn is None:
                indices = order.indices(start, self.batch)
                labels = self.labels.vectors[indices % len(self.labels.vectors)]
            else:
                indices, labels = drawn
                if self.mirror:
                    flips = torch.randint(2, (self.batch,), generator=random)
                    indices = indices + flips * len(self.labels.vectors)
            of_rank = slice(self.rank, None, self.world_size)
            yield list(zip(indices[of_rank].tolist(), labels[of_rank].numpy(), strict=True))


class ShuffledOrder:
    """All images in random order, in a new one for each pass through the dataset; depends only on the seed."""

    def __init__(self, num_images: int, seed: int) -> None:
        self._num_images, self._seed = num_images, seed
        self._pass_index, self._order = -1, torch.empty(0, dtype=torch.long)

    def indices(self, start: int, number: int) -> Tensor:
        """Indices `[number]` of the images from position `start`."""
        return torch.tensor([self._index(position) for position in range(start, start + number)])

    def _index(self, position: int) -> int:
        pass_index, offset = divmod(position, self._num_images)
        if pass_index != self._pass_index:
            self._pass_index = pass_index
            random = rng_stream(self._seed, RngStream.ORDER, pass_index)
            self._order = torch.randperm(self._num_images, generator=random)
        return int(self._order[offset])

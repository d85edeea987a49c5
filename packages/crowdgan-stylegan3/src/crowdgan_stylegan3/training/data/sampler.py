"""The images of a dataset, in the order in which training sees them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from crowdgan_stylegan3.training.runtime.rng import RngStream, rng_stream


@dataclass(frozen=True, kw_only=True)
class ImageSampler:
    """Which images the processes see, step by step, without end; a new random order every time through.

    Iterating gives lists of numbers of images: those of one process of `world_size`, every world_size-th of a step's.
    """

    count: int
    """Images there are."""
    batch: int
    """Images per step, over all processes."""
    seed: int
    first: int = 0
    """Images that were seen before."""
    rank: int = 0
    world_size: int = 1

    def __iter__(self) -> Iterator[list[int]]:
        """The numbers of the images of each step."""
        known: tuple[int, Tensor] = (-1, torch.empty(0))
        at = self.first
        while True:
            numbers = []
            for position in range(at + self.rank, at + self.batch, self.world_size):
                turn, place = divmod(position, self.count)
                if turn != known[0]:
                    order = torch.randperm(self.count, generator=rng_stream(self.seed, RngStream.ORDER, turn))
                    known = turn, order
                numbers.append(int(known[1][place]))
            yield numbers
            at += self.batch

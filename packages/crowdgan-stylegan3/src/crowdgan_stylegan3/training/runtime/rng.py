"""Random numbers by place: what is drawn at a place in a run depends on the seed and the place alone.

So a run that goes on draws what it would have drawn, on any number of GPUs, and there is no random state to keep.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class RngStream(IntEnum):
    """What random numbers are drawn for; the first number of a place."""

    WEIGHTS = 0
    ORDER = 1
    PHASE = 2
    AUGMENTATION = 3
    NOISE = 4
    MIXING = 5
    PATH_LENGTH = 6


def rng_stream(seed: int, *place: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of random numbers for a place, independent of those of other places.

    Args:
        seed: of the run.
        place: numbers from 0 on: a `RngStream`, and what tells this draw from others of its kind.
        device: where the numbers are needed.
    """
    words = np.random.SeedSequence([seed, *place]).generate_state(2, np.uint32)
    return torch.Generator(device).manual_seed(int(words[0]) << 32 | int(words[1]))

"""Random number streams: each draw depends only on the run's seed and the key of its stream.

A resumed run therefore draws the same numbers as an uninterrupted one, on any number of GPUs, and checkpoints hold no
random state.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch


class RngStream(IntEnum):
    """Purpose of random numbers; the first number of a stream's key. The values are fixed: they decide every draw."""

    WEIGHTS = 0
    """Initial weights."""
    ORDER = 1
    """Order of the training images, per pass through the dataset."""
    PHASE = 2
    """Latents and labels of generated images, per training step and phase."""
    AUGMENTATION = 3
    """Augmentations, per training step and micro-batch."""
    NOISE = 4
    """Noise inputs of StyleGAN2, per training step and micro-batch."""
    MIXING = 5
    """Latents and crossover layers of style mixing, per training step and micro-batch."""
    PATH_LENGTH = 6
    """Image noise of the path length penalty, per training step and micro-batch."""
    IMAGES = 7
    """Images that are drawn by their labels, per training step."""


def rng_stream(seed: int, *key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A random number generator for a key, independent of the generators of all other keys.

    Args:
        seed: random seed of the run.
        key: integers from 0; an `RngStream` first, then the indices that identify the draw.
        device: device of the generator.
    """
    words = np.random.SeedSequence([seed, *key]).generate_state(2, np.uint32)
    return torch.Generator(device).manual_seed(int(words[0]) << 32 | int(words[1]))

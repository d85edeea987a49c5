"""Perceptual path length: how much images change along straight lines between intermediate latents.

Source: Karras et al., "A Style-Based Generator Architecture for GANs", 2019, and "Analyzing and Improving the Image
Quality of StyleGAN", 2020: `ppl2_wend` is measured in W, at the ends of the lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_core.utils.arrays import FloatArray, LabelArray
from crowdgan_core.utils.progress import NullProgress, Progress
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator

EPSILON = 1e-4
"""Fraction of the line over which the change is measured."""

IMAGE_SIZE = 256
"""Larger images are downsampled to this size by averaging pixels."""

PERCENTILES = (1, 99)
"""Path lengths outside these percentiles are ignored."""

BATCH_SIZE = 16
"""Pairs of images generated at a time."""


def path_lengths(
    generator: StyleGanImageGenerator,
    seeds: tuple[Sequence[int], Sequence[int]],
    labels: LabelArray | None,
    perceptual_features: Callable[[Tensor], Tensor],
    progress: Progress | None = None,
) -> FloatArray:
    """Squared perceptual distance per squared step, `[num_pairs]`, at the first end of each line.

    Args:
        generator: the generator; images are not truncated.
        seeds: seeds of the first and of the second end of each line.
        labels: `[num_pairs, label_dim]`, one for both ends; None for a model without labels.
        perceptual_features: maps images `[N, 3, H, W]`, 0 to 255, to features `[N, num_features]` whose squared
            distances are perceptual distances.
        progress: receives progress reports, one step per pair.

    Raises:
        ConfigError: the numbers of seeds differ.
    """
    first, second = seeds
    if len(first) != len(second):
        raise ConfigError(f"{len(first)} first and {len(second)} second seeds; the numbers must be equal")
    progress = NullProgress() if progress is None else progress
    lengths = []
    for start in range(0, len(first), BATCH_SIZE):
        batch = slice(start, start + BATCH_SIZE)
        batch_labels = None if labels is None else labels[batch]
        ws = generator.latents(first[batch], batch_labels)
        step = EPSILON * (generator.latents(second[batch], batch_labels) - ws)
        with torch.no_grad():
            ends = [perceptual_features(_perceptual_input(generator.synthesis(w))) for w in (ws, ws + step)]
        lengths.append((ends[0] - ends[1]).double().square().sum(dim=1).cpu().numpy() / EPSILON**2)
        for _ in range(len(ws)):
            progress.advance()
    return np.concatenate(lengths)


def trimmed_mean(lengths: FloatArray) -> tuple[float, float]:
    """Mean of the path lengths within `PERCENTILES`, and its standard error."""
    low = np.percentile(lengths, PERCENTILES[0], method="lower")
    high = np.percentile(lengths, PERCENTILES[1], method="higher")
    kept = lengths[(lengths >= low) & (lengths <= high)]
    return float(kept.mean()), float(kept.std() / np.sqrt(len(kept)))


def _perceptual_input(images: Tensor) -> Tensor:
    """Images `[N, 3, H, W]`, 0 to 255, of generated images `[N, 1 or 3, H, W]`, -1 to 1."""
    factor = images.shape[2] // IMAGE_SIZE
    if factor > 1:
        images = torch.nn.functional.avg_pool2d(images, factor)
    return ((images + 1) * (255 / 2)).expand(-1, 3, -1, -1)

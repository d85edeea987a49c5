"""Fourier features of standardised continuous labels.

Source: Tancik et al., "Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains", 2020.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from crowdgan_stylegan3.config import LabelEncoding

LOWEST_FREQUENCY = math.pi / 8
"""Lowest angular frequency per standard deviation: its sine is monotonic within ±4 standard deviations."""

MAX_STANDARDISED = 6.0
"""Standardised labels are clamped to ±this value, which also limits logarithms of 0."""


def label_features(c: Tensor, encoding: LabelEncoding) -> Tensor:
    """Features `[N, num_features]` of labels `[N, label_dim]`: sines and cosines of their standardised numbers.

    All constants are Python numbers, so that nothing is copied to a GPU.
    """
    features = []
    for column, mean, std, is_log in zip(c.unbind(1), encoding.mean, encoding.std, encoding.is_log, strict=True):
        values = column.clamp(min=torch.finfo(c.dtype).tiny).log() if is_log else column
        standardised = ((values - mean) / std).clamp(-MAX_STANDARDISED, MAX_STANDARDISED)
        for octave in range(encoding.num_frequencies):
            angle = standardised * (LOWEST_FREQUENCY * 2**octave)
            features += [angle.sin(), angle.cos()]
    return torch.stack(features, dim=1)

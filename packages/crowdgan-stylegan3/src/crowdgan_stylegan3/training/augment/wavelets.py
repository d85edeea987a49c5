"""Low-pass filters of orthogonal wavelets, and filter banks of frequency bands."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
"""Low-pass filters of the symlets with 2 and 6 vanishing moments (Daubechies, "Ten Lectures on Wavelets", 1992)."""


def lowpass(taps: tuple[float, ...]) -> Tensor:
    """Low-pass filter of a wavelet, normalised to sum 1; `[num_taps]` float32."""
    values = torch.tensor(taps, dtype=torch.float64)
    return (values / values.sum()).float()


def band_filters(taps: tuple[float, ...], count: int) -> Tensor:
    """Zero-phase filters of frequency bands whose sum is the identity, `[count, length]` in double precision.

    The first band is the low-pass remainder; the others have a width of one octave and end at the Nyquist frequency.
    With the low-pass filter H of a wavelet, H(z) H(1/z) / 2 passes the lower half of the frequencies, and the same of
    -z the upper half; the bands are products of these filters at z, z^2, z^4 and so on.
    """
    half = torch.tensor(taps, dtype=torch.float64)
    below = _convolve(half, half.flip(0)) / 2
    above = below * (-1.0) ** (torch.arange(len(below)) - len(below) // 2)
    bands = [torch.ones(1, dtype=torch.float64)]
    for _ in range(count - 1):
        bands = [_convolve(_dilate(band), below) for band in bands] + [above]
    length = max(len(band) for band in bands)
    return torch.stack([F.pad(band, [(length - len(band)) // 2] * 2) for band in bands])


def _convolve(first: Tensor, second: Tensor) -> Tensor:
    """The full convolution of two filters."""
    return F.conv1d(first[None, None], second.flip(0)[None, None], padding=len(second) - 1)[0, 0]


def _dilate(taps: Tensor) -> Tensor:
    """The filter with a zero between adjacent taps."""
    return torch.stack([taps, torch.zeros_like(taps)], dim=1).flatten()[:-1]

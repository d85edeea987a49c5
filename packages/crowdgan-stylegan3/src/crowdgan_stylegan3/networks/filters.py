"""Low-pass filters: the Kaiser-windowed sinc, its radially symmetric form, and the binomial filter of StyleGAN2.

scipy is imported only when a filter is designed, because importing `scipy.signal` takes about a second.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from crowdgan_core.utils.arrays import FloatArray

BINOMIAL_TAPS = (1.0, 3.0, 3.0, 1.0)
"""Taps of StyleGAN2's filter before normalisation (Karras et al. 2020)."""


def lowpass_filter(taps: int, *, cutoff: float, width: float, rate: float, radial: bool) -> Tensor | None:
    """A low-pass filter with sum 1, `[taps]`, or `[taps, taps]` if radial; None for a single tap.

    Args:
        taps: length.
        cutoff: cutoff frequency in cycles per image.
        width: width of the transition band in cycles per image.
        rate: sampling rate in samples per image.
        radial: whether the filter is radially symmetric, and therefore not separable.

    Source: Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974; jinc: Karras et al.,
    "Alias-Free Generative Adversarial Networks", 2021, appendix C.1.
    """
    if taps == 1:
        return None
    if radial:
        values = _radial_filter(taps, cutoff, width, rate)
    else:
        import scipy.signal

        values = scipy.signal.firwin(taps, cutoff, width=width, fs=rate)
    return torch.from_numpy(values.astype(np.float32))


def binomial_filter() -> Tensor:
    """StyleGAN2's low-pass filter with sum 1, `[4, 4]`."""
    taps = torch.tensor(BINOMIAL_TAPS)
    square = torch.outer(taps, taps)
    return square / square.sum()


def _radial_filter(taps: int, cutoff: float, width: float, rate: float) -> FloatArray:
    """The ideal radial low-pass filter (a jinc) times the outer product of the Kaiser window, `[taps, taps]`."""
    import scipy.signal
    import scipy.special

    positions = (np.arange(taps) - (taps - 1) / 2) / rate
    radius = np.hypot(*np.meshgrid(positions, positions))
    jinc = scipy.special.j1(2 * np.pi * cutoff * radius) / (np.pi * radius)  # taps is even: every radius is above 0
    attenuation = scipy.signal.kaiser_atten(taps, width / (rate / 2))
    window = np.kaiser(taps, scipy.signal.kaiser_beta(attenuation))
    values = jinc * np.outer(window, window)
    return np.asarray(values / values.sum())

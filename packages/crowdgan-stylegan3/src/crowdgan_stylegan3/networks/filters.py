"""Low-pass filters: the Kaiser-windowed sinc, its radially symmetric form, and the binomial filter of StyleGAN2.

The formulas are those of `scipy.signal.firwin`, with equal results; importing `scipy.signal` takes more than a second.
"""

from __future__ import annotations

import numpy as np
import scipy.special
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
    values = (_radial_filter if radial else _separable_filter)(taps, cutoff, width, rate)
    return torch.from_numpy(values.astype(np.float32))


def binomial_filter() -> Tensor:
    """StyleGAN2's low-pass filter with sum 1, `[4, 4]`."""
    taps = torch.tensor(BINOMIAL_TAPS)
    square = torch.outer(taps, taps)
    return square / square.sum()


def _separable_filter(taps: int, cutoff: float, width: float, rate: float) -> FloatArray:
    """The ideal low-pass filter (a sinc) times the Kaiser window, `[taps]`."""
    relative_cutoff, centre = cutoff / (rate / 2), (taps - 1) / 2
    positions = np.arange(taps) - centre
    beta = _kaiser_beta(taps, width / (rate / 2))
    window = scipy.special.i0(beta * np.sqrt(1 - (positions / centre) ** 2)) / scipy.special.i0(beta)
    values = relative_cutoff * np.sinc(relative_cutoff * positions) * window
    return np.asarray(values / values.sum())


def _radial_filter(taps: int, cutoff: float, width: float, rate: float) -> FloatArray:
    """The ideal radial low-pass filter (a jinc) times the outer product of the Kaiser window, `[taps, taps]`."""
    positions = (np.arange(taps) - (taps - 1) / 2) / rate
    radius = np.hypot(*np.meshgrid(positions, positions))
    jinc = scipy.special.j1(2 * np.pi * cutoff * radius) / (np.pi * radius)  # taps is even: every radius is above 0
    window = np.kaiser(taps, _kaiser_beta(taps, width / (rate / 2)))
    values = jinc * np.outer(window, window)
    return np.asarray(values / values.sum())


def _kaiser_beta(taps: int, relative_width: float) -> float:
    """Shape parameter of the Kaiser window for a filter length and transition width, relative to the Nyquist frequency.

    Kaiser's empirical formulas for the attenuation in dB, and for the parameter that reaches it.
    """
    attenuation_db = 2.285 * (taps - 1) * np.pi * relative_width + 7.95
    if attenuation_db > 50:
        return float(0.1102 * (attenuation_db - 8.7))
    if attenuation_db > 21:
        return float(0.5842 * (attenuation_db - 21) ** 0.4 + 0.07886 * (attenuation_db - 21))
    return 0.0

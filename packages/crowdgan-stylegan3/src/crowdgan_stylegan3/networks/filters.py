"""Low-pass filters: the Kaiser-windowed sinc, its radially symmetric form, and the binomial one of StyleGAN2."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.signal
import scipy.special
import torch
from torch import Tensor

Floats = npt.NDArray[np.float64]

BINOMIAL = (1.0, 3.0, 3.0, 1.0)
"""Taps of StyleGAN2's filter, to be normalised (Karras et al. 2020)."""


def lowpass_filter(taps: int, *, cutoff: float, width: float, rate: float, radial: bool) -> Tensor | None:
    """A low-pass filter of sum 1, `[taps]`, or `[taps, taps]` if radial; None for a single tap.

    Args:
        taps: length.
        cutoff: in cycles per image.
        width: of the transition band, likewise.
        rate: samples per image.
        radial: symmetric in all directions, and so not separable.

    Source: Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974; Karras et al., "Alias-
    Free Generative Adversarial Networks", 2021, appendix C.1, for the jinc.
    """
    if taps == 1:
        return None
    values = _radial(taps, cutoff, width, rate) if radial else scipy.signal.firwin(taps, cutoff, width=width, fs=rate)
    return torch.from_numpy(values.astype(np.float32))


def binomial_filter() -> Tensor:
    """StyleGAN2's low-pass filter of sum 1, `[4, 4]`."""
    taps = torch.tensor(BINOMIAL)
    square = torch.outer(taps, taps)
    return square / square.sum()


def _radial(taps: int, cutoff: float, width: float, rate: float) -> Floats:
    """The ideal radial low-pass (a jinc) in the window of the separable filter along each axis."""
    places = (np.arange(taps) - (taps - 1) / 2) / rate
    radius = np.hypot(*np.meshgrid(places, places))
    jinc = scipy.special.j1(2 * np.pi * cutoff * radius) / (np.pi * radius)  # taps are even: no radius is 0
    attenuation = scipy.signal.kaiser_atten(taps, width / (rate / 2))
    window = np.kaiser(taps, scipy.signal.kaiser_beta(attenuation))
    values = jinc * np.outer(window, window)
    return np.asarray(values / values.sum())

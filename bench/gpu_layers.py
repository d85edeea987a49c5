"""The filtered_lrelu of every synthesis layer of StyleGAN3, as the benchmarks of the GPU need it.

Geometry from Karras et al., "Alias-Free Generative Adversarial Networks", 2021: cutoffs and stopbands grow
geometrically, sampling rates are the powers of two that hold twice the stopband.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import firwin, kaiser_atten, kaiser_beta
from scipy.special import j1
from torch import Tensor

from crowdgan_stylegan3.ops.arguments import Resampling, resampling

LAYERS = 14
CRITICAL = 2
"""Layers at the end that are critically sampled."""

MARGIN = 10
TAPS = 6
"""Per sample of the lower rate."""

GAIN, SLOPE, CLAMP = 2**0.5, 0.2, 256.0


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One filtered_lrelu."""

    name: str
    channels: int
    in_size: int
    """What the convolution before it returns."""
    out_size: int
    fu: Tensor
    fd: Tensor
    rise: Resampling
    fall: Resampling

    def bytes_moved(self, batch: int, item: int, backward: bool) -> int:
        """Fewest bytes: input and result once; backward, the result's gradient, the input, and its gradient."""
        inputs, outputs = self.in_size**2, self.out_size**2
        return batch * self.channels * item * (2 * inputs + outputs if backward else inputs + outputs)


def layers(config: str, resolution: int, device: torch.device) -> list[Layer]:
    """The 14 layers of configuration "t" or "r"; ToRGB has no filters."""
    last = LAYERS - CRITICAL
    share = np.minimum(np.arange(LAYERS + 1) / last, 1)
    cutoffs = 2 * (resolution / 2 / 2) ** share
    stopbands = 2**2.1 * (resolution / 2 * 2**0.3 / 2**2.1) ** share
    rates = np.exp2(np.ceil(np.log2(np.minimum(stopbands * 2, resolution))))
    half_widths = np.maximum(stopbands, rates / 2) - cutoffs
    sizes = rates + 2 * MARGIN
    sizes[-2:] = resolution
    widest, base = (512, 32768) if config == "t" else (1024, 65536)
    channels = np.rint(np.minimum(base / 2 / cutoffs, widest)).astype(int)
    made = []
    for index in range(LAYERS):
        before = max(index - 1, 0)
        rate = 2 * max(rates[before], rates[index])
        up, down = int(rate / rates[before]), int(rate / rates[index])
        fu = low_pass(TAPS * up, cutoffs[before], half_widths[before], rate)
        radial = config == "r" and stopbands[index] > cutoffs[index] and index < last
        fd = (radial_low_pass if radial else low_pass)(TAPS * down, cutoffs[index], half_widths[index], rate)
        in_size, out_size = int(sizes[before]) + (2 if config == "t" else 0), int(sizes[index])
        total = (out_size - 1) * down + len(fd) - in_size * up + len(fu) - 1
        start = (total + up) // 2
        made.append(
            Layer(
                name=f"L{index}_{out_size}_{channels[index]}",
                channels=int(channels[index]),
                in_size=in_size,
                out_size=out_size,
                fu=torch.as_tensor(fu, dtype=torch.float32, device=device),
                fd=torch.as_tensor(fd, dtype=torch.float32, device=device),
                rise=resampling(up, 1, (start, total - start) * 2, gain=up**2),
                fall=resampling(1, down, 0),
            )
        )
    return made


def low_pass(taps: int, cutoff: float, half_width: float, rate: float) -> np.ndarray:
    """Windowed sinc, `[taps]`."""
    return np.asarray(firwin(taps, cutoff=cutoff, width=2 * half_width, fs=rate))


def radial_low_pass(taps: int, cutoff: float, half_width: float, rate: float) -> np.ndarray:
    """Windowed jinc, `[taps, taps]`."""
    places = (np.arange(taps) - (taps - 1) / 2) / rate
    radius = np.hypot(places[:, None], places[None, :])
    window = np.kaiser(taps, kaiser_beta(kaiser_atten(taps, 2 * half_width / (rate / 2))))
    f = j1(2 * math.pi * cutoff * radius) / radius * np.outer(window, window)
    return np.asarray(f / f.sum())

"""Demodulation: scales that restore unit variance after a convolution of modulated channels.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, section 2.2.
"""

from __future__ import annotations

from torch import Tensor

from crowdgan_stylegan3.networks.linear import EPSILON
from crowdgan_stylegan3.ops.weight_cache import cache_per_weight


def demodulation_scales(weight: Tensor, styles: Tensor) -> Tensor:
    """Scales `[N, channels_out]` that bring the result of a modulated convolution to unit variance.

    Args:
        weight: `[channels_out, channels_in, kernel, kernel]`.
        styles: `[N, channels_in]`.
    """
    return (styles.float().square() @ kernel_energies(weight).t() + EPSILON).rsqrt()


@cache_per_weight
def kernel_energies(weight: Tensor) -> Tensor:
    """Sum of squares of each kernel of a weight, `[channels_out, channels_in]`."""
    return weight.float().square().flatten(2).sum(dim=2)

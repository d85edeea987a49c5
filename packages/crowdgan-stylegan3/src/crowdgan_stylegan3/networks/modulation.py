"""Convolutions whose input channels are scaled by styles, and whose results are scaled back to unit variance.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, section 2.2.
"""

from __future__ import annotations

from torch import Tensor

from crowdgan_stylegan3.networks.linear import EPSILON
from crowdgan_stylegan3.ops.weight_cache import cache_per_weight


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """What brings the results of a convolution with scaled inputs to unit variance, `[N, channels_out]`.

    Args:
        weight: `[channels_out, channels_in, kernel, kernel]`.
        styles: `[N, channels_in]`.
    """
    return (styles.float().square() @ squared_sums(weight).t() + EPSILON).rsqrt()


@cache_per_weight
def squared_sums(weight: Tensor) -> Tensor:
    """Sums of squares over the kernels of a weight, `[channels_out, channels_in]`."""
    return weight.float().square().flatten(2).sum(dim=2)

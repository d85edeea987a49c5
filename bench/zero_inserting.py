"""The ops by their plain definition, for comparison: zeros are inserted and multiplied.

Upsampling inserts zeros, filters run at the full rate, and each image has its own convolution weights, as in
implementations without fused kernels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from crowdgan_stylegan3.networks import discriminator, synthesis_stylegan2, synthesis_stylegan3
from crowdgan_stylegan3.training.augment import warping


def use_zero_inserting_ops() -> None:
    """Replaces the ops of the networks and of the augmentation in this process."""
    for module in (discriminator, synthesis_stylegan2, warping):
        module.upfirdn2d = upfirdn2d
    for module in (synthesis_stylegan2, synthesis_stylegan3):
        module.conv2d = grouped_conv2d
    synthesis_stylegan3.filtered_lrelu = filtered_lrelu


def grouped_conv2d(
    x: Tensor, weight: Tensor, padding: int, in_scale: Tensor, out_scale: Tensor | None = None
) -> Tensor:
    """Modulated convolution as one grouped convolution with separate weights for each image."""
    n, channels, height, width = x.shape
    weights = weight[None] * in_scale[:, None, :, None, None]
    if out_scale is not None:
        weights = weights * out_scale[:, :, None, None, None]
    y = F.conv2d(x.reshape(1, n * channels, height, width), weights.flatten(0, 1), padding=padding, groups=n)
    return y.reshape(n, -1, *y.shape[2:])


def filtered_lrelu(
    x: Tensor,
    fu: Tensor | None,
    fd: Tensor | None,
    b: Tensor,
    up: int,
    down: int,
    padding: Sequence[int],
    gain: float,
    slope: float,
    clamp: float | None,
) -> Tensor:
    """`ops.filtered_lrelu` as separate steps at the full sampling rate."""
    x = upfirdn2d(x.contiguous() + b[:, None, None], fu, up=up, padding=padding, gain=up**2)
    x = F.leaky_relu(x, slope) * gain
    return upfirdn2d(x if clamp is None else x.clamp(-clamp, clamp), fd, down=down)


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Inserts zeros, pads, filters with a depthwise convolution at the full rate, and keeps every down-th sample."""
    n, channels, height, width = x.shape
    x = F.pad(x.reshape(n, channels, height, 1, width, 1), [0, up - 1, 0, 0, 0, up - 1])
    x = x.reshape(n, channels, height * up, width * up)
    x = F.pad(x, [padding] * 4 if isinstance(padding, int) else list(padding))
    if f is not None:
        taps = (f if flip_filter else f.flip(tuple(range(f.ndim)))) * gain ** (f.ndim / 2)
        for kernel in [taps] if f.ndim == 2 else [taps[None, :], taps[:, None]]:
            x = F.conv2d(x, kernel.expand(channels, 1, *kernel.shape), groups=channels)
    return x[:, :, ::down, ::down]

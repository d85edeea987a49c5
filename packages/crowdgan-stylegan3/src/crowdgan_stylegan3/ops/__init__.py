"""The ops of StyleGAN: `upfirdn2d`, `bias_act`, `filtered_lrelu`, and the modulated `conv2d`."""

from __future__ import annotations

import torch
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.ops import reference, torch_ops, winograd
from crowdgan_stylegan3.ops.arguments import (
    ACTIVATIONS,
    DEFAULT_GAINS,
    DEFAULT_SLOPE,
    SQRT_2,
    Activation,
    Factor,
    FilteredLrelu,
    Padding,
    check_convolution,
    checked_bias,
    checked_clamp,
    checked_filter,
    checked_gain,
    checked_image,
    resampling,
    taps_of,
)
from crowdgan_stylegan3.ops.dispatch import is_accelerated

__all__ = ["bias_act", "conv2d", "filtered_lrelu", "upfirdn2d"]


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    up: Factor = 1,
    down: Factor = 1,
    padding: Padding = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """`x` upsampled, filtered and downsampled, `[N, C, out_height, out_width]`.

    Zeros are inserted (each sample is followed by up - 1), padded around, the result is filtered, and every down-th
    sample kept: out = (size · up + padding - taps) // down + 1. Gradients of any order.

    Args:
        x: `[N, C, H, W]`, any strides.
        f: `[taps]` separable, or `[height, width]`, float32; None for the identity.
        up: factor, or `(x, y)`.
        down: factor, or `(x, y)`.
        padding: at the upsampled rate: one number, `(x, y)` or `(x0, x1, y0, y1)`; negative ones crop.
        flip_filter: correlate with `f`; False convolves.
        gain: what the result is multiplied by.

    Raises:
        ConfigError: an argument of the wrong form, or nothing is left.

    Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020.
    """
    x = checked_image(x)
    f = checked_filter(f, x)
    how = resampling(up, down, padding, flip_filter=flip_filter, gain=gain)
    how.out_size((x.shape[2], x.shape[3]), taps_of(f))
    if is_accelerated(x, f):
        y: Tensor = torch_ops.upfirdn2d(x, f, *torch_ops.plain(how))
        return y
    return reference.upfirdn2d(x, f, how)


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    dim: int = 1,
    act: Activation = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Activation of `x` + `b`, times a gain, clamped; of the shape of `x`. Gradients of any order.

    Args:
        x: any shape.
        b: `[x.shape[dim]]`; None for none.
        dim: what the bias belongs to.
        act: linear, relu, lrelu, tanh, sigmoid, elu, selu, softplus or swish.
        alpha: slope of lrelu below 0, by default 0.2.
        gain: by default √2 for relu, lrelu and swish, else 1.
        clamp: bound of the absolute value; None for none.

    Raises:
        ConfigError: an argument of the wrong form.
    """
    if act not in ACTIVATIONS:
        raise ConfigError(f"act is {act}; it must be one of {', '.join(ACTIVATIONS)}")
    alpha = DEFAULT_SLOPE if alpha is None else float(alpha)
    gain = DEFAULT_GAINS.get(act, 1.0) if gain is None else float(gain)
    b, clamp = checked_bias(b, x, dim), checked_clamp(clamp)
    below = {"linear": 1.0, "relu": 0.0, "lrelu": alpha}.get(act)
    if below is not None and is_accelerated(x):
        y: Tensor = torch_ops.bias_act(x, b, dim, gain, gain * below, clamp)
        return y
    return reference.bias_act(x, b, dim, act, alpha, gain, clamp)


def filtered_lrelu(
    x: Tensor,
    fu: Tensor | None = None,
    fd: Tensor | None = None,
    b: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: Padding = 0,
    gain: float = SQRT_2,
    slope: float = DEFAULT_SLOPE,
    clamp: float | None = None,
    flip_filter: bool = False,
) -> Tensor:
    """A leaky ReLU between an upsampling and a downsampling, so that it makes no aliases.

    Bias; upsampling with `fu` and gain up²; leaky ReLU, gain, clamp; downsampling with `fd`. First gradients to `x` and
    `b`.

    Args:
        x: `[N, C, H, W]`, any strides.
        fu: filter of the upsampling, `[taps]` or `[height, width]`, float32; None for the identity.
        fd: filter of the downsampling, likewise.
        b: `[C]`; None for none.
        up: factor.
        down: factor.
        padding: at the upsampled rate: one number, `(x, y)` or `(x0, x1, y0, y1)`; negative ones crop.
        gain: what the activation is multiplied by.
        slope: of the leaky ReLU below 0.
        clamp: bound of the absolute value after the gain; None for none.
        flip_filter: correlate with the filters; False convolves.

    Returns:
        `[N, C, out_height, out_width]`.

    Raises:
        ConfigError: an argument of the wrong form, or nothing is left.

    Source: Karras et al., "Alias-Free Generative Adversarial Networks", 2021.
    """
    x = checked_image(x)
    fu, fd, b = checked_filter(fu, x), checked_filter(fd, x), checked_bias(b, x, 1)
    rise = resampling(up, 1, padding, flip_filter=flip_filter, gain=up**2)
    fall = resampling(1, down, 0, flip_filter=flip_filter)
    gain, slope, clamp = checked_gain(gain), float(slope), checked_clamp(clamp)
    how = FilteredLrelu(fu=fu, fd=fd, rise=rise, fall=fall, gain=gain, slope=slope, clamp=clamp)
    how.out_size((x.shape[2], x.shape[3]))
    if is_accelerated(x, fu, fd):
        y: Tensor = torch_ops.filtered_lrelu(x, fu, fd, b, up, down, [*rise.padding], flip_filter, gain, slope, clamp)
        return y
    return reference.filtered_lrelu(x, b, how)


def conv2d(
    x: Tensor, weight: Tensor, padding: int = 0, in_scale: Tensor | None = None, out_scale: Tensor | None = None
) -> Tensor:
    """A convolution (correlation, as PyTorch's) whose channels are scaled per image: `x` · in_scale before, and the
    result · out_scale. Gradients of any order.

    On a CPU, 3x3 convolutions of many channels take a quarter of the products (`winograd`), and nothing but the scales
    is multiplied for the scaling.

    Args:
        x: `[N, C, H, W]`.
        weight: `[K, C, kernel, kernel]`.
        padding: zeros on each side.
        in_scale: `[N, C]`; None for none.
        out_scale: `[N, K]`; None for none.

    Returns:
        `[N, K, H + 2 · padding - kernel + 1, W + 2 · padding - kernel + 1]`.

    Raises:
        ConfigError: an argument of the wrong form.

    Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, for the modulation.
    """
    check_convolution(x, weight, in_scale, out_scale)
    if not (is_accelerated(x) and x.device.type == "cpu" and winograd.is_worthwhile(x, weight, padding)):
        return reference.conv2d(x, weight, padding, in_scale, out_scale)
    if not torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return winograd.convolve(x, weight, padding, in_scale, out_scale)
    y: Tensor = torch_ops.conv3x3(x if in_scale is None else x * in_scale[:, :, None, None], weight, padding)
    return y if out_scale is None else y * out_scale[:, :, None, None]

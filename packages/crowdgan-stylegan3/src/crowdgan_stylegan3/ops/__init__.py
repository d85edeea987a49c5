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
    filter_size,
    image_size,
    parse_resampling,
    validate_bias,
    validate_clamp,
    validate_filter,
    validate_gain,
    validate_image,
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

    Upsampling inserts up - 1 zeros after each sample; the result is padded with zeros and filtered, and every down-th
    sample is kept: out = (size · up + padding - taps) // down + 1. Gradients of any order.

    Args:
        x: `[N, C, H, W]`, any strides.
        f: `[taps]` separable, or `[height, width]`, float32; None for the identity.
        up: upsampling factor, or `(x, y)`.
        down: downsampling factor, or `(x, y)`.
        padding: samples at the upsampled rate: one number, `(x, y)` or `(x0, x1, y0, y1)`; negative values crop.
        flip_filter: correlate with `f`; False convolves.
        gain: factor of the result.

    Raises:
        ConfigError: an argument is not valid, or the result is empty.

    Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020.
    """
    x = validate_image(x)
    f = validate_filter(f, x)
    resampling = parse_resampling(up, down, padding, flip_filter=flip_filter, gain=gain)
    resampling.out_size(image_size(x), filter_size(f))
    if is_accelerated(x, f):
        y: Tensor = torch_ops.upfirdn2d(x, f, *torch_ops.unpack_resampling(resampling))
        return y
    return reference.upfirdn2d(x, f, resampling)


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    dim: int = 1,
    act: Activation = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Activation of `x` + `b`, times a gain, clamped; the shape is that of `x`. Gradients of any order.

    Args:
        x: any shape.
        b: `[x.shape[dim]]`; None for no bias.
        dim: dimension of the bias.
        act: linear, relu, lrelu, tanh, sigmoid, elu, selu, softplus or swish.
        alpha: slope of lrelu below 0, by default 0.2.
        gain: factor of the activation, by default √2 for relu, lrelu and swish, else 1.
        clamp: bound of the absolute value; None for no bound.

    Raises:
        ConfigError: an argument is not valid.
    """
    if act not in ACTIVATIONS:
        raise ConfigError(f"act is {act}; it must be one of {', '.join(ACTIVATIONS)}")
    alpha = DEFAULT_SLOPE if alpha is None else float(alpha)
    gain = DEFAULT_GAINS.get(act, 1.0) if gain is None else float(gain)
    b, clamp = validate_bias(b, x, dim), validate_clamp(clamp)
    negative_slope = {"linear": 1.0, "relu": 0.0, "lrelu": alpha}.get(act)
    if negative_slope is not None and is_accelerated(x):
        y: Tensor = torch_ops.bias_act(x, b, dim, gain, gain * negative_slope, clamp)
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
    """A leaky ReLU between an upsampling and a downsampling, which suppress its aliasing.

    The steps are: bias; upsampling with `fu` and gain up²; leaky ReLU, gain and clamp; downsampling with `fd`.
    First-order gradients to `x` and `b`.

    Args:
        x: `[N, C, H, W]`, any strides.
        fu: upsampling filter, `[taps]` or `[height, width]`, float32; None for the identity.
        fd: downsampling filter, `[taps]` or `[height, width]`, float32; None for the identity.
        b: `[C]`; None for no bias.
        up: upsampling factor.
        down: downsampling factor.
        padding: samples at the upsampled rate: one number, `(x, y)` or `(x0, x1, y0, y1)`; negative values crop.
        gain: factor of the activation.
        slope: slope of the leaky ReLU below 0.
        clamp: bound of the absolute value after the gain; None for no bound.
        flip_filter: correlate with the filters; False convolves.

    Returns:
        `[N, C, out_height, out_width]`.

    Raises:
        ConfigError: an argument is not valid, or the result is empty.

    Source: Karras et al., "Alias-Free Generative Adversarial Networks", 2021.
    """
    x = validate_image(x)
    fu, fd, b = validate_filter(fu, x), validate_filter(fd, x), validate_bias(b, x, 1)
    params = FilteredLrelu(
        fu=fu,
        fd=fd,
        upsampling=parse_resampling(up, 1, padding, flip_filter=flip_filter, gain=up**2),
        downsampling=parse_resampling(1, down, 0, flip_filter=flip_filter),
        gain=validate_gain(gain),
        slope=float(slope),
        clamp=validate_clamp(clamp),
    )
    params.out_size(image_size(x))
    if is_accelerated(x, fu, fd):
        y: Tensor = torch_ops.filtered_lrelu(
            x,
            fu,
            fd,
            b,
            up,
            down,
            [*params.upsampling.padding],
            flip_filter,
            params.gain,
            params.slope,
            params.clamp,
        )
        return y
    return reference.filtered_lrelu(x, b, params)


def conv2d(
    x: Tensor, weight: Tensor, padding: int = 0, in_scale: Tensor | None = None, out_scale: Tensor | None = None
) -> Tensor:
    """A convolution (cross-correlation, as in PyTorch) with per-image scales of the input and output channels.

    The result is conv(`x` · in_scale, weight) · out_scale. Gradients of any order. On a CPU, 3x3 convolutions of 16
    channels or more use a Winograd algorithm with a quarter of the multiplications (`winograd`); without gradients the
    scales are applied to its tiles, not to copies of the images.

    Args:
        x: `[N, C, H, W]`.
        weight: `[K, C, kernel, kernel]`.
        padding: zeros on each side.
        in_scale: `[N, C]`; None for no scaling.
        out_scale: `[N, K]`; None for no scaling.

    Returns:
        `[N, K, H + 2 · padding - kernel + 1, W + 2 · padding - kernel + 1]`.

    Raises:
        ConfigError: an argument is not valid.

    Source: modulation: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020.
    """
    check_convolution(x, weight, in_scale, out_scale)
    if not (is_accelerated(x) and x.device.type == "cpu" and winograd.is_worthwhile(x, weight, padding)):
        return reference.conv2d(x, weight, padding, in_scale, out_scale)
    if not torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return winograd.convolve(x, weight, padding, in_scale, out_scale)
    y: Tensor = torch_ops.conv3x3(x if in_scale is None else x * in_scale[:, :, None, None], weight, padding)
    return y if out_scale is None else y * out_scale[:, :, None, None]

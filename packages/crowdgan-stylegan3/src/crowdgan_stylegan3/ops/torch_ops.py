"""The accelerated ops as custom operators of PyTorch, with support for autograd, `torch.compile` and fake tensors.

Each operator is linear in its first argument, or its derivative is. The derivative of `upfirdn2d` is `upfirdn2d` with
the transposed resampling. The derivatives of the leaky ReLUs are the operators `…_linear`, whose derivatives are the
same operators. The slope of a leaky ReLU is constant except at 0, so second derivatives with respect to `x` are 0.

The implementation depends on the device: `native` on a CPU, `triton` on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from crowdgan_stylegan3.ops import winograd
from crowdgan_stylegan3.ops.arguments import (
    FilteredLrelu,
    Resampling,
    filter_size,
    image_memory_format,
    image_size,
)
from crowdgan_stylegan3.ops.native import library as native
from crowdgan_stylegan3.ops.registration import operator, register_autograd, register_fake

Ints = Sequence[int]

DEVICES = ("cpu", "cuda")


def _pack_resampling(up: Ints, down: Ints, padding: Ints, flip_filter: bool, gain: float) -> Resampling:
    return Resampling(
        up=(up[0], up[1]),
        down=(down[0], down[1]),
        padding=(padding[0], padding[1], padding[2], padding[3]),
        flip_filter=flip_filter,
        gain=gain,
    )


def unpack_resampling(resampling: Resampling) -> tuple[list[int], list[int], list[int], bool, float]:
    """The arguments of an operator for a resampling: up, down, padding, flip_filter, gain."""
    return (
        [*resampling.up],
        [*resampling.down],
        [*resampling.padding],
        resampling.flip_filter,
        resampling.gain,
    )


def unsupported_reason(x: Tensor, *filters: Tensor) -> str | None:
    """Reason why the operators do not support an image and filters; None if they do.

    On a GPU the operators support all of them: the Triton ops fall back to the reference where necessary.
    """
    return native.unavailable_reason(x, *filters) if x.device.type == "cpu" else None


def _implementation(x: Tensor) -> ModuleType:
    """The module with `upfirdn2d`, `filtered_lrelu` and `filtered_lrelu_linear` for the device of `x`."""
    if x.device.type == "cpu":
        return native
    from crowdgan_stylegan3.ops import triton  # imported only for GPUs

    return triton


def _empty_image(x: Tensor, size: tuple[int, int]) -> Tensor:
    """An uninitialised image `[N, C, *size]` with the dtype, device and memory format of `x`."""
    shape = (x.shape[0], x.shape[1], *size)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=image_memory_format(x))


@operator(*DEVICES)
def upfirdn2d(x: Tensor, f: Tensor, up: Ints, down: Ints, padding: Ints, flip_filter: bool, gain: float) -> Tensor:
    """As `reference.upfirdn2d`, with the fields of the resampling as separate arguments."""
    resampling = _pack_resampling(up, down, padding, flip_filter, gain)
    y: Tensor = _implementation(x).upfirdn2d(x, f, resampling)
    return y


@register_fake(upfirdn2d)
def _(x: Tensor, f: Tensor, *resampling: Any) -> Tensor:
    return _empty_image(x, _pack_resampling(*resampling).out_size(image_size(x), filter_size(f)))


def _setup_upfirdn2d(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, f, *resampling = inputs
    ctx.save_for_backward(f)
    ctx.transposed = _pack_resampling(*resampling).transposed(image_size(x), filter_size(f))


def _backward_upfirdn2d(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    (f,) = ctx.saved_tensors
    return upfirdn2d(dy, f, *unpack_resampling(ctx.transposed)), None, None, None, None, None, None


register_autograd(upfirdn2d, _backward_upfirdn2d, setup_context=_setup_upfirdn2d)


@operator(*DEVICES)
def bias_act(x: Tensor, b: Tensor | None, dim: int, above: float, below: float, clamp: float | None) -> Tensor:
    """`x` plus a bias along `dim`, times the slope `above` or `below` 0, clamped."""
    return _bias_act(None, x, b, dim, above, below, clamp)


@register_fake(bias_act)
def _(x: Tensor, *_: Any) -> Tensor:
    return _empty_dense(x)


@operator(*DEVICES)
def bias_act_linear(
    v: Tensor, x: Tensor, b: Tensor | None, dim: int, above: float, below: float, clamp: float | None
) -> Tensor:
    """`v` times the derivative of `bias_act` at `x`."""
    return _bias_act(v, x, b, dim, above, below, clamp)


def _bias_act(
    v: Tensor | None, x: Tensor, b: Tensor | None, dim: int, above: float, below: float, clamp: float | None
) -> Tensor:
    if x.device.type == "cpu":
        return native.bias_act(v, x, b, dim, (above, below), clamp)
    from crowdgan_stylegan3.ops import triton

    alpha = below / above if above else 1.0
    return triton.bias_act(v, x, b, dim, "lrelu", alpha, above, clamp, 0 if v is None else 1)


@register_fake(bias_act_linear)
def _(v: Tensor, x: Tensor, *_: Any) -> Tensor:
    return _empty_dense(x)


def _empty_dense(x: Tensor) -> Tensor:
    """An uninitialised tensor like `x`, channels last or contiguous in memory."""
    is_channels_last = x.ndim == 4 and not x.is_contiguous()
    return torch.empty_like(x, memory_format=torch.channels_last if is_channels_last else torch.contiguous_format)


def _setup_bias_act(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, b, *rest = inputs
    ctx.save_for_backward(x, b)
    ctx.rest = rest


def _backward_bias_act(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, b = ctx.saved_tensors
    dx = bias_act_linear(dy, x, b, *ctx.rest)
    db = _sum_over_other_dims(dx, ctx.rest[0]) if ctx.needs_input_grad[1] else None
    return dx, db, None, None, None, None


register_autograd(bias_act, _backward_bias_act, setup_context=_setup_bias_act)


def _setup_bias_act_linear(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, x, b, *rest = inputs
    ctx.save_for_backward(x, b)
    ctx.rest = rest


def _backward_bias_act_linear(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, b = ctx.saved_tensors
    return bias_act_linear(dy, x, b, *ctx.rest), None, None, None, None, None, None


register_autograd(bias_act_linear, _backward_bias_act_linear, setup_context=_setup_bias_act_linear)


def _sum_over_other_dims(x: Tensor, dim: int) -> Tensor:
    """Sum over all dimensions except `dim`, `[x.shape[dim]]`."""
    return x.sum([axis for axis in range(x.ndim) if axis != dim])


@operator(*DEVICES)
def filtered_lrelu(
    x: Tensor,
    fu: Tensor,
    fd: Tensor,
    b: Tensor | None,
    up: int,
    down: int,
    padding: Ints,
    flip_filter: bool,
    gain: float,
    slope: float,
    clamp: float | None,
) -> Tensor:
    """As `ops.filtered_lrelu`."""
    params = _pack_filtered_lrelu(fu, fd, up, down, padding, flip_filter, gain, slope, clamp)
    y: Tensor = _implementation(x).filtered_lrelu(x, b, params)
    return y


@register_fake(filtered_lrelu)
def _(x: Tensor, fu: Tensor, fd: Tensor, b: Tensor | None, *rest: Any) -> Tensor:
    return _empty_image(x, _pack_filtered_lrelu(fu, fd, *rest).out_size(image_size(x)))


@operator(*DEVICES)
def filtered_lrelu_linear(
    v: Tensor,
    x: Tensor,
    fu: Tensor,
    fd: Tensor,
    b: Tensor | None,
    up: int,
    down: int,
    padding: Ints,
    flip_filter: bool,
    gain: float,
    slope: float,
    clamp: float | None,
    transposed: bool,
) -> Tensor:
    """`filtered_lrelu` linearised at `x`, or the transposed linear map (gradient of result to gradient of `x`)."""
    params = _pack_filtered_lrelu(fu, fd, up, down, padding, flip_filter, gain, slope, clamp)
    y: Tensor = _implementation(x).filtered_lrelu_linear(v, x, b, params, transposed)
    return y


@register_fake(filtered_lrelu_linear)
def _(v: Tensor, x: Tensor, fu: Tensor, fd: Tensor, b: Tensor | None, *rest: Any) -> Tensor:
    if rest[-1]:
        return _empty_image(x, image_size(x))
    return _empty_image(x, _pack_filtered_lrelu(fu, fd, *rest[:-1]).out_size(image_size(x)))


def _pack_filtered_lrelu(
    fu: Tensor,
    fd: Tensor,
    up: int,
    down: int,
    padding: Ints,
    flip_filter: bool,
    gain: float,
    slope: float,
    clamp: float | None,
) -> FilteredLrelu:
    """The arguments of an operator as one object."""
    return FilteredLrelu(
        fu=fu,
        fd=fd,
        upsampling=_pack_resampling((up, up), (1, 1), padding, flip_filter, float(up**2)),
        downsampling=_pack_resampling((1, 1), (down, down), (0, 0, 0, 0), flip_filter, 1.0),
        gain=gain,
        slope=slope,
        clamp=clamp,
    )


def _setup_filtered_lrelu(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, fu, fd, b, *rest = inputs
    ctx.save_for_backward(x, fu, fd, b)
    ctx.rest = rest


def _backward_filtered_lrelu(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, fu, fd, b = ctx.saved_tensors
    dx = filtered_lrelu_linear(dy, x, fu, fd, b, *ctx.rest, True)
    db = _sum_over_other_dims(dx, 1) if ctx.needs_input_grad[3] else None
    return dx, None, None, db, *[None] * 7


register_autograd(filtered_lrelu, _backward_filtered_lrelu, setup_context=_setup_filtered_lrelu)


def _setup_filtered_lrelu_linear(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, x, fu, fd, b, *rest, transposed = inputs
    ctx.save_for_backward(x, fu, fd, b)
    ctx.rest, ctx.transposed = rest, transposed


def _backward_filtered_lrelu_linear(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, fu, fd, b = ctx.saved_tensors
    return filtered_lrelu_linear(dy, x, fu, fd, b, *ctx.rest, not ctx.transposed), *[None] * 12


register_autograd(filtered_lrelu_linear, _backward_filtered_lrelu_linear, setup_context=_setup_filtered_lrelu_linear)


@operator("cpu")
def conv3x3(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    """`x` `[N, C, H, W]` cross-correlated with `weight` `[K, C, 3, 3]`, channels last in memory."""
    return winograd.convolve(x, weight, padding)


@register_fake(conv3x3)
def _(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    shape = winograd.out_shape(x, weight, padding)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)


def _setup_conv3x3(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, ctx.padding = inputs
    ctx.save_for_backward(x, weight)


def _backward_conv3x3(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    dx = _conv3x3_input_gradient(dy, weight, ctx.padding) if ctx.needs_input_grad[0] else None
    dw = conv3x3_weight_gradient(x, dy, ctx.padding) if ctx.needs_input_grad[1] else None
    return dx, dw, None


def _conv3x3_input_gradient(dy: Tensor, weight: Tensor, padding: int) -> Tensor:
    dx: Tensor = conv3x3(dy, weight.flip(2, 3).transpose(0, 1), 2 - padding)
    return dx


register_autograd(conv3x3, _backward_conv3x3, setup_context=_setup_conv3x3)


@operator("cpu")
def conv3x3_weight_gradient(x: Tensor, dy: Tensor, padding: int) -> Tensor:
    """Gradient `[K, C, 3, 3]` of the weight of `conv3x3` from that of its result; linear in `x` and in `dy`."""
    return winograd.weight_gradient(x, dy, padding)


@register_fake(conv3x3_weight_gradient)
def _(x: Tensor, dy: Tensor, padding: int) -> Tensor:
    return x.new_empty(dy.shape[1], x.shape[1], 3, 3)


def _setup_conv3x3_weight_gradient(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, dy, ctx.padding = inputs
    ctx.save_for_backward(x, dy)


def _backward_conv3x3_weight_gradient(ctx: Any, ddw: Tensor) -> tuple[Tensor | None, ...]:
    x, dy = ctx.saved_tensors
    dx = _conv3x3_input_gradient(dy, ddw, ctx.padding) if ctx.needs_input_grad[0] else None
    ddy = conv3x3(x, ddw, ctx.padding) if ctx.needs_input_grad[1] else None
    return dx, ddy, None


register_autograd(
    conv3x3_weight_gradient, _backward_conv3x3_weight_gradient, setup_context=_setup_conv3x3_weight_gradient
)

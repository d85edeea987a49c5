"""The native ops as operators of PyTorch, so that autograd, `torch.compile` and fake tensors work with them.

Each operator is linear in its first argument or has a derivative that is: `upfirdn2d` is its own derivative with the
resampling transposed; the leaky ReLUs have `…_linear`, which is its own derivative again. Signs do not change with `x`
but at single points, so second derivatives with respect to `x` are 0.

How an operator computes is looked up by device: `native` on a CPU, `triton` on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op
from torch.nn.grad import conv2d_weight

from crowdgan_stylegan3.ops import winograd
from crowdgan_stylegan3.ops.arguments import FilteredLrelu, Resampling, image_order, taps_of
from crowdgan_stylegan3.ops.native import library as native

Numbers = Sequence[int]

DEVICES = ("cpu", "cuda")


def _how(up: Numbers, down: Numbers, padding: Numbers, flip_filter: bool, gain: float) -> Resampling:
    return Resampling(
        up=(up[0], up[1]),
        down=(down[0], down[1]),
        padding=(padding[0], padding[1], padding[2], padding[3]),
        flip_filter=flip_filter,
        gain=gain,
    )


def plain(how: Resampling) -> tuple[list[int], list[int], list[int], bool, float]:
    """A resampling as arguments of an operator."""
    return [*how.up], [*how.down], [*how.padding], how.flip_filter, how.gain


def unsupported_reason(x: Tensor, *filters: Tensor) -> str | None:
    """Why the operators cannot take an image and filters; None when they can. On a GPU they choose by themselves."""
    return native.unavailable_reason(x, *filters) if x.device.type == "cpu" else None


def _form(x: Tensor) -> ModuleType:
    """The functions that compute on the device of `x`: `upfirdn2d`, `filtered_lrelu` and `filtered_lrelu_linear`."""
    if x.device.type == "cpu":
        return native
    from crowdgan_stylegan3.ops import triton  # here, since only GPUs need it

    return triton


def _like(x: Tensor, size: tuple[int, int]) -> Tensor:
    """An empty result of a size, in the memory order of `x`."""
    shape = (x.shape[0], x.shape[1], *size)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=image_order(x))


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[2], x.shape[3]


@custom_op("crowdgan::upfirdn2d", mutates_args=(), device_types=DEVICES)
def upfirdn2d(
    x: Tensor, f: Tensor, up: Numbers, down: Numbers, padding: Numbers, flip_filter: bool, gain: float
) -> Tensor:
    """As `reference.upfirdn2d`, with the resampling as plain arguments."""
    y: Tensor = _form(x).upfirdn2d(x, f, _how(up, down, padding, flip_filter, gain))
    return y


@upfirdn2d.register_fake
def _(x: Tensor, f: Tensor, *how: Any) -> Tensor:
    return _like(x, _how(*how).out_size(_size(x), taps_of(f)))


def _save_upfirdn2d(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, f, *how = inputs
    ctx.save_for_backward(f)
    ctx.back = _how(*how).transposed(_size(x), taps_of(f))


def _back_upfirdn2d(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    (f,) = ctx.saved_tensors
    return upfirdn2d(dy, f, *plain(ctx.back)), None, None, None, None, None, None


upfirdn2d.register_autograd(_back_upfirdn2d, setup_context=_save_upfirdn2d)


@custom_op("crowdgan::bias_act", mutates_args=(), device_types=DEVICES)
def bias_act(x: Tensor, b: Tensor | None, dim: int, above: float, below: float, clamp: float | None) -> Tensor:
    """`x` plus a bias along `dim`, times the slope above or below 0, clamped."""
    return _bias_act(None, x, b, dim, above, below, clamp)


@bias_act.register_fake
def _(x: Tensor, *_: Any) -> Tensor:
    return _dense_like(x)


@custom_op("crowdgan::bias_act_linear", mutates_args=(), device_types=DEVICES)
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


@bias_act_linear.register_fake
def _(v: Tensor, x: Tensor, *_: Any) -> Tensor:
    return _dense_like(x)


def _dense_like(x: Tensor) -> Tensor:
    order = torch.channels_last if x.ndim == 4 and not x.is_contiguous() else torch.contiguous_format
    return torch.empty_like(x, memory_format=order)


def _save_bias_act(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, b, *rest = inputs
    ctx.save_for_backward(x, b)
    ctx.rest = rest


def _back_bias_act(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, b = ctx.saved_tensors
    dx = bias_act_linear(dy, x, b, *ctx.rest)
    db = _sum_but(dx, ctx.rest[0]) if ctx.needs_input_grad[1] else None
    return dx, db, None, None, None, None


bias_act.register_autograd(_back_bias_act, setup_context=_save_bias_act)


def _save_bias_act_linear(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, x, b, *rest = inputs
    ctx.save_for_backward(x, b)
    ctx.rest = rest


def _back_bias_act_linear(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, b = ctx.saved_tensors
    return bias_act_linear(dy, x, b, *ctx.rest), None, None, None, None, None, None


bias_act_linear.register_autograd(_back_bias_act_linear, setup_context=_save_bias_act_linear)


def _sum_but(x: Tensor, dim: int) -> Tensor:
    """Sum over all dimensions but one."""
    return x.sum([axis for axis in range(x.ndim) if axis != dim])


@custom_op("crowdgan::filtered_lrelu", mutates_args=(), device_types=DEVICES)
def filtered_lrelu(
    x: Tensor,
    fu: Tensor,
    fd: Tensor,
    b: Tensor | None,
    up: int,
    down: int,
    padding: Numbers,
    flip_filter: bool,
    gain: float,
    slope: float,
    clamp: float | None,
) -> Tensor:
    """As `ops.filtered_lrelu`."""
    y: Tensor = _form(x).filtered_lrelu(x, b, _filtering(fu, fd, up, down, padding, flip_filter, gain, slope, clamp))
    return y


@filtered_lrelu.register_fake
def _(x: Tensor, fu: Tensor, fd: Tensor, b: Tensor | None, *rest: Any) -> Tensor:
    return _like(x, _filtering(fu, fd, *rest).out_size(_size(x)))


@custom_op("crowdgan::filtered_lrelu_linear", mutates_args=(), device_types=DEVICES)
def filtered_lrelu_linear(
    v: Tensor,
    x: Tensor,
    fu: Tensor,
    fd: Tensor,
    b: Tensor | None,
    up: int,
    down: int,
    padding: Numbers,
    flip_filter: bool,
    gain: float,
    slope: float,
    clamp: float | None,
    transposed: bool,
) -> Tensor:
    """`filtered_lrelu` linearised at `x`, applied to `v`; or transposed, which takes gradients of its result to `x`."""
    how = _filtering(fu, fd, up, down, padding, flip_filter, gain, slope, clamp)
    y: Tensor = _form(x).filtered_lrelu_linear(v, x, b, how, transposed)
    return y


@filtered_lrelu_linear.register_fake
def _(v: Tensor, x: Tensor, fu: Tensor, fd: Tensor, b: Tensor | None, *rest: Any) -> Tensor:
    if rest[-1]:
        return _like(x, _size(x))
    return _like(x, _filtering(fu, fd, *rest[:-1]).out_size(_size(x)))


def _filtering(
    fu: Tensor,
    fd: Tensor,
    up: int,
    down: int,
    padding: Numbers,
    flip_filter: bool,
    gain: float,
    slope: float,
    clamp: float | None,
) -> FilteredLrelu:
    """The plain arguments of `filtered_lrelu` as one."""
    rise = _how((up, up), (1, 1), padding, flip_filter, float(up**2))
    fall = _how((1, 1), (down, down), (0, 0, 0, 0), flip_filter, 1.0)
    return FilteredLrelu(fu=fu, fd=fd, rise=rise, fall=fall, gain=gain, slope=slope, clamp=clamp)


def _save_filtered_lrelu(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, fu, fd, b, *rest = inputs
    ctx.save_for_backward(x, fu, fd, b)
    ctx.rest = rest


def _back_filtered_lrelu(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, fu, fd, b = ctx.saved_tensors
    dx = filtered_lrelu_linear(dy, x, fu, fd, b, *ctx.rest, True)
    db = _sum_but(dx, 1) if ctx.needs_input_grad[3] else None
    return dx, None, None, db, *[None] * 7


filtered_lrelu.register_autograd(_back_filtered_lrelu, setup_context=_save_filtered_lrelu)


def _save_filtered_lrelu_linear(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, x, fu, fd, b, *rest, transposed = inputs
    ctx.save_for_backward(x, fu, fd, b)
    ctx.rest, ctx.transposed = rest, transposed


def _back_filtered_lrelu_linear(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, fu, fd, b = ctx.saved_tensors
    return filtered_lrelu_linear(dy, x, fu, fd, b, *ctx.rest, not ctx.transposed), *[None] * 12


filtered_lrelu_linear.register_autograd(_back_filtered_lrelu_linear, setup_context=_save_filtered_lrelu_linear)


@custom_op("crowdgan::conv3x3", mutates_args=(), device_types="cpu")
def conv3x3(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    """`x` `[N, C, H, W]` convolved with `weight` `[K, C, 3, 3]`, channels last in memory."""
    return winograd.convolve(x, weight, padding)


@conv3x3.register_fake
def _(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    shape = winograd.out_shape(x, weight, padding)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)


def _save_conv3x3(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, ctx.padding = inputs
    ctx.save_for_backward(x, weight)


def _back_conv3x3(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    dx = conv3x3(dy, weight.flip(2, 3).transpose(0, 1), 2 - ctx.padding) if ctx.needs_input_grad[0] else None
    dw: Tensor | None = None
    if ctx.needs_input_grad[1]:
        dw = conv2d_weight(x, weight.shape, dy, padding=ctx.padding)  # type: ignore[no-untyped-call]
    return dx, dw, None


conv3x3.register_autograd(_back_conv3x3, setup_context=_save_conv3x3)

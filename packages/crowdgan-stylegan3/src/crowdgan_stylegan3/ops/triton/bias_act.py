"""`bias_act` and its derivatives on a GPU, in one pass over memory, for any order of dimensions.

`ops.bias_act` uses it for linear, relu and lrelu, which have only a first derivative. StyleGAN's networks do not need
the other activations; those stay in plain PyTorch, which supports derivatives of any order.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import triton.language as tl
from torch import Tensor

from crowdgan_stylegan3.ops.arguments import Activation
from crowdgan_stylegan3.ops.triton.kernels import bias_act_kernel
from crowdgan_stylegan3.ops.triton.launch import Launch

SAMPLES_PER_PROGRAM = 1024
"""Samples per program: 8 per thread, which is 16 bytes in half precision."""


def bias_act(
    v: Tensor | None,
    x: Tensor,
    b: Tensor | None,
    dim: int,
    act: Activation,
    alpha: float,
    gain: float,
    clamp: float | None,
    order: Literal[0, 1, 2],
) -> Tensor:
    """The activation of `x` + `b` times a gain, clamped; or `v` times a derivative of it, 0 where it is clamped.

    Computed in float32, or in float64 for float64 tensors. Tensors that are not dense in memory are copied first.

    Args:
        v: factor of the derivative, with the shape of `x`; None for order 0.
        x: any shape, any floating-point dtype.
        b: `[x.shape[dim]]`; None for no bias.
        dim: dimension of the bias.
        act: the activation.
        alpha: slope of lrelu below 0.
        gain: factor of the activation.
        clamp: bound of the absolute value; None for no bound.
        order: order of the derivative.
    """
    x = x if is_dense(x) else x.contiguous()
    v = v if v is None or v.stride() == x.stride() else torch.empty_like(x).copy_(v)
    out = torch.empty_like(x)
    if out.numel():
        plan_bias_act(out, v, x, b, dim, act, alpha, gain, clamp, order).run(x.device)
    return out


def plan_bias_act(
    out: Tensor,
    v: Tensor | None,
    x: Tensor,
    b: Tensor | None,
    dim: int,
    act: Activation,
    alpha: float,
    gain: float,
    clamp: float | None,
    order: Literal[0, 1, 2],
) -> Launch:
    """The launch of the kernel that writes `out`; `v`, `x` and `out` must be dense with equal strides."""
    arguments = {
        "out_ptr": out,
        "v_ptr": x if v is None else v,
        "x_ptr": x,
        "b_ptr": x if b is None else b.contiguous(),
        "numel": x.numel(),
        "bias_stride": 1 if b is None else x.stride(dim),
        "bias_length": 1 if b is None else x.shape[dim],
        "alpha": alpha,
        "gain": gain,
        "clamp": math.inf if clamp is None else clamp,
        "act": act,
        "order": order,
        "has_bias": b is not None,
        "compute": tl.float64 if x.dtype == torch.float64 else tl.float32,
        "block": SAMPLES_PER_PROGRAM,
    }
    return Launch(kernel=bias_act_kernel, programs=-(-x.numel() // SAMPLES_PER_PROGRAM), arguments=arguments)


def is_dense(x: Tensor) -> bool:
    """Whether the samples of `x` fill a contiguous range of memory, each once, in any order of dimensions."""
    expected_stride = 1
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size == 1:
            continue
        if stride != expected_stride:
            return False
        expected_stride *= size
    return True

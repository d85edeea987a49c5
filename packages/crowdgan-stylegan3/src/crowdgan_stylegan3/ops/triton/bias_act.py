"""`bias_act` and its derivatives on a GPU: one pass over memory, whatever the order of dimensions.

`ops.bias_act` takes it for linear, relu and lrelu, whose derivatives end with the first; with the others networks of
StyleGAN have nothing to do, and they stay plain PyTorch, differentiable without end.
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

BLOCK = 1024
"""Samples per program: 8 a thread, 16 bytes of half precision."""


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
    """The activation of `x` + `b` times a gain, clamped; or `v` times a derivative of that, 0 where it is clamped.

    Computed in float32, in float64 for such. Tensors with gaps or repetitions in memory are copied first.

    Args:
        v: of the shape of `x`, what multiplies the derivative; None for order 0.
        x: any shape, any kind of float.
        b: `[x.shape[dim]]`; None for none.
        dim: what the bias belongs to.
        act: the activation.
        alpha: slope of lrelu below 0.
        gain: what the activation is multiplied by.
        clamp: bound of the absolute value; None for none.
        order: of the derivative.
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
    """The start of the kernel that writes `out`; `v`, `x` and `out` lie alike in memory, without gaps."""
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
        "block": BLOCK,
    }
    return Launch(kernel=bias_act_kernel, programs=-(-x.numel() // BLOCK), arguments=arguments)


def is_dense(x: Tensor) -> bool:
    """Whether the samples of `x` fill an interval of memory, each once, in whatever order of dimensions."""
    expected = 1
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size == 1:
            continue
        if stride != expected:
            return False
        expected *= size
    return True

"""Checks of all ops on the GPU against the reference in float64.

Ops are checked in float32 and float16: forward pass, gradients, and second gradients if they are supported. Errors are
relative norms of the difference. A gradient of filtered_lrelu may differ if rounding moves an upsampled value to the
other side of the kink. It then differs by the full step, at a fraction of values proportional to the rounding error,
and so in norm by the square root of that fraction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from gpu_layers import CLAMP, GAIN, SLOPE, filtered_layers
from torch import Tensor

from crowdgan_stylegan3.ops import reference
from crowdgan_stylegan3.ops import triton as ops
from crowdgan_stylegan3.ops.arguments import ACTIVATIONS, filter_size, parse_resampling

MAX_ERRORS = {torch.float32: 1e-5, torch.float16: 2e-3}
"""Maximum relative error."""

MAX_KINK_ERRORS = {torch.float32: 3e-3, torch.float16: 5e-2}
"""Maximum relative error of gradients of filtered_lrelu."""

IMAGE_SIZES = ((1, 1), (37, 33), (131, 260))
FACTORS = ((1, 1), (2, 1), (4, 1), (1, 2), (1, 4), (2, 2), (4, 2), (2, 4), (4, 4))
"""(upsampling, downsampling) factors."""

SMALL_CLAMP = 2.0
"""Clamp that many values exceed."""

RADIAL_LAYER = 11
"""Index of a layer of configuration R at 256² with a non-separable filter."""


def check_all(device: torch.device) -> list[dict[str, Any]]:
    """One entry for each comparison: case, relative error, its maximum, and whether it passed."""
    results = []
    for dtype, max_error in MAX_ERRORS.items():
        for case, error in (*upfirdn2d_errors(dtype, device), *bias_act_errors(dtype, device)):
            results.append({"case": f"{case} {dtype}", "error": error, "bound": max_error})
        for case, error, has_kinks in filtered_lrelu_errors(dtype, device):
            bound = MAX_KINK_ERRORS[dtype] if has_kinks else max_error
            results.append({"case": f"{case} {dtype}", "error": error, "bound": bound})
    return [{**result, "passed": result["error"] <= result["bound"]} for result in results]


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Norm of the difference relative to the norm of the expected values."""
    return float((actual.double() - expected).norm() / expected.norm().clamp(min=1e-6))


def upfirdn2d_errors(dtype: torch.dtype, device: torch.device) -> Iterator[tuple[str, float]]:
    """Case and relative error of upfirdn2d and its gradient."""
    radial_filter = filtered_layers("r", 256, device)[RADIAL_LAYER].params.fd
    for size in IMAGE_SIZES:
        for up, down in FACTORS:
            for f, memory_format in (
                (torch.rand(12, device=device), torch.contiguous_format),
                (radial_filter, torch.channels_last),
            ):
                x = torch.randn(2, 9, *size, device=device, dtype=dtype).contiguous(memory_format=memory_format)
                resampling = parse_resampling(up, down, (12, 11, 9, 13), gain=up**2)
                case = f"upfirdn2d {size} {up}/{down} {f.ndim}d"
                expected = reference.upfirdn2d(x.double(), f.double(), resampling)
                yield case, relative_error(ops.upfirdn2d(x, f, resampling), expected)
                transposed, v = resampling.transposed(size, filter_size(f)), torch.randn_like(expected).to(dtype)
                gradient = ops.upfirdn2d(v, f, transposed)
                expected_gradient = reference.upfirdn2d(v.double(), f.double(), transposed)
                yield f"{case} gradient", relative_error(gradient, expected_gradient)


def bias_act_errors(dtype: torch.dtype, device: torch.device) -> Iterator[tuple[str, float]]:
    """Case and relative error of bias_act and its first two gradients."""
    for act in ACTIVATIONS:
        x, v = (torch.randn(4, 32, 65, 63, device=device, dtype=dtype) for _ in range(2))
        x = x.contiguous(memory_format=torch.channels_last)
        b = torch.randn(32, device=device, dtype=dtype)
        exact_x = x.double().requires_grad_()
        y = reference.bias_act(exact_x, b.double(), 1, act, SLOPE, GAIN, None)
        (first,) = torch.autograd.grad(y, exact_x, v.double(), create_graph=True)
        second = torch.zeros_like(exact_x)
        if first.requires_grad:
            (second,) = torch.autograd.grad(first.sum(), exact_x)
        for order, expected in enumerate((y, first, second)):
            actual = ops.bias_act(v if order else None, x, b, 1, act, SLOPE, GAIN, None, order)
            yield f"bias_act {act} order {order}", relative_error(actual, expected.detach())


def filtered_lrelu_errors(dtype: torch.dtype, device: torch.device) -> Iterator[tuple[str, float, bool]]:
    """Case, relative error, and whether kinks affect it, of filtered_lrelu and its first two gradients."""
    for config in ("t", "r"):
        layers = filtered_layers(config, 256, device)
        for layer in layers[::2] + layers[RADIAL_LAYER::2]:
            for memory_format in (torch.contiguous_format, torch.channels_last):
                x = torch.randn(2, 5, layer.in_size, layer.in_size, device=device, dtype=dtype)
                x = x.contiguous(memory_format=memory_format)
                b = torch.randn(5, device=device, dtype=dtype)
                clamp = CLAMP if memory_format == torch.channels_last else SMALL_CLAMP
                params = replace(layer.params, clamp=clamp)
                exact_params = replace(params, fu=params.fu.double(), fd=params.fd.double())
                exact_x = x.double().requires_grad_()
                y = reference.filtered_lrelu(exact_x, b.double(), exact_params)
                case = f"filtered_lrelu {config} {layer.name} clamp {clamp:g}"
                yield case, relative_error(ops.filtered_lrelu(x, b, params), y.detach()), False
                v, w = torch.randn_like(y).to(dtype), torch.randn_like(x)
                zero = torch.zeros_like(y, requires_grad=True)
                (backward,) = torch.autograd.grad(y, exact_x, zero, create_graph=True)
                (forward,) = torch.autograd.grad(backward, zero, w.double(), retain_graph=True)
                (gradient,) = torch.autograd.grad(y, exact_x, v.double())
                actual = ops.filtered_lrelu_linear(v, x, b, params, True)
                yield f"{case} gradient", relative_error(actual, gradient), True
                actual = ops.filtered_lrelu_linear(w, x, b, params, False)
                yield f"{case} second gradient", relative_error(actual, forward), True

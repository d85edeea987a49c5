"""All ops on the GPU against the reference in float64: float32 and float16, forward, gradients, second where promised.

Differences by norm. A gradient of filtered_lrelu may differ where a fine sample rounds to the other side of a kink: by
the whole step, at a share of samples like the rounding, so in norm by its root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from gpu_layers import CLAMP, GAIN, SLOPE, layers
from torch import Tensor

from crowdgan_stylegan3.ops import reference
from crowdgan_stylegan3.ops import triton as ops
from crowdgan_stylegan3.ops.arguments import ACTIVATIONS, resampling, taps_of

NORMS = {torch.float32: 1e-5, torch.float16: 2e-3}
KINK_NORMS = {torch.float32: 3e-3, torch.float16: 5e-2}
SIZES = ((1, 1), (37, 33), (131, 260))
FACTORS = ((1, 1), (2, 1), (4, 1), (1, 2), (1, 4), (2, 2), (4, 2), (2, 4), (4, 4))


def check_all(device: torch.device) -> list[dict[str, Any]]:
    """One entry for each comparison: case, relative error, bound, passed."""
    results = []
    for dtype, norm in NORMS.items():
        for case, error in (*upfirdn2d_errors(dtype, device), *bias_act_errors(dtype, device)):
            results.append({"case": f"{case} {dtype}", "error": error, "bound": norm})
        for case, error, kinks in filtered_lrelu_errors(dtype, device):
            bound = KINK_NORMS[dtype] if kinks else norm
            results.append({"case": f"{case} {dtype}", "error": error, "bound": bound})
    return [{**result, "passed": result["error"] <= result["bound"]} for result in results]


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm().clamp(min=1e-6))


def upfirdn2d_errors(dtype: torch.dtype, device: torch.device) -> Iterator[tuple[str, float]]:
    full = layers("r", 256, device)[11].fd
    for size in SIZES:
        for up, down in FACTORS:
            for f, memory_format in (
                (torch.rand(12, device=device), torch.contiguous_format),
                (full, torch.channels_last),
            ):
                x = torch.randn(2, 9, *size, device=device, dtype=dtype).contiguous(memory_format=memory_format)
                how = resampling(up, down, (12, 11, 9, 13), gain=up**2)
                case = f"upfirdn2d {size} {up}/{down} {f.ndim}d"
                expected = reference.upfirdn2d(x.double(), f.double(), how)
                yield case, relative_error(ops.upfirdn2d(x, f, how), expected)
                back, v = how.transposed(size, taps_of(f)), torch.randn_like(expected).to(dtype)
                found = ops.upfirdn2d(v, f, back)
                yield f"{case} gradient", relative_error(found, reference.upfirdn2d(v.double(), f.double(), back))


def bias_act_errors(dtype: torch.dtype, device: torch.device) -> Iterator[tuple[str, float]]:
    for act in ACTIVATIONS:
        x, v = (torch.randn(4, 32, 65, 63, device=device, dtype=dtype) for _ in range(2))
        x = x.contiguous(memory_format=torch.channels_last)
        b = torch.randn(32, device=device, dtype=dtype)
        start = x.double().requires_grad_()
        y = reference.bias_act(start, b.double(), 1, act, SLOPE, GAIN, None)
        (first,) = torch.autograd.grad(y, start, v.double(), create_graph=True)
        second = torch.zeros_like(start)
        if first.requires_grad:
            (second,) = torch.autograd.grad(first.sum(), start)
        for order, expected in enumerate((y, first, second)):
            found = ops.bias_act(v if order else None, x, b, 1, act, SLOPE, GAIN, None, order)
            yield f"bias_act {act} order {order}", relative_error(found, expected.detach())


def filtered_lrelu_errors(dtype: torch.dtype, device: torch.device) -> Iterator[tuple[str, float, bool]]:
    for config in ("t", "r"):
        for layer in layers(config, 256, device)[::2] + layers(config, 256, device)[11::2]:
            for memory_format in (torch.contiguous_format, torch.channels_last):
                x = torch.randn(2, 5, layer.in_size, layer.in_size, device=device, dtype=dtype)
                x = x.contiguous(memory_format=memory_format)
                b = torch.randn(5, device=device, dtype=dtype)
                clamp = CLAMP if memory_format == torch.channels_last else 2.0
                how = replace(layer.how, clamp=clamp)
                exact = replace(how, fu=how.fu.double(), fd=how.fd.double())
                start = x.double().requires_grad_()
                y = reference.filtered_lrelu(start, b.double(), exact)
                case = f"filtered_lrelu {config} {layer.name} clamp {clamp:g}"
                yield case, relative_error(ops.filtered_lrelu(x, b, how), y.detach()), False
                v, w = torch.randn_like(y).to(dtype), torch.randn_like(x)
                zero = torch.zeros_like(y, requires_grad=True)
                (back,) = torch.autograd.grad(y, start, zero, create_graph=True)
                (ahead,) = torch.autograd.grad(back, zero, w.double(), retain_graph=True)
                (gradient,) = torch.autograd.grad(y, start, v.double())
                found = ops.filtered_lrelu_linear(v, x, b, how, True)
                yield f"{case} gradient", relative_error(found, gradient), True
                found = ops.filtered_lrelu_linear(w, x, b, how, False)
                yield f"{case} second", relative_error(found, ahead), True

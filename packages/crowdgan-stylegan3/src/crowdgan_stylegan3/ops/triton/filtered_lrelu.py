"""`filtered_lrelu` and its linearisation on a GPU, in one kernel; upsampled samples stay in registers.

The forward pass, the linearised op and its transpose have the same structure: upsample x for the mask or the
activation, upsample a second tensor if there is one, downsample. The mask is recomputed from x: in half precision x
takes as many bytes as two bits per upsampled sample at factor 2 would, and no second format is stored.

Full filters are sums of a few separable ones (see `band_matrices`) instead of sums over filter rows: a radial filter of
12 x 12 needs 2 to 4 products instead of 12, and a separable filter is the special case of one.

Memory: for factor 2 and 12 taps a tile reads 32², has 64² upsampled samples and writes 22². Compiled for compute
capability 9.0 with 128 threads, a program takes at most 16 KiB of shared memory and, in half precision, 228 registers
per thread without spills; in float32 some kernels spill, the transposed ones most.
"""

from __future__ import annotations

import math

from torch import Tensor

from crowdgan_stylegan3.ops import reference
from crowdgan_stylegan3.ops.arguments import FilteredLrelu, Resampling, filter_size, image_size
from crowdgan_stylegan3.ops.triton.band_matrices import band_matrices, separable_factors
from crowdgan_stylegan3.ops.triton.bias_act import bias_act
from crowdgan_stylegan3.ops.triton.kernels import filtered_lrelu_kernel
from crowdgan_stylegan3.ops.triton.launch import Launch
from crowdgan_stylegan3.ops.triton.tiling import Tiling, axis_resamplings, best_tilings
from crowdgan_stylegan3.ops.triton.upfirdn2d import (
    common_arguments,
    empty_image,
    layout_arguments,
    num_programs,
    tile_arguments,
    unsupported_reason,
    upfirdn2d,
)

FilterStep = tuple[Tensor, Resampling]
"""A filter and its resampling."""


def filtered_lrelu(x: Tensor, b: Tensor | None, params: FilteredLrelu) -> Tensor:
    """`x` plus bias, upsampled, through a leaky ReLU, gain and clamp, downsampled.

    Args:
        x: `[N, C, H, W]`, any strides.
        b: `[C]`; None for no bias.
        params: filters, resamplings and activation.
    """
    if filtered_lrelu_unsupported_reason(x, params) is not None:
        return reference.filtered_lrelu(x, b, params)
    out = empty_image(x, params.out_size(image_size(x)))
    plan_filtered_lrelu(out, None, x, b, params, None, (params.fd, params.downsampling)).run(x.device)
    return out


def filtered_lrelu_linear(v: Tensor, x: Tensor, b: Tensor | None, params: FilteredLrelu, transposed: bool) -> Tensor:
    """`filtered_lrelu` linearised at `x`, or the transposed linear map (gradient of the result to gradient of `x`).

    The mask is gain · (1 or slope), by the sign of the upsampled samples of x + b, and 0 where they are clamped. The
    result is downsample(mask · upsample(v)), or transposed, upsampleᵀ(mask · downsampleᵀ(v)).

    Args:
        v: argument of the linear map: like `x`, or if `transposed`, like the result of the op; any strides.
        x: `[N, C, H, W]`, any strides.
        b: `[C]`; None for no bias.
        params: filters, resamplings and activation.
        transposed: apply the transposed map.

    Returns:
        A tensor like the result of the op, or if `transposed`, like `x`.
    """
    size = image_size(x)
    before, after = (params.fu, params.upsampling), (params.fd, params.downsampling)
    out_size = params.out_size(size)
    if transposed:
        upsampled_size = params.upsampled_size(size)
        before = (params.fd, params.downsampling.transposed(upsampled_size, filter_size(params.fd)))
        after = (params.fu, params.upsampling.transposed(size, filter_size(params.fu)))
        out_size = size
    if _unsupported_reason(x, (params.fu, params.upsampling), before, after) or unsupported_reason(v):
        return _filtered_lrelu_linear_unfused(v, x, b, params, before, after)
    out = empty_image(x, out_size)
    plan_filtered_lrelu(out, v.to(x.dtype), x, b, params, before, after).run(x.device)
    return out


def filtered_lrelu_unsupported_reason(x: Tensor, params: FilteredLrelu) -> str | None:
    """Reason why the kernel does not support these arguments; None if it does."""
    upsampling = (params.fu, params.upsampling)
    return _unsupported_reason(x, upsampling, upsampling, (params.fd, params.downsampling))


def _unsupported_reason(x: Tensor, upsampling: FilterStep, before: FilterStep, after: FilterStep) -> str | None:
    reason = unsupported_reason(x, upsampling, before, after)
    if reason is not None:
        return reason
    firsts = tuple(axis_resamplings(resampling, filter_size(f)) for f, resampling in (upsampling, before))
    if best_tilings((1, 1), axis_resamplings(after[1], filter_size(after[0])), firsts, 1) is None:
        taps = f"{filter_size(upsampling[0])} and {filter_size(after[0])}"
        return f"filters of {taps} taps, one after the other, read more than a tile of 64²"
    return None


def _filtered_lrelu_linear_unfused(
    v: Tensor, x: Tensor, b: Tensor | None, params: FilteredLrelu, before: FilterStep, after: FilterStep
) -> Tensor:
    """The linearised op as separate ops, for filters that do not fit a tile."""
    biased = reference.bias_act(x, b, 1, "linear", 0.0, 1.0, None)
    upsampled_x = upfirdn2d(biased, params.fu, params.upsampling)
    upsampled_v = upfirdn2d(v.to(x.dtype), *before)
    masked = bias_act(upsampled_v, upsampled_x, None, 1, "lrelu", params.slope, params.gain, params.clamp, 1)
    return upfirdn2d(masked, *after)


def plan_filtered_lrelu(
    out: Tensor,
    v: Tensor | None,
    x: Tensor,
    b: Tensor | None,
    params: FilteredLrelu,
    before: FilterStep | None,
    after: FilterStep,
) -> Launch:
    """The launch of the kernel that writes `out`.

    Args:
        out: the result, overwritten.
        v: factor of the derivative; None for the op itself.
        x: argument of the activation, or of its derivative.
        b: bias.
        params: upsampling of `x`, and activation.
        before: upsampling of `v`; None without `v`.
        after: downsampling to `out`.
    """
    upsampling = (params.fu, params.upsampling)
    f, downsampling = after
    firsts = (upsampling,) if before is None else (upsampling, before)
    first_axes = tuple(axis_resamplings(first[1], filter_size(first[0])) for first in firsts)
    last_axes = axis_resamplings(downsampling, filter_size(f))
    rank = separable_factors(f, x.dtype)[0].shape[0]
    tilings = best_tilings(image_size(out), last_axes, first_axes, rank)
    assert tilings is not None
    tiling_y, tiling_x = tilings
    spans = ((tiling_y.out, tiling_y.middle), (tiling_x.out, tiling_x.middle))
    down_left, down_right = band_matrices(f, downsampling, x.dtype, last_axes, spans)
    mid_h, mid_w = params.upsampled_size(image_size(x))
    arguments = common_arguments(out, tiling_y.out, tiling_x.out) | {
        "out_ptr": out,
        "b_ptr": x if b is None else b.contiguous(),
        "has_bias": b is not None,
        "linear": v is not None,
        "down_left_ptr": down_left,
        "down_right_ptr": down_right,
        "down_rank": down_left.shape[0],
        "mid_h": mid_h,
        "mid_w": mid_w,
        "gain": params.gain,
        "slope": params.slope,
        "clamp": math.inf if params.clamp is None else params.clamp,
    }
    arguments |= tile_arguments("mid", tiling_y.middle, tiling_x.middle)
    arguments |= _block_arguments("mid", tiling_y.middle.block, tiling_x.middle.block)
    arguments |= _block_arguments("out", tiling_y.out.block, tiling_x.out.block)
    arguments |= _source_arguments("x", "up", "in", x, upsampling, tiling_y, tiling_x, 0)
    v_source, v_index = x if v is None else v, len(firsts) - 1
    arguments |= _source_arguments("v", "v", "v_in", v_source, firsts[-1], tiling_y, tiling_x, v_index)
    programs = num_programs(out, tiling_y.out, tiling_x.out)
    return Launch(kernel=filtered_lrelu_kernel, programs=programs, arguments=arguments)


def _source_arguments(
    name: str,
    matrix_name: str,
    block_name: str,
    x: Tensor,
    first: FilterStep,
    tiling_y: Tiling,
    tiling_x: Tiling,
    index: int,
) -> dict[str, object]:
    """Arguments of the kernel for a tensor that is upsampled, and for its band matrices."""
    f, resampling = first
    y, x_span = tiling_y.sources[index], tiling_x.sources[index]
    axes, spans = axis_resamplings(resampling, filter_size(f)), ((tiling_y.middle, y), (tiling_x.middle, x_span))
    left, right = band_matrices(f, resampling, x.dtype, axes, spans)
    arguments: dict[str, object] = {
        f"{name}_ptr": x,
        f"{matrix_name}_left_ptr": left,
        f"{matrix_name}_right_ptr": right,
        f"{matrix_name}_rank": left.shape[0],
    }
    arguments |= layout_arguments(name, x) | tile_arguments(name, y, x_span)
    return arguments | _block_arguments(block_name, y.block, x_span.block)


def _block_arguments(name: str, y: int, x: int) -> dict[str, int]:
    return {f"{name}_y": y, f"{name}_x": x}

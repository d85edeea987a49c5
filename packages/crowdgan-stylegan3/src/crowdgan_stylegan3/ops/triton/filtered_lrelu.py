"""`filtered_lrelu` and its linearisation on a GPU: one kernel, the fine grid never leaves the registers.

Forward, linear and transposed are one template: mask or activation from x on the fine grid, a second tensor brought to
that grid where there is one, and the way back down. The mask is computed anew from x: at half precision x takes as many
bytes as two bits for each fine sample would at factor 2, and there is no second format to keep.

Full filters are sums of a few separable ones (see `bands`), not sums over filter rows: a radial filter of 12 x 12 takes
2 to 4 products so, not 12, and separable filters are the case of one.

Memory: for factor 2 and 12 taps a tile reads 32², has 64² fine samples and writes 22². Compiled for compute capability
9.0 with 128 threads, a program takes at most 16 KiB of shared memory and, in half precision, 228 registers a thread
with none spilled; in float32 some kernels spill, the transposed ones most.
"""

from __future__ import annotations

import math

from torch import Tensor

from crowdgan_stylegan3.ops import reference
from crowdgan_stylegan3.ops.arguments import FilteredLrelu, Resampling, taps_of
from crowdgan_stylegan3.ops.triton.band_matrices import bands, factors
from crowdgan_stylegan3.ops.triton.bias_act import bias_act
from crowdgan_stylegan3.ops.triton.kernels import filtered_lrelu_kernel
from crowdgan_stylegan3.ops.triton.launch import Launch
from crowdgan_stylegan3.ops.triton.tiling import Tiling, best_tilings, steps_of
from crowdgan_stylegan3.ops.triton.upfirdn2d import (
    Plane,
    common_arguments,
    empty_like_format,
    places,
    programs,
    supports,
    upfirdn2d,
)

Filtering = tuple[Tensor, Resampling]
"""A filter, and how it resamples."""


def filtered_lrelu(x: Tensor, b: Tensor | None, how: FilteredLrelu) -> Tensor:
    """`x` plus bias, upsampled, through a leaky ReLU, gain and clamp, downsampled.

    Args:
        x: `[N, C, H, W]`, any strides.
        b: `[C]`; None for none.
        how: filters, resamplings and activation.
    """
    if supports_filtered_lrelu(x, how) is not None:
        return reference.filtered_lrelu(x, b, how)
    out = empty_like_format(x, how.out_size((x.shape[2], x.shape[3])))
    plan_filtered_lrelu(out, None, x, b, how, None, (how.fd, how.fall)).run(x.device)
    return out


def filtered_lrelu_linear(v: Tensor, x: Tensor, b: Tensor | None, how: FilteredLrelu, transposed: bool) -> Tensor:
    """The op linearised at `x`, applied to `v`; transposed, this is the gradient to `x`.

    With mask = gain · (1 or slope) by the sign of the fine samples of x + b, 0 where they are clamped: fall(mask ·
    rise(v)), or transposed, rise^T(mask · fall^T(v)).

    Args:
        v: like `x`, or transposed, like the result; any strides.
        x: `[N, C, H, W]`, any strides.
        b: `[C]`; None for none.
        how: filters, resamplings and activation.
        transposed: which of the two.

    Returns:
        Like the result of the op, or transposed, like `x`.
    """
    size = (x.shape[2], x.shape[3])
    before, after, out_size = (how.fu, how.rise), (how.fd, how.fall), how.out_size(size)
    if transposed:
        before = (how.fd, how.fall.transposed(how.between(size), taps_of(how.fd)))
        after = (how.fu, how.rise.transposed(size, taps_of(how.fu)))
        out_size = size
    if _refusal(x, (how.fu, how.rise), before, after) or supports(v):
        return _composed(v, x, b, how, before, after)
    out = empty_like_format(x, out_size)
    plan_filtered_lrelu(out, v.to(x.dtype), x, b, how, before, after).run(x.device)
    return out


def supports_filtered_lrelu(x: Tensor, how: FilteredLrelu) -> str | None:
    """Why the fused kernel cannot do this; None where it can."""
    return _refusal(x, (how.fu, how.rise), (how.fu, how.rise), (how.fd, how.fall))


def _refusal(x: Tensor, rise: Filtering, before: Filtering, after: Filtering) -> str | None:
    reason = supports(x, rise, before, after)
    if reason is not None:
        return reason
    firsts = tuple(steps_of(how, taps_of(f)) for f, how in (rise, before))
    if best_tilings((1, 1), steps_of(after[1], taps_of(after[0])), firsts, 1) is None:
        lengths = f"{taps_of(rise[0])} and {taps_of(after[0])}"
        return f"filters of {lengths} taps, one after the other, read more than a tile of 64²"
    return None


def _composed(
    v: Tensor, x: Tensor, b: Tensor | None, how: FilteredLrelu, before: Filtering, after: Filtering
) -> Tensor:
    """The linearised op in steps, for what does not fit a tile."""
    fine = upfirdn2d(reference.bias_act(x, b, 1, "linear", 0.0, 1.0, None), how.fu, how.rise)
    there = upfirdn2d(v.to(x.dtype), *before)
    return upfirdn2d(bias_act(there, fine, None, 1, "lrelu", how.slope, how.gain, how.clamp, 1), *after)


def plan_filtered_lrelu(
    out: Tensor,
    v: Tensor | None,
    x: Tensor,
    b: Tensor | None,
    how: FilteredLrelu,
    before: Filtering | None,
    after: Filtering,
) -> Launch:
    """The start of the kernel that writes `out`.

    Args:
        out: what is written.
        v: what is multiplied by the derivative; None for the op itself.
        x: what is activated, and where the derivative is taken.
        b: bias.
        how: how `x` comes to the fine grid, and the activation.
        before: takes `v` to the fine grid.
        after: takes the fine grid to `out`.
    """
    rise = (how.fu, how.rise)
    f, last = after
    firsts = (rise,) if before is None else (rise, before)
    last_rank = factors(f, x.dtype)[0].shape[0]
    first_steps = tuple(steps_of(first[1], taps_of(first[0])) for first in firsts)
    tilings = best_tilings((out.shape[2], out.shape[3]), steps_of(last, taps_of(f)), first_steps, last_rank)
    assert tilings is not None
    along_y, along_x = tilings
    last_left, last_right = bands(
        f, last, x.dtype, steps_of(last, taps_of(f)), ((along_y.out, along_y.middle), (along_x.out, along_x.middle))
    )
    middle = how.between((x.shape[2], x.shape[3]))
    arguments = common_arguments(out, along_y.out, along_x.out) | {
        "out_ptr": out,
        "b_ptr": x if b is None else b.contiguous(),
        "has_bias": b is not None,
        "linear": v is not None,
        "last_left_ptr": last_left,
        "last_right_ptr": last_right,
        "last_rank": last_left.shape[0],
        "mid_h": middle[0],
        "mid_w": middle[1],
        "gain": how.gain,
        "slope": how.slope,
        "clamp": math.inf if how.clamp is None else how.clamp,
    }
    arguments |= places("mid", along_y.middle, along_x.middle) | _blocks(
        "mid", along_y.middle.block, along_x.middle.block
    )
    arguments |= _blocks("out", along_y.out.block, along_x.out.block)
    arguments |= _source_arguments("x", "rise", "in", x, rise, along_y, along_x, 0)
    arguments |= _source_arguments(
        "v", "v", "from", x if v is None else v, firsts[-1], along_y, along_x, len(firsts) - 1
    )
    return Launch(kernel=filtered_lrelu_kernel, programs=programs(out, along_y.out, along_x.out), arguments=arguments)


def _source_arguments(
    name: str, matrices: str, blocks: str, x: Tensor, first: Filtering, along_y: Tiling, along_x: Tiling, index: int
) -> dict[str, object]:
    """What the kernel takes about a tensor that is brought to the fine grid, and the matrices that bring it there."""
    f, how = first
    y, x_span = along_y.sources[index], along_x.sources[index]
    left, right = bands(f, how, x.dtype, steps_of(how, taps_of(f)), ((along_y.middle, y), (along_x.middle, x_span)))
    arguments: dict[str, object] = {f"{name}_ptr": x, f"{matrices}_left_ptr": left, f"{matrices}_right_ptr": right}
    arguments |= Plane(x).arguments(name) | places(name, y, x_span) | _blocks(blocks, y.block, x_span.block)
    return arguments | {f"{matrices}_rank": left.shape[0]}


def _blocks(name: str, y: int, x: int) -> dict[str, int]:
    return {f"{name}_y": y, f"{name}_x": x}

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
from crowdgan_stylegan3.ops.arguments import Resampling, taps_of
from crowdgan_stylegan3.ops.triton.activation import bias_act
from crowdgan_stylegan3.ops.triton.bands import bands, factors
from crowdgan_stylegan3.ops.triton.kernels import filtered_lrelu_kernel
from crowdgan_stylegan3.ops.triton.launch import Launch
from crowdgan_stylegan3.ops.triton.resampling import (
    Plane,
    common_arguments,
    empty_like_format,
    places,
    programs,
    supports,
    upfirdn2d,
)
from crowdgan_stylegan3.ops.triton.tiles import Tiling, best_tilings, steps_of

Filtering = tuple[Tensor, Resampling]
"""A filter, and how it resamples."""


def filtered_lrelu(
    x: Tensor,
    fu: Tensor,
    fd: Tensor,
    b: Tensor | None,
    rise: Resampling,
    fall: Resampling,
    gain: float,
    slope: float,
    clamp: float | None,
) -> Tensor:
    """`x` plus bias, upsampled (`rise`), through a leaky ReLU, gain and clamp, downsampled (`fall`).

    Args:
        x: `[N, C, H, W]`, any strides.
        fu: filter of the upsampling, `[taps]` or `[height, width]`, float32.
        fd: filter of the downsampling, likewise.
        b: `[C]`; None for none.
        rise: the upsampling.
        fall: the downsampling.
        gain: what the activation is multiplied by.
        slope: of the leaky ReLU below 0.
        clamp: bound of the absolute value after the gain; None for none.
    """
    if supports_filtered_lrelu(x, fu, fd, rise, fall) is not None:
        return reference.filtered_lrelu(x, fu, fd, b, rise, fall, gain, slope, clamp)
    middle = rise.out_size((x.shape[2], x.shape[3]), taps_of(fu))
    out = empty_like_format(x, fall.out_size(middle, taps_of(fd)))
    plan_filtered_lrelu(out, None, x, b, (fu, rise), None, (fd, fall), gain, slope, clamp).run(x.device)
    return out


def filtered_lrelu_linear(
    v: Tensor,
    x: Tensor,
    fu: Tensor,
    fd: Tensor,
    b: Tensor | None,
    rise: Resampling,
    fall: Resampling,
    gain: float,
    slope: float,
    clamp: float | None,
    transposed: bool,
) -> Tensor:
    """The op linearised at `x`, applied to `v`; transposed, this is the gradient to `x`.

    With mask = gain · (1 or slope) by the sign of the fine samples of x + b, 0 where they are clamped: fall(mask ·
    rise(v)), or transposed, rise^T(mask · fall^T(v)).

    Args:
        v: like `x`, or transposed, like the result; any strides.
        x: and all else: as for `filtered_lrelu`.
        fu: filter of the upsampling.
        fd: filter of the downsampling.
        b: `[C]`; None for none.
        rise: the upsampling.
        fall: the downsampling.
        gain: of the activation.
        slope: below 0.
        clamp: None for none.
        transposed: which of the two.

    Returns:
        Like the result of the op, or transposed, like `x`.
    """
    size = (x.shape[2], x.shape[3])
    middle = rise.out_size(size, taps_of(fu))
    before, after, out_size = (fu, rise), (fd, fall), fall.out_size(middle, taps_of(fd))
    if transposed:
        before = (fd, fall.transposed(middle, taps_of(fd)))
        after = (fu, rise.transposed(size, taps_of(fu)))
        out_size = size
    if _refusal(x, (fu, rise), before, after) or supports(v):
        return _composed(v, x, b, (fu, rise), before, after, gain, slope, clamp)
    out = empty_like_format(x, out_size)
    plan_filtered_lrelu(out, v.to(x.dtype), x, b, (fu, rise), before, after, gain, slope, clamp).run(x.device)
    return out


def supports_filtered_lrelu(x: Tensor, fu: Tensor, fd: Tensor, rise: Resampling, fall: Resampling) -> str | None:
    """Why the fused kernel cannot do this; None where it can."""
    return _refusal(x, (fu, rise), (fu, rise), (fd, fall))


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
    v: Tensor,
    x: Tensor,
    b: Tensor | None,
    rise: Filtering,
    before: Filtering,
    after: Filtering,
    gain: float,
    slope: float,
    clamp: float | None,
) -> Tensor:
    """The linearised op in steps, for what does not fit a tile."""
    fine = upfirdn2d(reference.bias_act(x, b, 1, "linear", 0.0, 1.0, None), *rise)
    masked = bias_act(upfirdn2d(v.to(x.dtype), *before), fine, None, 1, "lrelu", slope, gain, clamp, 1)
    return upfirdn2d(masked, *after)


def plan_filtered_lrelu(
    out: Tensor,
    v: Tensor | None,
    x: Tensor,
    b: Tensor | None,
    rise: Filtering,
    before: Filtering | None,
    after: Filtering,
    gain: float,
    slope: float,
    clamp: float | None,
) -> Launch:
    """The start of the kernel that writes `out`.

    Args:
        out: what is written.
        v: what is multiplied by the derivative; None for the op itself.
        x: what is activated, and where the derivative is taken.
        b: bias.
        rise: takes `x` to the fine grid.
        before: takes `v` to the fine grid.
        after: takes the fine grid to `out`.
        gain: of the activation.
        slope: below 0.
        clamp: None for none.
    """
    f, how = after
    firsts = (rise,) if before is None else (rise, before)
    last_rank = factors(f, x.dtype)[0].shape[0]
    first_steps = tuple(steps_of(first[1], taps_of(first[0])) for first in firsts)
    tilings = best_tilings((out.shape[2], out.shape[3]), steps_of(how, taps_of(f)), first_steps, last_rank)
    assert tilings is not None
    along_y, along_x = tilings
    last_left, last_right = bands(
        f, how, x.dtype, steps_of(how, taps_of(f)), ((along_y.out, along_y.middle), (along_x.out, along_x.middle))
    )
    middle = rise[1].out_size((x.shape[2], x.shape[3]), taps_of(rise[0]))
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
        "gain": gain,
        "slope": slope,
        "clamp": math.inf if clamp is None else clamp,
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

"""`upfirdn2d` on a GPU: each tile of outputs is left · inputs · right, with the filters as band matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from crowdgan_stylegan3.ops import reference
from crowdgan_stylegan3.ops.arguments import Resampling, image_order, taps_of
from crowdgan_stylegan3.ops.triton.band_matrices import RANK_TOLERANCES, bands, factors
from crowdgan_stylegan3.ops.triton.kernels import upfirdn2d_kernel
from crowdgan_stylegan3.ops.triton.launch import Launch
from crowdgan_stylegan3.ops.triton.tiling import Span, best_tilings, steps_of

FACTORS = (1, 2, 4)
"""Up- and downsampling factors that the kernels are for."""

FLOAT32_PRECISION = "tf32x3"
"""How float32 matrices are multiplied: each in three TF32 products, 1e-6 relative; "ieee" would not use tensor cores.
Half-precision ones are exact products, added in float32."""

GROUP = 8
"""Planes per program: its band matrices stay in the nearest cache for all of them, and with channels last their samples
lie in the same cache lines (16 of 32 bytes in half precision)."""

MAX_REACH = 2**31 - 1
"""Largest place within a plane: kernels count there in 32 bits, and in 64 from plane to plane."""


@dataclass(frozen=True)
class Plane:
    """A tensor `[N, C, H, W]` as kernels take it."""

    tensor: Tensor

    def arguments(self, name: str) -> dict[str, int]:
        """Sizes and strides, named for the kernel."""
        strides = dict(zip(("n", "c", "y", "x"), self.tensor.stride(), strict=True))
        return {f"{name}_h": self.tensor.shape[2], f"{name}_w": self.tensor.shape[3]} | {
            f"{name}_s{axis}": stride for axis, stride in strides.items()
        }


def supports(x: Tensor, *steps: tuple[Tensor, Resampling]) -> str | None:
    """Why the kernels cannot do these resamplings of `x` one by one; None where they can."""
    if x.dtype not in RANK_TOLERANCES:
        return f"x is {x.dtype}; the kernels take float32 and float16"
    if _reach(x.shape, x.stride()) > MAX_REACH:
        return f"planes of x reach over {_reach(x.shape, x.stride())} samples of memory; the kernels count to 2^31"
    for f, how in steps:
        if not set(how.up + how.down) <= set(FACTORS):
            return f"factors are up {how.up}, down {how.down}; the kernels take 1, 2 and 4"
        if best_tilings((1, 1), steps_of(how, taps_of(f)), (), 1) is None:
            return f"a filter of {taps_of(f)} taps with up {how.up}, down {how.down} reads more than a tile of 64²"
    return None


def upfirdn2d(x: Tensor, f: Tensor, how: Resampling) -> Tensor:
    """`x` `[N, C, H, W]` upsampled, filtered with `f` and downsampled, in the memory format of `x`.

    What `supports` has a reason against is left to the reference. A sample that is not finite spoils its tile, not only
    what its taps reach.

    Args:
        x: any strides.
        f: `[taps]` or `[height, width]`, float32.
        how: factors, padding, gain; its gradient is this function with `how.transposed(...)`.
    """
    if supports(x, (f, how)) is not None:
        return reference.upfirdn2d(x, f, how)
    out = empty_like_format(x, how.out_size((x.shape[2], x.shape[3]), taps_of(f)))
    plan_upfirdn2d(out, x, f, how).run(x.device)
    return out


def plan_upfirdn2d(out: Tensor, x: Tensor, f: Tensor, how: Resampling) -> Launch:
    """The start of the kernel that writes `out`; what `upfirdn2d` takes, once `supports` agrees."""
    steps = steps_of(how, taps_of(f))
    rank = factors(f, x.dtype)[0].shape[0]
    tilings = best_tilings((out.shape[2], out.shape[3]), steps, (), rank)
    assert tilings is not None
    y, x_axis = tilings
    left, right = bands(f, how, x.dtype, steps, ((y.out, y.middle), (x_axis.out, x_axis.middle)))
    arguments: dict[str, Any] = {"out_ptr": out, "x_ptr": x, "left_ptr": left, "right_ptr": right}
    arguments |= (
        common_arguments(out, y.out, x_axis.out) | Plane(x).arguments("x") | places("x", y.middle, x_axis.middle)
    )
    arguments |= {"rank": left.shape[0], "out_y": left.shape[1], "in_y": left.shape[2]}
    arguments |= {"in_x": right.shape[1], "out_x": right.shape[2]}
    return Launch(kernel=upfirdn2d_kernel, programs=programs(out, y.out, x_axis.out), arguments=arguments)


def common_arguments(out: Tensor, y: Span, x: Span) -> dict[str, Any]:
    """What both kernels take about the planes, the tiles and the result."""
    return Plane(out).arguments("out") | {
        "planes": out.shape[0] * out.shape[1],
        "channels": out.shape[1],
        "tiles_y": -(-out.shape[2] // y.count),
        "tiles_x": -(-out.shape[3] // x.count),
        "out_move_y": y.count,
        "out_move_x": x.count,
        "group": GROUP,
        "precision": FLOAT32_PRECISION if out.dtype == torch.float32 else "ieee",
    }


def places(name: str, y: Span, x: Span) -> dict[str, int]:
    """Where tile 0 begins, and how far the next lies."""
    return {
        f"{name}_first_y": y.first,
        f"{name}_first_x": x.first,
        f"{name}_move_y": y.move,
        f"{name}_move_x": x.move,
    }


def programs(out: Tensor, y: Span, x: Span) -> int:
    """Number of programs: tiles of a plane times groups of planes."""
    tiles = -(-out.shape[2] // y.count) * -(-out.shape[3] // x.count)
    return tiles * -(-out.shape[0] * out.shape[1] // GROUP)


def empty_like_format(x: Tensor, size: tuple[int, int]) -> Tensor:
    """`[N, C, *size]`, unwritten, channels last where `x` is and planes do not reach too far so."""
    shape = (x.shape[0], x.shape[1], *size)
    order = image_order(x) if x.shape[1] * size[0] * size[1] <= MAX_REACH else torch.contiguous_format
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=order)


def _reach(shape: Sequence[int], strides: Sequence[int]) -> int:
    """Last place of a plane, counted from its first."""
    return (shape[2] - 1) * strides[2] + (shape[3] - 1) * strides[3]

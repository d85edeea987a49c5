"""`upfirdn2d` on a GPU: each output tile is left · inputs · right, with the filters as band matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from crowdgan_stylegan3.ops import reference
from crowdgan_stylegan3.ops.arguments import Resampling, filter_size, image_memory_format, image_size
from crowdgan_stylegan3.ops.triton.band_matrices import RANK_TOLERANCES, band_matrices, separable_factors
from crowdgan_stylegan3.ops.triton.kernels import upfirdn2d_kernel
from crowdgan_stylegan3.ops.triton.launch import Launch
from crowdgan_stylegan3.ops.triton.tiling import Span, axis_resamplings, best_tilings

SUPPORTED_FACTORS = (1, 2, 4)
"""Up- and downsampling factors that the kernels support."""

FLOAT32_PRECISION = "tf32x3"
"""Precision of float32 matrix products: three TF32 products, relative error 1e-6; "ieee" would not use tensor cores.
Half-precision products are exact and accumulated in float32."""

PLANES_PER_PROGRAM = 8
"""Planes per program. The band matrices stay in the L1 cache for all of them, and with channels last their samples
lie in the same cache lines (16 of 32 bytes in half precision)."""

MAX_PLANE_EXTENT = 2**31 - 1
"""Maximum memory offset within a plane: kernels use 32-bit offsets within a plane, and 64-bit offsets of planes."""


def unsupported_reason(x: Tensor, *steps: tuple[Tensor, Resampling]) -> str | None:
    """Reason why the kernels do not support resampling `x` with one of these filters; None if they do.

    Args:
        x: the image `[N, C, H, W]`.
        steps: pairs of a filter and its resampling, each considered separately.
    """
    if x.dtype not in RANK_TOLERANCES:
        return f"x is {x.dtype}; the kernels support float32 and float16"
    if _plane_extent(x) > MAX_PLANE_EXTENT:
        return f"planes of x extend over {_plane_extent(x)} samples of memory; the kernels support up to 2^31"
    for f, resampling in steps:
        if not set(resampling.up + resampling.down) <= set(SUPPORTED_FACTORS):
            return f"factors are up {resampling.up}, down {resampling.down}; the kernels support 1, 2 and 4"
        if best_tilings((1, 1), axis_resamplings(resampling, filter_size(f)), (), 1) is None:
            return (
                f"a filter of {filter_size(f)} taps with up {resampling.up}, down {resampling.down} reads more than a "
                "tile of 64²"
            )
    return None


def upfirdn2d(x: Tensor, f: Tensor, resampling: Resampling) -> Tensor:
    """`x` `[N, C, H, W]` upsampled, filtered with `f` and downsampled, in the memory format of `x`.

    Unsupported arguments (`unsupported_reason`) are passed to the reference. A non-finite sample makes the whole tile
    non-finite, not only the outputs whose taps reach it.

    Args:
        x: any strides.
        f: `[taps]` or `[height, width]`, float32.
        resampling: factors, padding and gain; the gradient is this function with `resampling.transposed(...)`.
    """
    if unsupported_reason(x, (f, resampling)) is not None:
        return reference.upfirdn2d(x, f, resampling)
    out = empty_image(x, resampling.out_size(image_size(x), filter_size(f)))
    plan_upfirdn2d(out, x, f, resampling).run(x.device)
    return out


def plan_upfirdn2d(out: Tensor, x: Tensor, f: Tensor, resampling: Resampling) -> Launch:
    """The launch of the kernel that writes `out`; the arguments must be supported (`unsupported_reason`)."""
    axes = axis_resamplings(resampling, filter_size(f))
    rank = separable_factors(f, x.dtype)[0].shape[0]
    tilings = best_tilings(image_size(out), axes, (), rank)
    assert tilings is not None
    tiling_y, tiling_x = tilings
    spans = ((tiling_y.out, tiling_y.middle), (tiling_x.out, tiling_x.middle))
    left, right = band_matrices(f, resampling, x.dtype, axes, spans)
    arguments: dict[str, Any] = {"out_ptr": out, "x_ptr": x, "left_ptr": left, "right_ptr": right}
    arguments |= common_arguments(out, tiling_y.out, tiling_x.out)
    arguments |= layout_arguments("x", x) | tile_arguments("x", tiling_y.middle, tiling_x.middle)
    arguments |= {"rank": left.shape[0], "out_y": left.shape[1], "in_y": left.shape[2]}
    arguments |= {"in_x": right.shape[1], "out_x": right.shape[2]}
    programs = num_programs(out, tiling_y.out, tiling_x.out)
    return Launch(kernel=upfirdn2d_kernel, programs=programs, arguments=arguments)


def common_arguments(out: Tensor, y: Span, x: Span) -> dict[str, Any]:
    """Arguments of both kernels for the planes, the tiles and the result."""
    return layout_arguments("out", out) | {
        "planes": out.shape[0] * out.shape[1],
        "channels": out.shape[1],
        "tiles_y": -(-out.shape[2] // y.count),
        "tiles_x": -(-out.shape[3] // x.count),
        "out_step_y": y.count,
        "out_step_x": x.count,
        "group": PLANES_PER_PROGRAM,
        "precision": FLOAT32_PRECISION if out.dtype == torch.float32 else "ieee",
    }


def layout_arguments(name: str, image: Tensor) -> dict[str, int]:
    """Sizes and strides of an image `[N, C, H, W]`, as arguments of a kernel."""
    strides = zip(("n", "c", "y", "x"), image.stride(), strict=True)
    return {f"{name}_h": image.shape[2], f"{name}_w": image.shape[3]} | {
        f"{name}_s{axis}": stride for axis, stride in strides
    }


def tile_arguments(name: str, y: Span, x: Span) -> dict[str, int]:
    """First sample of tile 0 and the distance between tiles, as arguments of a kernel."""
    return {
        f"{name}_first_y": y.first,
        f"{name}_first_x": x.first,
        f"{name}_step_y": y.step,
        f"{name}_step_x": x.step,
    }


def num_programs(out: Tensor, y: Span, x: Span) -> int:
    """Number of programs: tiles of a plane times groups of planes."""
    tiles = -(-out.shape[2] // y.count) * -(-out.shape[3] // x.count)
    return tiles * -(-out.shape[0] * out.shape[1] // PLANES_PER_PROGRAM)


def empty_image(x: Tensor, size: tuple[int, int]) -> Tensor:
    """An uninitialised image `[N, C, *size]` in the memory format of `x`, or contiguous if planes are too large."""
    shape = (x.shape[0], x.shape[1], *size)
    is_supported = x.shape[1] * size[0] * size[1] <= MAX_PLANE_EXTENT
    layout = image_memory_format(x) if is_supported else torch.contiguous_format
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout)


def _plane_extent(x: Tensor) -> int:
    """Memory offset of the last sample of a plane, relative to its first sample."""
    return (x.shape[2] - 1) * x.stride(2) + (x.shape[3] - 1) * x.stride(3)

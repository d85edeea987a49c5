"""The Triton kernels; the other modules of this package compute their arguments (band matrices, tiles, strides).

The kernels call only built-ins of the language, not functions of its library. Whether library functions are compiled or
interpreted is decided when triton is imported, and tests interpret the kernels in processes that have imported triton.
"""

from __future__ import annotations

import triton
import triton.language as tl

IMAGES = ("out", "mid", "x", "v")
TILE_ARGUMENTS = [f"{name}_{field}_{axis}" for name in IMAGES for field in ("first", "step") for axis in "yx"]
SIZE_ARGUMENTS = [f"{name}_{side}" for name in IMAGES for side in "hw"]
UNSPECIALISED_ARGUMENTS = ["planes", "channels", "tiles_y", "tiles_x", *TILE_ARGUMENTS, *SIZE_ARGUMENTS]
"""Integers for which Triton does not specialise the code. Specialising on values that are 1 or a multiple of 16 gives
faster code for strides; for these arguments it would only compile more variants."""


@triton.jit
def bias_act_kernel(
    out_ptr,
    v_ptr,
    x_ptr,
    b_ptr,
    numel,
    bias_stride,
    bias_length,
    alpha,
    gain,
    clamp,
    act: tl.constexpr,
    order: tl.constexpr,
    has_bias: tl.constexpr,
    compute: tl.constexpr,
    block: tl.constexpr,
):
    """An activation or one of its derivatives, sample by sample, over dense memory.

    The index of the bias is the memory offset divided by the stride of the bias dimension, so the order of dimensions
    is arbitrary. All activations share one kernel, which contains bias, gain, clamp and order of the derivative once.
    """
    offsets = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = offsets < numel
    x = tl.load(x_ptr + offsets, mask=inside, other=0.0).to(compute)
    if has_bias:
        x += tl.load(b_ptr + offsets // bias_stride % bias_length, mask=inside, other=0.0).to(compute)
    value, first, second = activation(x, alpha, act)
    value *= gain
    if order == 0:
        out = tl.where(value > clamp, clamp, tl.where(value < -clamp, -clamp, value))
    else:
        v = tl.load(v_ptr + offsets, mask=inside, other=0.0).to(compute)
        slope = first if order == 1 else second
        out = tl.where(tl.abs(value) > clamp, 0.0, v * slope * gain)
    tl.store(out_ptr + offsets, out.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def activation(x, alpha, act: tl.constexpr):
    """The activation at `x` with its first and second derivative.

    At kinks the values are those of PyTorch: the first derivative from below, and 0 for the second.
    """
    zero = x * 0.0
    if act == "linear":
        value, first, second = x, zero + 1.0, zero
    elif act == "relu":
        value, first, second = tl.where(x < 0.0, 0.0, x), tl.where(x > 0.0, zero + 1.0, 0.0), zero
    elif act == "lrelu":
        value, first, second = tl.where(x > 0.0, x, x * alpha), tl.where(x > 0.0, zero + 1.0, alpha), zero
    elif act == "tanh":
        t = tanh(x)
        value, first, second = t, 1.0 - t * t, -2.0 * t * (1.0 - t * t)
    elif act == "sigmoid":
        s = sigmoid(x)
        value, first, second = s, s * (1.0 - s), s * (1.0 - s) * (1.0 - 2.0 * s)
    elif act == "elu":
        e = tl.exp(tl.where(x > 0.0, 0.0, x))
        value, first, second = tl.where(x > 0.0, x, e - 1.0), e, tl.where(x < 0.0, e, 0.0)
    elif act == "selu":  # constants: Klambauer et al., "Self-Normalizing Neural Networks", 2017
        scale = 1.0507009873554805
        e = scale * 1.6732632423543772 * tl.exp(tl.where(x > 0.0, 0.0, x))
        low = e - scale * 1.6732632423543772
        value, first, second = tl.where(x > 0.0, scale * x, low), tl.where(x > 0.0, scale, e), tl.where(x < 0.0, e, 0.0)
    elif act == "softplus":
        s = sigmoid(x)
        value, first, second = tl.where(x > 0.0, x, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(x))), s, s * (1.0 - s)
    else:  # swish
        s = sigmoid(x)
        d = s * (1.0 - s)
        value, first, second = x * s, s + x * d, d * (2.0 + x * (1.0 - 2.0 * s))
    return value, first, second


@triton.jit
def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow."""
    e = tl.exp(-tl.abs(x))
    return tl.where(x > 0.0, 1.0, e) / (1.0 + e)


@triton.jit
def tanh(x):
    """Hyperbolic tangent; near 0, where the quotient cancels, four terms of its Taylor series."""
    e = tl.exp(-2.0 * tl.abs(x))
    far = (1.0 - e) / (1.0 + e)
    s = x * x
    near = x * (1.0 - s * (1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0))))
    return tl.where(s < 0.01, near, tl.where(x > 0.0, far, -far))


@triton.jit(do_not_specialize=UNSPECIALISED_ARGUMENTS)
def upfirdn2d_kernel(
    out_ptr,
    x_ptr,
    left_ptr,
    right_ptr,
    planes,
    channels,
    tiles_y,
    tiles_x,
    out_h,
    out_w,
    out_sn,
    out_sc,
    out_sy,
    out_sx,
    out_step_y,
    out_step_x,
    x_h,
    x_w,
    x_sn,
    x_sc,
    x_sy,
    x_sx,
    x_first_y,
    x_first_x,
    x_step_y,
    x_step_x,
    rank: tl.constexpr,
    out_y: tl.constexpr,
    out_x: tl.constexpr,
    in_y: tl.constexpr,
    in_x: tl.constexpr,
    group: tl.constexpr,
    precision: tl.constexpr,
):
    """One output tile of each of `group` planes: left · inputs · right.

    Sizes and strides are separate arguments because kernels do not accept tuples.
    """
    first_plane, tile_y, tile_x = program_tile(tiles_y, tiles_x, group)
    y, x = tile_y * out_step_y, tile_x * out_step_x
    in_row, in_column = x_first_y + tile_y * x_step_y, x_first_x + tile_x * x_step_x
    for plane in range(first_plane, tl.minimum(first_plane + group, planes)):
        n, c = (plane // channels).to(tl.int64), (plane % channels).to(tl.int64)
        tile = load_tile(x_ptr + n * x_sn + c * x_sc, in_row, in_column, x_h, x_w, x_sy, x_sx, in_y, in_x)
        out = multiply_bands(tile, left_ptr, right_ptr, rank, out_y, out_x, in_y, in_x, precision)
        start = out_ptr + n * out_sn + c * out_sc
        store_tile(out, start, y, x, out_h, out_w, out_sy, out_sx, out_step_y, out_step_x, out_y, out_x)


@triton.jit(do_not_specialize=UNSPECIALISED_ARGUMENTS)
def filtered_lrelu_kernel(
    out_ptr,
    x_ptr,
    v_ptr,
    b_ptr,
    up_left_ptr,
    up_right_ptr,
    v_left_ptr,
    v_right_ptr,
    down_left_ptr,
    down_right_ptr,
    planes,
    channels,
    tiles_y,
    tiles_x,
    out_h,
    out_w,
    out_sn,
    out_sc,
    out_sy,
    out_sx,
    out_step_y,
    out_step_x,
    mid_h,
    mid_w,
    mid_first_y,
    mid_first_x,
    mid_step_y,
    mid_step_x,
    x_h,
    x_w,
    x_sn,
    x_sc,
    x_sy,
    x_sx,
    x_first_y,
    x_first_x,
    x_step_y,
    x_step_x,
    v_h,
    v_w,
    v_sn,
    v_sc,
    v_sy,
    v_sx,
    v_first_y,
    v_first_x,
    v_step_y,
    v_step_x,
    gain,
    slope,
    clamp,
    has_bias: tl.constexpr,
    linear: tl.constexpr,
    up_rank: tl.constexpr,
    v_rank: tl.constexpr,
    down_rank: tl.constexpr,
    out_y: tl.constexpr,
    out_x: tl.constexpr,
    mid_y: tl.constexpr,
    mid_x: tl.constexpr,
    in_y: tl.constexpr,
    in_x: tl.constexpr,
    v_in_y: tl.constexpr,
    v_in_x: tl.constexpr,
    group: tl.constexpr,
    precision: tl.constexpr,
):
    """One output tile of each of `group` planes: upsampling, activation, downsampling.

    The upsampled samples u = up_left · (x + b) · up_right stay in registers. If `linear` is False, they pass through
    the activation; if it is True, they are replaced by v_left · v · v_right times the derivative of the activation at
    u. The result is down_left · … · down_right. One kernel serves both cases, so that the mask of a gradient is
    computed by the same instructions as in the forward pass.
    """
    first_plane, tile_y, tile_x = program_tile(tiles_y, tiles_x, group)
    x_row, x_column = x_first_y + tile_y * x_step_y, x_first_x + tile_x * x_step_x
    v_row, v_column = v_first_y + tile_y * v_step_y, v_first_x + tile_x * v_step_x
    mid_rows = mid_first_y + tile_y * mid_step_y + tl.arange(0, mid_y)
    mid_columns = mid_first_x + tile_x * mid_step_x + tl.arange(0, mid_x)
    inside_mid = ((mid_rows >= 0) & (mid_rows < mid_h))[:, None] & ((mid_columns >= 0) & (mid_columns < mid_w))[None, :]
    for plane in range(first_plane, tl.minimum(first_plane + group, planes)):
        n, c = (plane // channels).to(tl.int64), (plane % channels).to(tl.int64)
        tile = load_tile(x_ptr + n * x_sn + c * x_sc, x_row, x_column, x_h, x_w, x_sy, x_sx, in_y, in_x)
        if has_bias:
            inside_x = inside_mask(x_row, x_column, x_h, x_w, in_y, in_x)
            biased = (tile.to(tl.float32) + tl.load(b_ptr + c).to(tl.float32)).to(tile.dtype)
            tile = tl.where(inside_x, biased, tile)
        u = multiply_bands(tile, up_left_ptr, up_right_ptr, up_rank, mid_y, mid_x, in_y, in_x, precision)
        value = tl.where(u > 0.0, u, u * slope) * gain
        if linear:
            v_tile = load_tile(v_ptr + n * v_sn + c * v_sc, v_row, v_column, v_h, v_w, v_sy, v_sx, v_in_y, v_in_x)
            v = multiply_bands(v_tile, v_left_ptr, v_right_ptr, v_rank, mid_y, mid_x, v_in_y, v_in_x, precision)
            activated = tl.where(tl.abs(value) > clamp, 0.0, tl.where(u > 0.0, v, v * slope) * gain)
        else:
            activated = tl.where(value > clamp, clamp, tl.where(value < -clamp, -clamp, value))
        activated = tl.where(inside_mid, activated, 0.0).to(tile.dtype)
        out = multiply_bands(activated, down_left_ptr, down_right_ptr, down_rank, out_y, out_x, mid_y, mid_x, precision)
        start = out_ptr + n * out_sn + c * out_sc
        y, x = tile_y * out_step_y, tile_x * out_step_x
        store_tile(out, start, y, x, out_h, out_w, out_sy, out_sx, out_step_y, out_step_x, out_y, out_x)


@triton.jit
def program_tile(tiles_y, tiles_x, group: tl.constexpr):
    """First plane, and index of the tile along y and x, of this program; the tiles of one plane are consecutive."""
    program = tl.program_id(0)
    tiles = tiles_y * tiles_x
    tile = program % tiles
    return program // tiles * group, tile // tiles_x, tile % tiles_x


@triton.jit
def multiply_bands(
    tile,
    left_ptr,
    right_ptr,
    rank: tl.constexpr,
    out_y: tl.constexpr,
    out_x: tl.constexpr,
    in_y: tl.constexpr,
    in_x: tl.constexpr,
    precision: tl.constexpr,
):
    """Sum over ranks of left · tile · right, float32 `[out_y, out_x]`.

    The matrices are loaded for each plane: in registers for all planes of a program they would cause spills.
    """
    out = tl.full([out_y, out_x], 0.0, tl.float32)
    for r in range(rank):
        left = load_matrix(left_ptr + r * out_y * in_y, out_y, in_y)
        right = load_matrix(right_ptr + r * in_x * out_x, in_x, out_x)
        half = tl.dot(tile, right, input_precision=precision).to(tile.dtype)
        out = tl.dot(left, half, out, input_precision=precision)
    return out


@triton.jit
def load_matrix(ptr, rows: tl.constexpr, columns: tl.constexpr):
    """A contiguous row-major matrix `[rows, columns]`."""
    return tl.load(ptr + tl.arange(0, rows)[:, None] * columns + tl.arange(0, columns)[None, :])


@triton.jit
def inside_mask(first_y, first_x, h, w, block_y: tl.constexpr, block_x: tl.constexpr):
    """Mask `[block_y, block_x]` of the samples of a tile that lie inside an image of `h` x `w`."""
    y = first_y + tl.arange(0, block_y)
    x = first_x + tl.arange(0, block_x)
    return ((y >= 0) & (y < h))[:, None] & ((x >= 0) & (x < w))[None, :]


@triton.jit
def load_tile(ptr, first_y, first_x, h, w, stride_y, stride_x, block_y: tl.constexpr, block_x: tl.constexpr):
    """A tile `[block_y, block_x]` of a plane, with zeros outside the plane."""
    y = first_y + tl.arange(0, block_y)
    x = first_x + tl.arange(0, block_x)
    offsets = y[:, None] * stride_y + x[None, :] * stride_x
    return tl.load(ptr + offsets, mask=inside_mask(first_y, first_x, h, w, block_y, block_x), other=0.0)


@triton.jit
def store_tile(
    tile,
    ptr,
    first_y,
    first_x,
    h,
    w,
    stride_y,
    stride_x,
    count_y,
    count_x,
    block_y: tl.constexpr,
    block_x: tl.constexpr,
):
    """Store the first `count_y` x `count_x` samples of a tile that lie inside the plane."""
    rows, columns = tl.arange(0, block_y), tl.arange(0, block_x)
    in_tile = (rows < count_y)[:, None] & (columns < count_x)[None, :]
    offsets = (first_y + rows)[:, None] * stride_y + (first_x + columns)[None, :] * stride_x
    mask = in_tile & inside_mask(first_y, first_x, h, w, block_y, block_x)
    tl.store(ptr + offsets, tile.to(ptr.dtype.element_ty), mask=mask)

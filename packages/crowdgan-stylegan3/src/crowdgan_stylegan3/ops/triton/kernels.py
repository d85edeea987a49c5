"""The kernels. They take what the modules beside this one plan: bands, intervals, strides.

Only built-ins of the language are called, none of its library functions: those are compiled or interpreted by what the
environment said when triton was imported, and tests interpret kernels in processes that imported triton before.
"""

from __future__ import annotations

import triton
import triton.language as tl

PLACES = [f"{name}_{what}_{axis}" for name in ("out", "mid", "x", "v") for what in ("first", "move") for axis in "yx"]
SIZES = [f"{name}_{side}" for name in ("out", "mid", "x", "v") for side in "hw"]
GENERAL = ["planes", "channels", "tiles_y", "tiles_x", *PLACES, *SIZES]
"""Numbers whose value no kernel is compiled for: of strides, being 1 or a multiple of 16 makes faster code; of these it
would only make more kernels."""


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
    """An activation or a derivative of it, sample by sample, over memory without gaps.

    The place in memory, divided by the stride of the bias' dimension, tells which bias: so any order of dimensions will
    do. One kernel for all activations keeps their shared frame (bias, gain, clamp, order) in one place.
    """
    place = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = place < numel
    x = tl.load(x_ptr + place, mask=inside, other=0.0).to(compute)
    if has_bias:
        x += tl.load(b_ptr + place // bias_stride % bias_length, mask=inside, other=0.0).to(compute)
    value, first, second = activation(x, alpha, act)
    value *= gain
    if order == 0:
        out = tl.where(value > clamp, clamp, tl.where(value < -clamp, -clamp, value))
    else:
        v = tl.load(v_ptr + place, mask=inside, other=0.0).to(compute)
        slope = first if order == 1 else second
        out = tl.where(tl.abs(value) > clamp, 0.0, v * slope * gain)
    tl.store(out_ptr + place, out.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def activation(x, alpha, act: tl.constexpr):
    """The activation at `x` with its first and second derivative.

    At kinks as PyTorch has it: the first derivative from below, the second 0.
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
    """Hyperbolic tangent: near 0, where the quotient would cancel, by four terms of its series."""
    e = tl.exp(-2.0 * tl.abs(x))
    far = (1.0 - e) / (1.0 + e)
    s = x * x
    near = x * (1.0 - s * (1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0))))
    return tl.where(s < 0.01, near, tl.where(x > 0.0, far, -far))


@triton.jit(do_not_specialize=GENERAL)
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
    out_move_y,
    out_move_x,
    x_h,
    x_w,
    x_sn,
    x_sc,
    x_sy,
    x_sx,
    x_first_y,
    x_first_x,
    x_move_y,
    x_move_x,
    rank: tl.constexpr,
    out_y: tl.constexpr,
    out_x: tl.constexpr,
    in_y: tl.constexpr,
    in_x: tl.constexpr,
    group: tl.constexpr,
    precision: tl.constexpr,
):
    """One tile of `group` planes: left · inputs · right. Takes sizes and strides one by one, as kernels must."""
    first_plane, tile_y, tile_x = own_part(tiles_y, tiles_x, group)
    y, x = tile_y * out_move_y, tile_x * out_move_x
    from_y, from_x = x_first_y + tile_y * x_move_y, x_first_x + tile_x * x_move_x
    for plane in range(first_plane, tl.minimum(first_plane + group, planes)):
        n, c = (plane // channels).to(tl.int64), (plane % channels).to(tl.int64)
        tile = load_tile(x_ptr + n * x_sn + c * x_sc, from_y, from_x, x_h, x_w, x_sy, x_sx, in_y, in_x)
        out = sandwich(tile, left_ptr, right_ptr, rank, out_y, out_x, in_y, in_x, precision)
        start = out_ptr + n * out_sn + c * out_sc
        store_tile(out, start, y, x, out_h, out_w, out_sy, out_sx, out_move_y, out_move_x, out_y, out_x)


@triton.jit(do_not_specialize=GENERAL)
def filtered_lrelu_kernel(
    out_ptr,
    x_ptr,
    v_ptr,
    b_ptr,
    rise_left_ptr,
    rise_right_ptr,
    v_left_ptr,
    v_right_ptr,
    last_left_ptr,
    last_right_ptr,
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
    out_move_y,
    out_move_x,
    mid_h,
    mid_w,
    mid_first_y,
    mid_first_x,
    mid_move_y,
    mid_move_x,
    x_h,
    x_w,
    x_sn,
    x_sc,
    x_sy,
    x_sx,
    x_first_y,
    x_first_x,
    x_move_y,
    x_move_x,
    v_h,
    v_w,
    v_sn,
    v_sc,
    v_sy,
    v_sx,
    v_first_y,
    v_first_x,
    v_move_y,
    v_move_x,
    gain,
    slope,
    clamp,
    has_bias: tl.constexpr,
    linear: tl.constexpr,
    rise_rank: tl.constexpr,
    v_rank: tl.constexpr,
    last_rank: tl.constexpr,
    out_y: tl.constexpr,
    out_x: tl.constexpr,
    mid_y: tl.constexpr,
    mid_x: tl.constexpr,
    in_y: tl.constexpr,
    in_x: tl.constexpr,
    from_y: tl.constexpr,
    from_x: tl.constexpr,
    group: tl.constexpr,
    precision: tl.constexpr,
):
    """One tile of `group` planes: up to the fine grid, activation, down from it.

    The fine samples u = rise_left · (x + b) · rise_right live in registers. Without `linear` their activation goes on;
    with it, v_left · v · v_right times the derivative of the activation at u. Then last_left · … · last_right. One
    kernel, so that a gradient's mask comes of the very instructions that the forward pass ran. Sizes come
    one by one, as kernels must take them.
    """
    first_plane, tile_y, tile_x = own_part(tiles_y, tiles_x, group)
    x_y, x_x = x_first_y + tile_y * x_move_y, x_first_x + tile_x * x_move_x
    v_y, v_x = v_first_y + tile_y * v_move_y, v_first_x + tile_x * v_move_x
    fine_y = mid_first_y + tile_y * mid_move_y + tl.arange(0, mid_y)
    fine_x = mid_first_x + tile_x * mid_move_x + tl.arange(0, mid_x)
    on_grid = ((fine_y >= 0) & (fine_y < mid_h))[:, None] & ((fine_x >= 0) & (fine_x < mid_w))[None, :]
    for plane in range(first_plane, tl.minimum(first_plane + group, planes)):
        n, c = (plane // channels).to(tl.int64), (plane % channels).to(tl.int64)
        tile = load_tile(x_ptr + n * x_sn + c * x_sc, x_y, x_x, x_h, x_w, x_sy, x_sx, in_y, in_x)
        if has_bias:
            given = inside_of(x_y, x_x, x_h, x_w, in_y, in_x)
            biased = (tile.to(tl.float32) + tl.load(b_ptr + c).to(tl.float32)).to(tile.dtype)
            tile = tl.where(given, biased, tile)
        u = sandwich(tile, rise_left_ptr, rise_right_ptr, rise_rank, mid_y, mid_x, in_y, in_x, precision)
        value = tl.where(u > 0.0, u, u * slope) * gain
        if linear:
            v_tile = load_tile(v_ptr + n * v_sn + c * v_sc, v_y, v_x, v_h, v_w, v_sy, v_sx, from_y, from_x)
            v = sandwich(v_tile, v_left_ptr, v_right_ptr, v_rank, mid_y, mid_x, from_y, from_x, precision)
            fine = tl.where(tl.abs(value) > clamp, 0.0, tl.where(u > 0.0, v, v * slope) * gain)
        else:
            fine = tl.where(value > clamp, clamp, tl.where(value < -clamp, -clamp, value))
        fine = tl.where(on_grid, fine, 0.0).to(tile.dtype)
        out = sandwich(fine, last_left_ptr, last_right_ptr, last_rank, out_y, out_x, mid_y, mid_x, precision)
        start = out_ptr + n * out_sn + c * out_sc
        y, x = tile_y * out_move_y, tile_x * out_move_x
        store_tile(out, start, y, x, out_h, out_w, out_sy, out_sx, out_move_y, out_move_x, out_y, out_x)


@triton.jit
def own_part(tiles_y, tiles_x, group: tl.constexpr):
    """First plane, and place of the tile along y and x, of this program; tiles of one plane follow one another."""
    program = tl.program_id(0)
    tiles = tiles_y * tiles_x
    tile = program % tiles
    return program // tiles * group, tile // tiles_x, tile % tiles_x


@triton.jit
def sandwich(
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

    The factors are loaded where they are used: kept for all planes of a program they would fill the registers.
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
    """A matrix that lies row by row."""
    return tl.load(ptr + tl.arange(0, rows)[:, None] * columns + tl.arange(0, columns)[None, :])


@triton.jit
def inside_of(first_y, first_x, h, w, block_y: tl.constexpr, block_x: tl.constexpr):
    """Which samples of a tile lie in an image of `h` x `w`, `[block_y, block_x]`."""
    y = first_y + tl.arange(0, block_y)
    x = first_x + tl.arange(0, block_x)
    return ((y >= 0) & (y < h))[:, None] & ((x >= 0) & (x < w))[None, :]


@triton.jit
def load_tile(ptr, first_y, first_x, h, w, stride_y, stride_x, block_y: tl.constexpr, block_x: tl.constexpr):
    """A tile of a plane, 0 outside the plane."""
    y = first_y + tl.arange(0, block_y)
    x = first_x + tl.arange(0, block_x)
    places = y[:, None] * stride_y + x[None, :] * stride_x
    return tl.load(ptr + places, mask=inside_of(first_y, first_x, h, w, block_y, block_x), other=0.0)


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
    """The first `count_y` x `count_x` samples of a tile to a plane, where they lie in it."""
    rows, columns = tl.arange(0, block_y), tl.arange(0, block_x)
    own = (rows < count_y)[:, None] & (columns < count_x)[None, :]
    places = (first_y + rows)[:, None] * stride_y + (first_x + columns)[None, :] * stride_x
    kept = own & inside_of(first_y, first_x, h, w, block_y, block_x)
    tl.store(ptr + places, tile.to(ptr.dtype.element_ty), mask=kept)

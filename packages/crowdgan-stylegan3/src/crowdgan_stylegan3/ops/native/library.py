"""Calling the native ops: the C structures, and functions on tensors."""

from __future__ import annotations

import ctypes
import math
from ctypes import POINTER, Structure, byref, c_float, c_int, c_int64, c_void_p
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from crowdgan_core.errors import BuildError
from crowdgan_stylegan3.ops.arguments import FilteredLrelu, Resampling, image_order, taps_of
from crowdgan_stylegan3.ops.native.build import built_library

MAX_TAPS = 64
"""Taps along one axis, as in resample.h."""

FEW_CHANNELS = 16
"""Channels below which images of a batch are laid side by side, since vectors hold 16 neighbouring channels."""

NOTHING, LEAKY_RELU, LEAKY_RELU_DERIVATIVE = range(3)


class _Image(Structure):
    _fields_ = [
        ("data", c_void_p),
        *((name, c_int64) for name in ("n", "channels", "height", "width", "stride_n", "stride_y", "stride_x")),
    ]


class _Stage(Structure):
    _fields_ = [
        ("taps", c_void_p),
        *((name, c_int64) for name in ("taps_x", "taps_y", "full", "identity", "mirrored")),
        *((name, c_int64) for name in ("factor_x", "factor_y", "pad_x", "pad_y")),
    ]


class _Job(Structure):
    _fields_ = [
        *((name, _Image) for name in ("input", "out", "mask")),
        ("bias", c_void_p),
        *((name, _Stage) for name in ("rise", "mask_rise", "fall")),
        *((name, c_int64) for name in ("height", "width", "point")),
        *((name, c_float) for name in ("above", "below", "bound")),
        ("threads", c_int64),
    ]


def load() -> None:
    """Builds and loads the library, if that has not happened yet.

    Raises:
        BuildError: it cannot be built or loaded.
    """
    _library()


def unavailable_reason(x: Tensor, *filters: Tensor) -> str | None:
    """Why the native ops cannot take an image and filters; None when they can."""
    if x.dtype != torch.float32:
        return f"{x.dtype} is not built, float32 is"
    most = max([0, *[size for f in filters for size in f.shape]])
    return None if most <= MAX_TAPS else f"a filter has {most} taps; up to {MAX_TAPS} are built"


def upfirdn2d(x: Tensor, f: Tensor, how: Resampling) -> Tensor:
    """As `reference.upfirdn2d`."""
    packing = _Packing(x)
    packed, size = packing.pack(x), (x.shape[2], x.shape[3])
    taps, one = _correlation(f, how), x.new_ones(1)
    if how.up == (1, 1):
        job = _Job(rise=_stage(one, (1, 1), (0, 0, 0, 0)), fall=_stage(taps, how.down, how.padding))
        job.height, job.width = size
    else:
        job = _Job(rise=_stage(taps, how.up, how.padding), fall=_stage(one, how.down, (0, 0, 0, 0)))
        job.height, job.width = replace(how, down=(1, 1)).out_size(size, taps_of(f))
    return packing.unpack(_run(job, packed, how.out_size(size, taps_of(f))))


def filtered_lrelu(x: Tensor, b: Tensor | None, how: FilteredLrelu) -> Tensor:
    """As `reference.filtered_lrelu`."""
    packing, size = _Packing(x), (x.shape[2], x.shape[3])
    packed, bias = packing.pack(x), packing.bias(b)
    up_taps, down_taps = _correlation(how.fu, how.rise), _correlation(how.fd, how.fall)
    job = _Job(rise=_stage(up_taps, how.rise.up, how.rise.padding))
    job.fall = _stage(down_taps, how.fall.down, how.fall.padding)
    _set_activation(job, LEAKY_RELU, how, size, bias)
    return packing.unpack(_run(job, packed, how.out_size(size)))


def filtered_lrelu_linear(v: Tensor, x: Tensor, b: Tensor | None, how: FilteredLrelu, transposed: bool) -> Tensor:
    """`filtered_lrelu` linearised at `x`, applied to `v`; or transposed, which takes gradients of its result to `x`.

    The upsampled `x` is made again and not kept: `x` takes as much memory as one byte per upsampled sample.
    """
    packing, size = _Packing(x), (x.shape[2], x.shape[3])
    packed, mask, bias = packing.pack(v), packing.pack(x), packing.bias(b)
    up, down, first, last = how.rise, how.fall, how.fu, how.fd
    if transposed:
        first, last = how.fd, how.fu
        up = how.fall.transposed(how.between(size), taps_of(first))
        down = how.rise.transposed(size, taps_of(last))
    up_taps, mask_taps, down_taps = _correlation(first, up), _correlation(how.fu, how.rise), _correlation(last, down)
    job = _Job(rise=_stage(up_taps, up.up, up.padding), fall=_stage(down_taps, down.down, down.padding))
    job.mask, job.mask_rise = _image(mask), _stage(mask_taps, how.rise.up, how.rise.padding)
    _set_activation(job, LEAKY_RELU_DERIVATIVE, how, size, bias)
    return packing.unpack(_run(job, packed, size if transposed else how.out_size(size)))


def winograd_in(x: Tensor, scale: Tensor | None, padding: tuple[int, int], across: int, first: int, to: Tensor) -> None:
    """Tiles of an image `[1, C, H, W]`, channels last in memory, at the points of the convolution.

    Args:
        x: the image.
        scale: `[C]` that it is multiplied by; None for none.
        padding: `(y, x)` zeros before it.
        across: tiles in a row of tiles.
        first: the first tile.
        to: `[36, count, C]`, filled with `count` tiles.
    """
    image = _image(x)
    scales = None if scale is None else scale.data_ptr()
    _library().crowdgan_winograd_in(
        byref(image), scales, *padding, across, first, to.shape[1], to.data_ptr(), torch.get_num_threads()
    )


def winograd_out(products: Tensor, scale: Tensor | None, across: int, first: int, out: Tensor) -> None:
    """Products `[36, count, C]` at the points as tiles of `out` `[1, C, H, W]`, channels last in memory.

    Args:
        products: one matrix per point.
        scale: `[C]` that the result is multiplied by; None for none.
        across: tiles in a row of tiles.
        first: the first tile.
        out: filled where the tiles lie.
    """
    image = _image(out)
    scales = None if scale is None else scale.data_ptr()
    _library().crowdgan_winograd_out(
        products.data_ptr(), scales, byref(image), across, first, products.shape[1], torch.get_num_threads()
    )


def bias_act(
    v: Tensor | None, x: Tensor, b: Tensor | None, dim: int, slopes: tuple[float, float], clamp: float | None
) -> Tensor:
    """`x` plus a bias along `dim`, times the slope above or below 0, clamped; or `v` times the derivative of that."""
    if not x.numel():
        return torch.empty_like(x)
    order = torch.channels_last if x.ndim == 4 and not x.is_contiguous() else torch.contiguous_format
    x = x.contiguous(memory_format=order)
    v = None if v is None else v.contiguous(memory_format=order)
    y = torch.empty_like(x, memory_format=order)
    axes = [0, 2, 3, 1] if order == torch.channels_last else list(range(x.ndim))
    sizes, at = [x.shape[axis] for axis in axes], axes.index(dim) if b is not None else 0
    outer, channels, inner = math.prod(sizes[:at]), sizes[at], math.prod(sizes[at + 1 :])
    if b is None:
        outer, channels, inner = 1, 1, x.numel()
    b = x.new_zeros(1) if b is None else b.contiguous()
    _library().crowdgan_bias_act(
        x.data_ptr(),
        None if v is None else v.data_ptr(),
        b.data_ptr(),
        y.data_ptr(),
        outer,
        channels,
        inner,
        *slopes,
        math.inf if clamp is None else clamp,
        torch.get_num_threads(),
    )
    return y


class _Packing:
    """How images lie in memory for the loops: neighbouring channels; of few channels, all of the batch as one."""

    def __init__(self, x: Tensor) -> None:
        self._order = image_order(x)
        few = x.shape[1] < FEW_CHANNELS and self._order == torch.contiguous_format
        self._batch = x.shape[0] if few else 1

    def pack(self, x: Tensor) -> Tensor:
        """An image `[N, C, H, W]` with channels last in memory."""
        if self._batch > 1:
            x = x.reshape(1, -1, *x.shape[2:])
        return x.contiguous(memory_format=torch.channels_last)

    def bias(self, b: Tensor | None) -> Tensor | None:
        """The bias of the packed channels."""
        return None if b is None else b.repeat(self._batch) if self._batch > 1 else b.contiguous()

    def unpack(self, y: Tensor) -> Tensor:
        """A result in the shape and memory order of the image that came in."""
        if self._batch > 1:
            y = y.reshape(self._batch, -1, *y.shape[2:])
        return y.contiguous(memory_format=self._order)


def _run(job: _Job, x: Tensor, out_size: tuple[int, int]) -> Tensor:
    """The result for a packed image; `job` holds the stages and the activation."""
    out = torch.empty(
        (x.shape[0], x.shape[1], *out_size), dtype=x.dtype, device=x.device, memory_format=torch.channels_last
    )
    job.input, job.out = _image(x), _image(out)
    job.threads = torch.get_num_threads()
    if _library().crowdgan_resample(byref(job)):
        raise MemoryError(f"no memory for a result of {list(out.shape)}")
    return out


def _image(x: Tensor) -> _Image:
    n, channels, height, width = x.shape
    return _Image(x.data_ptr(), n, channels, height, width, channels * height * width, channels * width, channels)


def _correlation(f: Tensor, how: Resampling) -> Tensor:
    """The taps that are correlated with the image, gain included."""
    taps = f if how.flip_filter else f.flip(tuple(range(f.ndim)))
    return taps.mul(how.gain ** (f.ndim / 2)).contiguous()


def _stage(taps: Tensor, factor: tuple[int, int], padding: tuple[int, int, int, int]) -> _Stage:
    """A stage; the caller keeps the taps alive."""
    height, width = taps_of(taps)
    identity = taps.numel() == 1 and factor == (1, 1) and padding[0] == padding[2] == 0 and taps.item() == 1
    full = taps.ndim == 2
    mirrored = full and torch.equal(taps, taps.flip(0))
    return _Stage(taps.data_ptr(), width, height, full, identity, mirrored, *factor, padding[0], padding[2])


def _set_activation(job: _Job, point: int, how: FilteredLrelu, size: tuple[int, int], bias: Tensor | None) -> None:
    """Sets what happens between the stages; the caller keeps the bias alive."""
    job.height, job.width = how.between(size)
    job.point = point
    job.bias = None if bias is None else bias.data_ptr()
    job.above, job.below = how.gain, how.gain * how.slope
    job.bound = math.inf if how.clamp is None else how.clamp


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    """The library with its functions declared; built if needed.

    Raises:
        BuildError: it cannot be built or loaded.
    """
    path = built_library()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(f"{path}: the native ops cannot be loaded ({error})") from error
    library.crowdgan_resample.argtypes = [POINTER(_Job)]
    library.crowdgan_resample.restype = c_int
    library.crowdgan_winograd_in.argtypes = [POINTER(_Image), c_void_p, *[c_int64] * 5, c_void_p, c_int64]
    library.crowdgan_winograd_in.restype = None
    library.crowdgan_winograd_out.argtypes = [c_void_p, c_void_p, POINTER(_Image), *[c_int64] * 4]
    library.crowdgan_winograd_out.restype = None
    library.crowdgan_bias_act.argtypes = [*[c_void_p] * 4, *[c_int64] * 3, *[c_float] * 3, c_int64]
    library.crowdgan_bias_act.restype = None
    return library

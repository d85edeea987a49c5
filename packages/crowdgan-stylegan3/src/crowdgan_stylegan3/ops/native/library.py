"""Call the native ops: the C structures, and functions on tensors."""

from __future__ import annotations

import ctypes
import math
from ctypes import POINTER, Structure, byref, c_float, c_int, c_int64, c_void_p
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from crowdgan_core.errors import BuildError
from crowdgan_stylegan3.ops.arguments import (
    FilteredLrelu,
    Resampling,
    filter_size,
    image_memory_format,
    image_size,
)
from crowdgan_stylegan3.ops.native.allocation import keep_unused_memory
from crowdgan_stylegan3.ops.native.build import build_library
from crowdgan_stylegan3.ops.weight_cache import cache_per_filter

MAX_TAPS = 64
"""Maximum number of taps along one axis, as in resample.h."""

VECTOR_CHANNELS = 16
"""Channels in the widest vector; the images of a batch with fewer channels are stored as channels of one image."""

IDENTITY, LEAKY_RELU, LEAKY_RELU_DERIVATIVE = range(3)
"""Values of `ActivationKind` in resample.h."""


_Pair = c_int64 * 2
"""A factor along x and y."""


_Sizes = c_int64 * 4
"""Sizes or strides of a weight."""


class _Image(Structure):
    """`Image` of resample.h."""

    _fields_ = [
        ("data", c_void_p),
        *((name, c_int64) for name in ("n", "channels", "height", "width", "stride_n", "stride_y", "stride_x")),
    ]


class _Stage(Structure):
    """`Stage` of resample.h."""

    _fields_ = [
        ("taps", c_void_p),
        *((name, c_int64) for name in ("taps_x", "taps_y", "full", "identity", "mirrored")),
        *((name, c_int64) for name in ("factor_x", "factor_y", "pad_x", "pad_y")),
    ]


class _Job(Structure):
    """`Job` of resample.h."""

    _fields_ = [
        *((name, _Image) for name in ("input", "out", "mask")),
        ("bias", c_void_p),
        *((name, _Stage) for name in ("upsampling", "mask_upsampling", "downsampling")),
        *((name, c_int64) for name in ("height", "width", "activation")),
        *((name, c_float) for name in ("above", "below", "bound")),
        ("threads", c_int64),
    ]


def load() -> None:
    """Compile and load the library, unless it is loaded; large arrays then reuse freed memory.

    Raises:
        BuildError: the library cannot be compiled or loaded.
    """
    _library()


def unavailable_reason(x: Tensor, *filters: Tensor) -> str | None:
    """Reason why the native ops do not support an image and filters; None if they do."""
    if x.dtype != torch.float32:
        return f"x is {x.dtype}; it must be torch.float32"
    max_taps = max([0, *[size for f in filters for size in f.shape]])
    return None if max_taps <= MAX_TAPS else f"a filter has {max_taps} taps; it must have at most {MAX_TAPS}"


def upfirdn2d(x: Tensor, f: Tensor, resampling: Resampling) -> Tensor:
    """As `reference.upfirdn2d`."""
    packing, size = _Packing(x), image_size(x)
    packed = packing.pack(x)
    up, down, padding = resampling.up, resampling.down, resampling.padding
    taps, stage = _upfirdn2d_stage(f, resampling)
    if taps.ndim == 1:
        out = _empty_image(packed, resampling.out_size(size, filter_size(f)))
        images = (_image(packed), _image(out))
        failed = _library().crowdgan_resample_separable(
            byref(images[0]), byref(images[1]), byref(stage), _Pair(*up), _Pair(*down), torch.get_num_threads()
        )
        return packing.unpack(_checked(out, failed))
    identity_taps, no_padding = x.new_ones(1), (0, 0, 0, 0)
    if up == (1, 1):
        job = _Job(upsampling=_stage(identity_taps, (1, 1), no_padding), downsampling=_stage(taps, down, padding))
        job.height, job.width = size
    else:
        job = _Job(upsampling=_stage(taps, up, padding), downsampling=_stage(identity_taps, down, no_padding))
        job.height, job.width = replace(resampling, down=(1, 1)).out_size(size, filter_size(f))
    return packing.unpack(_run(job, packed, resampling.out_size(size, filter_size(f))))


def filtered_lrelu(x: Tensor, b: Tensor | None, params: FilteredLrelu) -> Tensor:
    """As `reference.filtered_lrelu`."""
    packing, size = _Packing(x), image_size(x)
    packed, bias = packing.pack(x), packing.bias(b)
    upsampling, downsampling = params.upsampling, params.downsampling
    up_taps, down_taps = _correlation_taps(params.fu, upsampling), _correlation_taps(params.fd, downsampling)
    job = _Job(upsampling=_stage(up_taps, upsampling.up, upsampling.padding))
    job.downsampling = _stage(down_taps, downsampling.down, downsampling.padding)
    _set_activation(job, LEAKY_RELU, params, size, bias)
    return packing.unpack(_run(job, packed, params.out_size(size)))


def filtered_lrelu_linear(v: Tensor, x: Tensor, b: Tensor | None, params: FilteredLrelu, transposed: bool) -> Tensor:
    """`filtered_lrelu` linearised at `x`, or the transposed linear map (gradient of the result to gradient of `x`).

    The upsampled `x` is recomputed rather than saved: `x` takes as much memory as one byte per upsampled sample.

    Args:
        v: argument of the linear map: like `x`, or if `transposed`, like the result of `filtered_lrelu`.
        x: `[N, C, H, W]`.
        b: `[C]`; None for no bias.
        params: filters, resamplings and activation.
        transposed: apply the transposed map.
    """
    packing, size = _Packing(x), image_size(x)
    packed, mask, bias = packing.pack(v), packing.pack(x), packing.bias(b)
    up_filter, down_filter, upsampling, downsampling = params.fu, params.fd, params.upsampling, params.downsampling
    if transposed:
        up_filter, down_filter = params.fd, params.fu
        upsampling = params.downsampling.transposed(params.upsampled_size(size), filter_size(up_filter))
        downsampling = params.upsampling.transposed(size, filter_size(down_filter))
    up_taps, down_taps = _correlation_taps(up_filter, upsampling), _correlation_taps(down_filter, downsampling)
    mask_taps = _correlation_taps(params.fu, params.upsampling)
    job = _Job(upsampling=_stage(up_taps, upsampling.up, upsampling.padding))
    job.downsampling = _stage(down_taps, downsampling.down, downsampling.padding)
    job.mask, job.mask_upsampling = _image(mask), _stage(mask_taps, params.upsampling.up, params.upsampling.padding)
    _set_activation(job, LEAKY_RELU_DERIVATIVE, params, size, bias)
    return packing.unpack(_run(job, packed, size if transposed else params.out_size(size)))


def winograd_transform_weight(weight: Tensor) -> Tensor:
    """Values of a weight `[K, C, 3, 3]` at the interpolation points, `[K / columns, 36, C, columns]`.

    K is padded with zeros to a multiple of the number of columns, the output channels that are processed together.
    """
    channels_out, channels_in = weight.shape[:2]
    columns = int(_library().crowdgan_winograd_columns())
    values = weight.new_zeros(-(-channels_out // columns), 36, channels_in, columns)
    _library().crowdgan_winograd_transform_weight(
        weight.data_ptr(), _Sizes(*weight.shape), _Sizes(*weight.stride()), values.data_ptr(), torch.get_num_threads()
    )
    return values


def winograd_convolve(
    x: Tensor, weights: Tensor, padding: int, in_scale: Tensor | None, out_scale: Tensor | None, out: Tensor
) -> Tensor:
    """`out`, overwritten with the convolution of `x`; both channels last in memory.

    Args:
        x: `[N, C, H, W]`.
        weights: result of `winograd_transform_weight`.
        padding: zeros on each side.
        in_scale: `[N, C]`, factors of the input channels; None for no scaling.
        out_scale: `[N, K]`, factors of the output channels; None for no scaling.
        out: `[N, K, H + 2·padding - 2, W + 2·padding - 2]`.
    """
    images = (_image(x), _image(out))
    scales = [None if scale is None else scale.contiguous() for scale in (in_scale, out_scale)]
    pointers = [None if scale is None else scale.data_ptr() for scale in scales]
    failed = _library().crowdgan_winograd_convolve(
        byref(images[0]),
        pointers[0],
        weights.data_ptr(),
        pointers[1],
        byref(images[1]),
        padding,
        torch.get_num_threads(),
    )
    return _checked(out, failed)


def winograd_weight_gradient(x: Tensor, dy: Tensor, padding: int) -> Tensor:
    """Gradient of the weight, `[K, C, 3, 3]`.

    Args:
        x: `[N, C, H, W]`, channels last in memory.
        dy: gradient of the result, `[N, K, H + 2·padding - 2, W + 2·padding - 2]`, channels last in memory.
        padding: zeros on each side of `x`.
    """
    dw = x.new_empty(dy.shape[1], x.shape[1], 3, 3)
    images = (_image(x), _image(dy))
    failed = _library().crowdgan_winograd_weight_gradient(
        byref(images[0]), byref(images[1]), padding, dw.data_ptr(), torch.get_num_threads()
    )
    return _checked(dw, failed)


def bias_act(
    v: Tensor | None, x: Tensor, b: Tensor | None, dim: int, slopes: tuple[float, float], clamp: float | None
) -> Tensor:
    """`x` plus a bias along `dim`, times the slope above or below 0, clamped; or `v` times the derivative of this."""
    if not x.numel():
        return torch.empty_like(x)
    layout = torch.channels_last if x.ndim == 4 and not x.is_contiguous() else torch.contiguous_format
    x = x.contiguous(memory_format=layout)
    v = None if v is None else v.contiguous(memory_format=layout)
    y = torch.empty_like(x, memory_format=layout)
    axes = [0, 2, 3, 1] if layout == torch.channels_last else list(range(x.ndim))
    sizes, position = [x.shape[axis] for axis in axes], axes.index(dim) if b is not None else 0
    outer, channels, inner = math.prod(sizes[:position]), sizes[position], math.prod(sizes[position + 1 :])
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
    """Conversion of images to the layout of the loops: channels last; with few channels, the batch as one image."""

    def __init__(self, x: Tensor) -> None:
        self._memory_format = image_memory_format(x)
        merges_batch = x.shape[1] < VECTOR_CHANNELS and self._memory_format == torch.contiguous_format
        self._batch = x.shape[0] if merges_batch else 1

    def pack(self, x: Tensor) -> Tensor:
        """An image `[N, C, H, W]` in the layout of the loops."""
        if self._batch > 1:
            x = x.reshape(1, -1, *x.shape[2:])
        return x.contiguous(memory_format=torch.channels_last)

    def bias(self, b: Tensor | None) -> Tensor | None:
        """The bias of the packed channels."""
        return None if b is None else b.repeat(self._batch) if self._batch > 1 else b.contiguous()

    def unpack(self, y: Tensor) -> Tensor:
        """A result in the original shape and memory format."""
        if self._batch > 1:
            y = y.reshape(self._batch, -1, *y.shape[2:])
        return y.contiguous(memory_format=self._memory_format)


def _run(job: _Job, x: Tensor, out_size: tuple[int, int]) -> Tensor:
    """The result for a packed image; `job` holds the stages and the activation."""
    out = _empty_image(x, out_size)
    job.input, job.out = _image(x), _image(out)
    job.threads = torch.get_num_threads()
    return _checked(out, _library().crowdgan_resample(byref(job)))


def _empty_image(x: Tensor, size: tuple[int, int]) -> Tensor:
    """An uninitialised image `[N, C, *size]` like `x`, channels last in memory."""
    return torch.empty((*x.shape[:2], *size), dtype=x.dtype, device=x.device, memory_format=torch.channels_last)


def _checked(out: Tensor, failed: int) -> Tensor:
    if failed:
        raise MemoryError(f"not enough memory for a result of shape {list(out.shape)}")
    return out


def _image(x: Tensor) -> _Image:
    n, channels, height, width = x.shape
    return _Image(x.data_ptr(), n, channels, height, width, channels * height * width, channels * width, channels)


@cache_per_filter
def _upfirdn2d_stage(f: Tensor, resampling: Resampling) -> tuple[Tensor, _Stage]:
    """The taps of a filter, separated if possible, and a stage with these taps."""
    taps = _correlation_taps(_separate(f), resampling)
    return taps, _stage(taps, resampling.up, resampling.padding)


def _separate(f: Tensor) -> Tensor:
    """The taps `[taps]` of a filter that equals their outer product exactly; other filters unchanged."""
    if f.ndim == 1 or f.shape[0] != f.shape[1]:
        return f
    taps = f.diagonal().sqrt()
    return taps if torch.equal(torch.outer(taps, taps), f) else f


def _correlation_taps(f: Tensor, resampling: Resampling) -> Tensor:
    """The taps with which the image is correlated, gain included."""
    taps = f if resampling.flip_filter else f.flip(tuple(range(f.ndim)))
    return taps.mul(resampling.gain ** (f.ndim / 2)).contiguous()


def _stage(taps: Tensor, factor: tuple[int, int], padding: tuple[int, int, int, int]) -> _Stage:
    """A stage; the caller must keep a reference to the taps."""
    height, width = filter_size(taps)
    is_identity = taps.numel() == 1 and factor == (1, 1) and padding[0] == padding[2] == 0 and taps.item() == 1
    is_full = taps.ndim == 2
    is_mirrored = is_full and torch.equal(taps, taps.flip(0))
    return _Stage(taps.data_ptr(), width, height, is_full, is_identity, is_mirrored, *factor, padding[0], padding[2])


def _set_activation(
    job: _Job, activation: int, params: FilteredLrelu, in_size: tuple[int, int], bias: Tensor | None
) -> None:
    """Set the activation between the stages; the caller must keep a reference to the bias."""
    job.height, job.width = params.upsampled_size(in_size)
    job.activation = activation
    job.bias = None if bias is None else bias.data_ptr()
    job.above, job.below = params.gain, params.gain * params.slope
    job.bound = math.inf if params.clamp is None else params.clamp


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    """The library with the signatures of its functions; compiled first if it does not exist.

    Raises:
        BuildError: the library cannot be compiled or loaded.
    """
    path = build_library()
    keep_unused_memory()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(f"{path}: the native ops cannot be loaded ({error})") from error
    library.crowdgan_resample.argtypes = [POINTER(_Job)]
    library.crowdgan_resample.restype = c_int
    library.crowdgan_resample_separable.argtypes = [*[POINTER(_Image)] * 2, POINTER(_Stage), _Pair, _Pair, c_int64]
    library.crowdgan_resample_separable.restype = c_int
    library.crowdgan_winograd_columns.restype = c_int64
    library.crowdgan_winograd_convolve.argtypes = [
        POINTER(_Image),
        *[c_void_p] * 3,
        POINTER(_Image),
        *[c_int64] * 2,
    ]
    library.crowdgan_winograd_weight_gradient.argtypes = [*[POINTER(_Image)] * 2, c_int64, c_void_p, c_int64]
    library.crowdgan_winograd_transform_weight.argtypes = [c_void_p, _Sizes, _Sizes, c_void_p, c_int64]
    library.crowdgan_winograd_transform_weight.restype = None
    for function in (library.crowdgan_winograd_convolve, library.crowdgan_winograd_weight_gradient):
        function.restype = c_int
    library.crowdgan_bias_act.argtypes = [*[c_void_p] * 4, *[c_int64] * 3, *[c_float] * 3, c_int64]
    library.crowdgan_bias_act.restype = None
    return library

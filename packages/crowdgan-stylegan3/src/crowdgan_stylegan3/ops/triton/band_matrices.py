"""Filters as band matrices, built on the device and kept.

A full filter is written as a sum of separable ones: its singular value decomposition, in float64. The radial filters of
configuration R, 12 x 12, are sums of 3 or 4 to a relative 1e-6, of 2 or 3 to 1e-4, where row by row they would need 12
products. Decomposing reads the filter back to the host, once per filter; while a CUDA graph is recorded nothing may be
read back, and a filter met there for the first time is taken row by row, which is exact too. Roundings of such a sum
are relative to the filter's large values: a tap much smaller than these is not kept to its own precision.

Source: ours.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from crowdgan_stylegan3.ops.arguments import Resampling
from crowdgan_stylegan3.ops.triton.tiling import Span, Step

T = TypeVar("T")

RANK_TOLERANCES = {torch.float32: 1e-6, torch.float16: 1e-4}
"""Singular values below this share of the largest are left out: well under the rounding of the products."""

CACHE_ENTRIES = 512
"""Most filters, and most pairs of matrices, that are kept: three pairs for each layer of a network of 14, forward and
backward, several times over; a pair takes at most 16 KiB a rank and side."""


class FilterCache(Generic[T]):
    """What was made of filters, the latest `CACHE_ENTRIES`.

    A filter is known by its address, layout and version. Each entry holds its filter, so that no other can come to lie
    at that address, and writing to a filter changes its version.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, tuple[Tensor, int, T]] = OrderedDict()

    def get(self, f: Tensor, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes of `f` under `key`, from the cache where it is there."""
        if f.is_inference() or is_capturing(f):
            # The first have no version; what a recording makes is not there until it is replayed.
            return make()
        key = (f.data_ptr(), tuple(f.shape), f.stride(), f.device, key)
        kept = self._entries.pop(key, None)
        if kept is None or kept[1] != f._version:
            kept = (f, f._version, make())
            if f.is_cuda:  # other streams may use it next
                torch.cuda.current_stream(f.device).synchronize()
        self._entries[key] = kept
        if len(self._entries) > CACHE_ENTRIES:
            self._entries.popitem(last=False)
        return kept[2]


_factors: FilterCache[tuple[Tensor, Tensor]] = FilterCache()
_bands: FilterCache[tuple[Tensor, Tensor]] = FilterCache()


def is_capturing(f: Tensor) -> bool:
    """Whether a CUDA graph is being recorded on the device of `f`."""
    return f.is_cuda and torch.cuda.is_current_stream_capturing()


def factors(f: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Separable filters whose sum is `f`: along y `[rank, height]` and along x `[rank, width]`, float32.

    Args:
        f: `[taps]` or `[height, width]`.
        dtype: kind of the images, which decides how many are needed.
    """
    if f.ndim == 1:
        return f[None], f[None]
    if is_capturing(f) or f.is_inference():
        return torch.eye(f.shape[0], device=f.device), f
    return _factors.get(f, dtype, lambda: _decomposed(f, RANK_TOLERANCES[dtype]))


def _decomposed(f: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    u, s, vh = torch.linalg.svd(f.to("cpu", torch.float64), full_matrices=False)
    rank = max(int((s > tolerance * s[0]).sum()), 1)
    root = s[:rank].sqrt()
    along_y, along_x = (u[:, :rank] * root).T, vh[:rank] * root[:, None]
    return along_y.to(f.device, torch.float32), along_x.to(f.device, torch.float32)


def bands(
    f: Tensor, how: Resampling, dtype: torch.dtype, steps: tuple[Step, Step], spans: tuple[tuple[Span, Span], ...]
) -> tuple[Tensor, Tensor]:
    """Band matrices of a resampling for tile 0, and so for all tiles, of kind `dtype`.

    Args:
        f: the filter.
        how: the resampling.
        dtype: kind of the matrices, that of the images.
        steps: the resampling along y and x.
        spans: what it writes and what it reads, along y and along x.

    Returns:
        Left factors `[rank, out_block_y, in_block_y]` and right factors `[rank, in_block_x, out_block_x]`: a tile is
        the sum over ranks of left · inputs · right.
    """

    def make() -> tuple[Tensor, Tensor]:
        along_y, along_x = factors(f, dtype)
        root = how.gain**0.5
        left = _band(_oriented(along_y, how) * root, steps[0], *spans[0])
        right = _band(_oriented(along_x, how) * root, steps[1], *spans[1])
        return left.to(dtype).contiguous(), right.mT.to(dtype).contiguous()

    return _bands.get(f, (how, dtype, spans), make)


def _oriented(taps: Tensor, how: Resampling) -> Tensor:
    return taps if how.flip_filter else taps.flip(1)


def _band(taps: Tensor, step: Step, out: Span, source: Span) -> Tensor:
    """`[rank, out.block, source.block]`: what each output takes from each input, 0 outside the intervals."""
    o = torch.arange(out.block, device=taps.device)[:, None]
    i = torch.arange(source.block, device=taps.device)[None, :]
    tap = (source.first + i) * step.up + step.pad - (out.first + o) * step.down
    met = (tap >= 0) & (tap < step.taps) & (o < out.count) & (i < source.count)
    return torch.where(met, taps[:, tap.clamp(0, step.taps - 1)], 0.0)

"""Filters as band matrices, built on the device and cached.

A full filter is decomposed into a sum of separable ones, by a singular value decomposition in float64. The radial
12 x 12 filters of configuration R are sums of 3 or 4 separable filters to a relative accuracy of 1e-6, and of 2 or 3 to
1e-4; row by row they would need 12 products. The decomposition copies the filter to the host, once per filter. Copies
are not allowed while a CUDA graph is captured: a filter that is not in the cache is then used row by row, which is
exact. The rounding errors of such a sum are relative to the large values of the filter; taps that are much smaller are
less accurate relative to their own values.

Source: ours.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from crowdgan_stylegan3.ops.arguments import Resampling
from crowdgan_stylegan3.ops.triton.tiling import AxisResampling, Span

T = TypeVar("T")

RANK_TOLERANCES = {torch.float32: 1e-6, torch.float16: 1e-4}
"""Singular values below this fraction of the largest are dropped; well below the rounding errors of the products."""

CACHE_ENTRIES = 512
"""Maximum number of entries of a cache: three pairs of matrices for each of the 14 layers of a network, forward and
backward, with room to spare. A pair takes at most 16 KiB per rank and side."""


class FilterCache(Generic[T]):
    """Values derived from filters; the `CACHE_ENTRIES` most recently used ones are kept.

    A filter is identified by its address, layout and version counter. Each entry holds a reference to its filter, so no
    other tensor can get the same address; a write to the filter changes its version.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, tuple[Tensor, int, T]] = OrderedDict()

    def get(self, f: Tensor, key: Hashable, compute: Callable[[], T]) -> T:
        """The value of `f` under `key`, from the cache, or computed by `compute`."""
        if f.is_inference() or is_capturing(f):
            # Inference tensors have no version; captured values do not exist before the graph is replayed.
            return compute()
        key = (f.data_ptr(), tuple(f.shape), f.stride(), f.device, key)
        entry = self._entries.pop(key, None)
        if entry is None or entry[1] != f._version:
            entry = (f, f._version, compute())
            if f.is_cuda:  # another stream may read the value next
                torch.cuda.current_stream(f.device).synchronize()
        self._entries[key] = entry
        if len(self._entries) > CACHE_ENTRIES:
            self._entries.popitem(last=False)
        return entry[2]


_factor_cache: FilterCache[tuple[Tensor, Tensor]] = FilterCache()
_matrix_cache: FilterCache[tuple[Tensor, Tensor]] = FilterCache()


def is_capturing(f: Tensor) -> bool:
    """Whether a CUDA graph is captured on the device of `f`."""
    return f.is_cuda and torch.cuda.is_current_stream_capturing()


def separable_factors(f: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Separable filters with the sum `f`: along y `[rank, height]` and along x `[rank, width]`, float32.

    Args:
        f: `[taps]` or `[height, width]`.
        dtype: dtype of the images, which determines the accuracy and so the rank.
    """
    if f.ndim == 1:
        return f[None], f[None]
    if is_capturing(f) or f.is_inference():
        return torch.eye(f.shape[0], device=f.device), f
    return _factor_cache.get(f, dtype, lambda: _decompose(f, RANK_TOLERANCES[dtype]))


def _decompose(f: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    u, s, vh = torch.linalg.svd(f.to("cpu", torch.float64), full_matrices=False)
    rank = max(int((s > tolerance * s[0]).sum()), 1)
    root = s[:rank].sqrt()
    along_y, along_x = (u[:, :rank] * root).T, vh[:rank] * root[:, None]
    return along_y.to(f.device, torch.float32), along_x.to(f.device, torch.float32)


def band_matrices(
    f: Tensor,
    resampling: Resampling,
    dtype: torch.dtype,
    axes: tuple[AxisResampling, AxisResampling],
    spans: tuple[tuple[Span, Span], ...],
) -> tuple[Tensor, Tensor]:
    """Band matrices of a resampling for tile 0, which are the same for all tiles.

    Args:
        f: the filter.
        resampling: the resampling.
        dtype: dtype of the images and the matrices.
        axes: the resampling along y and x.
        spans: output and input span along y, and along x.

    Returns:
        Left matrices `[rank, out_block_y, in_block_y]` and right matrices `[rank, in_block_x, out_block_x]`: a tile is
        the sum over ranks of left · inputs · right.
    """

    def compute() -> tuple[Tensor, Tensor]:
        along_y, along_x = separable_factors(f, dtype)
        root = resampling.gain**0.5
        left = _band_matrix(_correlation_taps(along_y, resampling) * root, axes[0], *spans[0])
        right = _band_matrix(_correlation_taps(along_x, resampling) * root, axes[1], *spans[1])
        return left.to(dtype).contiguous(), right.mT.to(dtype).contiguous()

    return _matrix_cache.get(f, (resampling, dtype, spans), compute)


def _correlation_taps(taps: Tensor, resampling: Resampling) -> Tensor:
    return taps if resampling.flip_filter else taps.flip(1)


def _band_matrix(taps: Tensor, axis: AxisResampling, out: Span, source: Span) -> Tensor:
    """`[rank, out.block, source.block]`: the weight of each input in each output, 0 outside the spans."""
    o = torch.arange(out.block, device=taps.device)[:, None]
    i = torch.arange(source.block, device=taps.device)[None, :]
    tap = (source.first + i) * axis.up + axis.pad - (out.first + o) * axis.down
    is_valid = (tap >= 0) & (tap < axis.taps) & (o < out.count) & (i < source.count)
    return torch.where(is_valid, taps[:, tap.clamp(0, axis.taps - 1)], 0.0)

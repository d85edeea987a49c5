"""Tiles of images: the input samples that a tile of outputs reads, and the tile shape of least cost.

A resampling along one axis is a band matrix: output o reads input i with the tap i·up + pad - o·down, if this tap
exists. A tile of n outputs therefore reads an interval of inputs. If n·down is a multiple of up, the next tile reads
the same interval, shifted, and all tiles share their matrices. A chain of resamplings has such tiles if the shifts of
all its resamplings are whole numbers.

Source: ours; definition of the op: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from crowdgan_stylegan3.ops.arguments import Resampling

MIN_BLOCK = 16
"""Minimum side of a matrix product: that of a tensor core."""

MAX_BLOCK = 64
"""Maximum side of a tile. A float32 tile of 64² in the registers of 128 threads takes 32 of the 255 registers of each
thread, and 16 KiB of shared memory between two products; GPUs have at least 99 KiB per block."""

MACS_PER_SAMPLE = 150.0
"""Cost of moving one sample, in multiply-adds. An H100 moves 2 bytes in the time of 600 half-precision multiply-adds at
its peak rate (990 TFLOP/s, 3.35 TB/s); small products reach about a quarter of this rate."""


@dataclass(frozen=True)
class AxisResampling:
    """One resampling along one axis."""

    up: int
    """Distance of input samples on the upsampled grid."""
    down: int
    """Distance of outputs on the upsampled grid."""
    pad: int
    """Position of input 0 on the upsampled grid, relative to the first tap of output 0."""
    taps: int
    """Length of the filter."""

    def input_interval(self, first: int, count: int) -> tuple[int, int]:
        """First input and number of inputs that `count` outputs from `first` read."""
        begin = -((self.pad - first * self.down) // self.up)
        end = ((first + count - 1) * self.down - self.pad + self.taps - 1) // self.up
        return begin, max(end - begin + 1, 1)


@dataclass(frozen=True)
class Span:
    """An interval of samples that a tile reads or writes along one axis."""

    first: int
    """First sample of tile 0."""
    count: int
    """Number of samples in a tile."""
    step: int
    """Number of samples from one tile to the next."""

    @property
    def block(self) -> int:
        """Smallest power of two that holds the samples, at least `MIN_BLOCK`."""
        return max(MIN_BLOCK, 1 << (self.count - 1).bit_length())

    def input_span(self, resampling: AxisResampling) -> Span | None:
        """The span that a resampling reads to write this span; None if the tiles would differ."""
        if self.step * resampling.down % resampling.up:
            return None
        return Span(
            *resampling.input_interval(self.first, self.count),
            self.step * resampling.down // resampling.up,
        )


@dataclass(frozen=True)
class Tiling:
    """Spans of a tile along one axis: outputs, samples on the upsampled grid, inputs."""

    out: Span
    """Outputs."""
    middle: Span
    """Inputs of the last resampling."""
    sources: tuple[Span, ...]
    """Inputs of the first resamplings, whose outputs are the middle."""


def axis_resamplings(resampling: Resampling, filter_size: tuple[int, int]) -> tuple[AxisResampling, AxisResampling]:
    """A resampling along y and along x.

    Args:
        resampling: the resampling of images.
        filter_size: `(height, width)` of its filter.
    """
    return (
        AxisResampling(resampling.up[1], resampling.down[1], resampling.padding[2], filter_size[0]),
        AxisResampling(resampling.up[0], resampling.down[0], resampling.padding[0], filter_size[1]),
    )


@lru_cache(maxsize=1024)
def best_tilings(
    out_size: tuple[int, int],
    last: tuple[AxisResampling, AxisResampling],
    firsts: tuple[tuple[AxisResampling, AxisResampling], ...],
    last_rank: int,
) -> tuple[Tiling, Tiling] | None:
    """The tilings of y and x with the least cost; None if no tile is small enough.

    Args:
        out_size: `(height, width)` of the result.
        last: the resampling that writes the result, along y and x.
        firsts: the resamplings that write the inputs of `last`.
        last_rank: number of separable filters in the filter of `last`.
    """
    tilings_y = list(_tilings(out_size[0], last[0], tuple(first[0] for first in firsts)))
    tilings_x = list(_tilings(out_size[1], last[1], tuple(first[1] for first in firsts)))
    pairs = [(y, x) for y in tilings_y for x in tilings_x]
    return min(pairs, key=lambda pair: _cost(out_size, pair[0], pair[1], last_rank), default=None)


def _tilings(size: int, last: AxisResampling, firsts: tuple[AxisResampling, ...]) -> Iterator[Tiling]:
    """The tilings of one axis with small enough blocks; of tilings with equal blocks, only the longest."""
    longest: dict[tuple[int, ...], Tiling] = {}
    for count in range(1, min(MAX_BLOCK, size + MIN_BLOCK) + 1):
        out = Span(0, count, count)
        middle = out.input_span(last)
        sources = () if middle is None else tuple(middle.input_span(first) for first in firsts)
        if middle is None or None in sources:
            continue
        tiling = Tiling(out, middle, tuple(span for span in sources if span is not None))
        blocks = (out.block, middle.block, *(span.block for span in tiling.sources))
        if max(blocks) <= MAX_BLOCK:
            longest[blocks] = tiling
    yield from longest.values()


def _cost(out_size: tuple[int, int], y: Tiling, x: Tiling, last_rank: int) -> float:
    """Cost of all tiles of an image in multiply-adds, including the samples that they move."""
    tiles = -(-out_size[0] // y.out.count) * -(-out_size[1] // x.out.count)
    macs = _macs(y.middle, x.middle, y.out, x.out) * last_rank
    macs += sum(_macs(*pair, y.middle, x.middle) for pair in zip(y.sources, x.sources, strict=True))
    read = sum(span_y.count * span_x.count for span_y, span_x in zip(y.sources, x.sources, strict=True))
    samples = (read or y.middle.count * x.middle.count) + y.out.count * x.out.count
    return tiles * (macs + MACS_PER_SAMPLE * samples)


def _macs(in_y: Span, in_x: Span, out_y: Span, out_x: Span) -> int:
    """Multiply-adds of a product with one band matrix from the right and one from the left."""
    return out_x.block * in_y.block * (in_x.block + out_y.block)

"""How images are cut into tiles: which samples a tile of outputs reads, and which tile costs least.

A resampling along one axis is a band matrix: output o takes from input i the tap i·up + pad - o·down, where there is
one. What a tile of n outputs reads is therefore an interval, and where n·down is a multiple of up the next tile reads
the same interval moved: all tiles share their matrices. A chain of resamplings has such a tile wherever the moves of
all its steps are whole.

Source: ours; the definition of the op is in Karras et al., "Analyzing and Improving the Image Quality of StyleGAN",
2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from crowdgan_stylegan3.ops.arguments import Resampling

MIN_BLOCK = 16
"""Smallest side of a matrix product: that of a tensor core."""

MAX_BLOCK = 64
"""Largest side of a tile. A float32 tile of 64² in the registers of 128 threads takes 32 of each thread's 255, and 16
KiB of shared memory on its way to the next product: GPUs offer a block 99 KiB or more."""

MACS_PER_SAMPLE = 150.0
"""What moving one sample counts, in multiply-adds. An H100 moves 2 bytes in the time of 600 half-precision
multiply-adds at its peak rate (990 TFLOP/s, 3.35 TB/s); small products reach about a quarter of that."""


@dataclass(frozen=True)
class Step:
    """One resampling along one axis."""

    up: int
    """Input samples lie this far apart on the fine grid."""
    down: int
    """Outputs lie this far apart on the fine grid."""
    pad: int
    """Place of input 0 on the fine grid, seen from output 0's first tap."""
    taps: int
    """Length of the filter."""

    def reads(self, first: int, count: int) -> tuple[int, int]:
        """First input, and number of inputs, that `count` outputs from `first` on take from."""
        begin = -((self.pad - first * self.down) // self.up)
        end = ((first + count - 1) * self.down - self.pad + self.taps - 1) // self.up
        return begin, max(end - begin + 1, 1)


@dataclass(frozen=True)
class Span:
    """An interval of samples that a tile reads or writes along one axis."""

    first: int
    """First sample of tile 0."""
    count: int
    """Samples of a tile."""
    move: int
    """Samples from one tile to the next."""

    @property
    def block(self) -> int:
        """The power of two that holds the samples."""
        return max(MIN_BLOCK, 1 << (self.count - 1).bit_length())

    def read_by(self, step: Step) -> Span | None:
        """What `step` reads to write this interval; None where tiles would differ."""
        if self.move * step.down % step.up:
            return None
        return Span(*step.reads(self.first, self.count), self.move * step.down // step.up)


@dataclass(frozen=True)
class Tiling:
    """Intervals along one axis: outputs, what these are made of, and what that is made of."""

    out: Span
    """Outputs."""
    middle: Span
    """What the last step reads."""
    sources: tuple[Span, ...]
    """What the first steps, which write the middle, read."""


def steps_of(how: Resampling, taps: tuple[int, int]) -> tuple[Step, Step]:
    """A resampling along y and x.

    Args:
        how: the resampling.
        taps: `(height, width)` of its filter.
    """
    return (
        Step(how.up[1], how.down[1], how.padding[2], taps[0]),
        Step(how.up[0], how.down[0], how.padding[0], taps[1]),
    )


@lru_cache(maxsize=1024)
def best_tilings(
    out_size: tuple[int, int],
    last: tuple[Step, Step],
    firsts: tuple[tuple[Step, Step], ...],
    last_rank: int,
) -> tuple[Tiling, Tiling] | None:
    """The tilings of y and x that cost least; None where no tile is small enough.

    Args:
        out_size: `(height, width)` of the result.
        last: the resampling that writes it, along y and x.
        firsts: those that write what `last` reads.
        last_rank: separable filters that `last` is the sum of.
    """
    along_y = list(_tilings(out_size[0], last[0], tuple(first[0] for first in firsts)))
    along_x = list(_tilings(out_size[1], last[1], tuple(first[1] for first in firsts)))
    pairs = [(y, x) for y in along_y for x in along_x]
    return min(pairs, key=lambda pair: _cost(out_size, pair[0], pair[1], last_rank), default=None)


def _tilings(size: int, last: Step, firsts: tuple[Step, ...]) -> Iterator[Tiling]:
    """The tilings of one axis whose blocks are small enough; of those of equal blocks, the longest."""
    longest: dict[tuple[int, ...], Tiling] = {}
    for count in range(1, min(MAX_BLOCK, size + MIN_BLOCK) + 1):
        out = Span(0, count, count)
        middle = out.read_by(last)
        sources = () if middle is None else tuple(middle.read_by(first) for first in firsts)
        if middle is None or None in sources:
            continue
        tiling = Tiling(out, middle, tuple(span for span in sources if span is not None))
        blocks = (out.block, middle.block, *(span.block for span in tiling.sources))
        if max(blocks) <= MAX_BLOCK:
            longest[blocks] = tiling
    yield from longest.values()


def _cost(out_size: tuple[int, int], y: Tiling, x: Tiling, last_rank: int) -> float:
    """Multiply-adds of all tiles of an image, with the samples they move counted as such."""
    tiles = -(-out_size[0] // y.out.count) * -(-out_size[1] // x.out.count)
    macs = _macs(y.middle, x.middle, y.out, x.out) * last_rank
    macs += sum(_macs(*pair, y.middle, x.middle) for pair in zip(y.sources, x.sources, strict=True))
    read = sum(b.count * a.count for b, a in zip(y.sources, x.sources, strict=True))
    samples = (read or y.middle.count * x.middle.count) + y.out.count * x.out.count
    return tiles * (macs + MACS_PER_SAMPLE * samples)


def _macs(from_y: Span, from_x: Span, to_y: Span, to_x: Span) -> int:
    """Multiply-adds of a product with one band matrix from the right and one from the left."""
    return to_x.block * from_y.block * (from_x.block + to_y.block)

"""Layouts of networks of inverted residual blocks. Importing this module loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Stage(NamedTuple):
    """A sequence of inverted residual blocks; numbers of channels and kernel sizes are those of the stored weights."""

    expands: bool
    """Whether a 1x1 convolution first increases the number of channels."""

    num_blocks: int

    stride: int
    """Stride of the first block; that of the others is 1."""


class LayerNames(NamedTuple):
    """Prefixes of the stored arrays of one convolution and of the batch normalisation that follows it."""

    convolution: str
    normalisation: str


@dataclass(frozen=True)
class Layout:
    """The stages of a network, and how its weights are stored."""

    stages: tuple[Stage, ...]
    epsilon: float
    """Constant added to the variance in batch normalisation."""

    pads_like_tensorflow: bool
    """Whether convolutions with a stride pad one sample more at the end than at the start, instead of equally."""

    stem: LayerNames
    """Names of the first convolution."""

    head: LayerNames
    """Names of the last convolution."""

    block: tuple[LayerNames, ...]
    """Names of the three convolutions of a block, with the placeholder `{index}`, counted from `first_block`."""

    unexpanded_block: tuple[LayerNames, ...]
    """Names of the two convolutions of a block without expansion."""

    first_block: int = 0

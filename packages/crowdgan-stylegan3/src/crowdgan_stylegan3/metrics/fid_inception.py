"""Inception-v3 of 2015 as in TensorFlow, with which FID is computed, from a state dict of torch-fidelity.

Sources: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016; weights: TensorFlow's graph
of 2015-12-05, in which average pooling excludes padding, and the last block has maximum pooling.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INPUT_SIZE = 299
"""Side of the input in pixels."""

EPSILON = 1e-3
"""Constant added to the variance in batch normalisation."""

MAX_POOL_DOWN = "max pooling, stride 2"
MAX_POOL = "max pooling"
AVERAGE_POOL = "average pooling"

Branch = tuple[str, ...]
"""Poolings, and names of convolutions, in sequence; `/2` marks stride 2 without padding, `|` joins two in parallel."""

STEM: Branch = (
    "Conv2d_1a_3x3/2",
    "Conv2d_2a_3x3/1",
    "Conv2d_2b_3x3",
    MAX_POOL_DOWN,
    "Conv2d_3b_1x1",
    "Conv2d_4a_3x3/1",
    MAX_POOL_DOWN,
)
"""The first layers; `/1` marks a convolution without padding."""

SMALL_KERNELS: tuple[Branch, ...] = (
    ("branch1x1",),
    ("branch5x5_1", "branch5x5_2"),
    ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
    (AVERAGE_POOL, "branch_pool"),
)
FIRST_REDUCTION: tuple[Branch, ...] = (
    ("branch3x3/2",),
    ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3/2"),
    (MAX_POOL_DOWN,),
)
LONG_KERNELS: tuple[Branch, ...] = (
    ("branch1x1",),
    ("branch7x7_1", "branch7x7_2", "branch7x7_3"),
    ("branch7x7dbl_1", "branch7x7dbl_2", "branch7x7dbl_3", "branch7x7dbl_4", "branch7x7dbl_5"),
    (AVERAGE_POOL, "branch_pool"),
)
SECOND_REDUCTION: tuple[Branch, ...] = (
    ("branch3x3_1", "branch3x3_2/2"),
    ("branch7x7x3_1", "branch7x7x3_2", "branch7x7x3_3", "branch7x7x3_4/2"),
    (MAX_POOL_DOWN,),
)
WIDE: tuple[Branch, ...] = (
    ("branch1x1",),
    ("branch3x3_1", "branch3x3_2a|branch3x3_2b"),
    ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3a|branch3x3dbl_3b"),
)

BLOCKS: dict[str, tuple[Branch, ...]] = {
    **{f"Mixed_5{letter}": SMALL_KERNELS for letter in "bcd"},
    "Mixed_6a": FIRST_REDUCTION,
    **{f"Mixed_6{letter}": LONG_KERNELS for letter in "bcde"},
    "Mixed_7a": SECOND_REDUCTION,
    "Mixed_7b": (*WIDE, (AVERAGE_POOL, "branch_pool")),
    "Mixed_7c": (*WIDE, (MAX_POOL, "branch_pool")),
}
"""Branches of each block, whose results are joined along the channels."""


class FidInception(nn.Module):
    """The network, with the interface of the official TorchScript file."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        """Folds batch normalisation into the convolutions.

        Args:
            state: arrays by name, as torch-fidelity stores them.

        Raises:
            KeyError: an array is missing.
            RuntimeError: arrays have wrong shapes.
        """
        super().__init__()
        names = [f"{name}." for name in _convolutions(STEM)]
        names += [f"{block}.{name}." for block, branches in BLOCKS.items() for name in _convolutions(*branches)]
        for name in names:
            weight, bias = _fold(state, name)
            self.register_buffer(_buffer_name(name, "weight"), weight)
            self.register_buffer(_buffer_name(name, "bias"), bias)
        self.register_buffer("fc_weight", state["fc.weight"].float())
        self.register_buffer("fc_bias", state["fc.bias"].float())

    def forward(self, images: Tensor, *, return_features: bool = False, no_output_bias: bool = False) -> Tensor:
        """Class probabilities `[N, 1008]`, or features `[N, 2048]`, of images `[N, 3, H, W]`, uint8."""
        x = (resize(resize(images.float(), 3), 2) - 128) / 128
        x = self._run(x, "", STEM)
        for block, branches in BLOCKS.items():
            x = torch.cat([self._run(x, f"{block}.", branch) for branch in branches], dim=1)
        features = x.mean(dim=(2, 3))
        if return_features:
            return features
        bias = None if no_output_bias else self.get_buffer("fc_bias")
        logits = F.linear(features, self.get_buffer("fc_weight"), bias)
        return logits.softmax(dim=1)

    def _run(self, x: Tensor, prefix: str, branch: Branch) -> Tensor:
        for layer in branch:
            if layer == MAX_POOL_DOWN:
                x = F.max_pool2d(x, 3, stride=2)
            elif layer == MAX_POOL:
                x = F.max_pool2d(x, 3, stride=1, padding=1)
            elif layer == AVERAGE_POOL:
                x = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
            else:
                x = torch.cat([self._convolve(x, prefix, name) for name in layer.split("|")], dim=1)
        return x

    def _convolve(self, x: Tensor, prefix: str, layer: str) -> Tensor:
        name, _, stride = layer.partition("/")
        weight, bias = (self.get_buffer(_buffer_name(f"{prefix}{name}.", key)) for key in ("weight", "bias"))
        padding = (0, 0) if stride else (weight.shape[2] // 2, weight.shape[3] // 2)
        return F.conv2d(x, weight, bias, int(stride or 1), padding).relu_()


def _convolutions(*branches: Branch) -> list[str]:
    """Names of the convolutions of branches."""
    layers = [layer for branch in branches for layer in branch if "pooling" not in layer]
    return [name.partition("/")[0] for layer in layers for name in layer.split("|")]


def _buffer_name(name: str, key: str) -> str:
    return f"{name}{key}".replace(".", "_")


def _fold(state: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that includes batch normalisation."""
    keys = ("weight", "bias", "running_mean", "running_var")
    scale, shift, mean, variance = (state[f"{name}bn.{key}"].double() for key in keys)
    scale = scale / (variance + EPSILON).sqrt()
    weight = state[f"{name}conv.weight"].double() * scale[:, None, None, None]
    return weight.float(), (shift - mean * scale).float()


def resize(x: Tensor, dim: int) -> Tensor:
    """`x` resized to 299 along one dimension: bilinear, with aligned first samples, as in TensorFlow 1."""
    size = x.shape[dim]
    positions = torch.arange(INPUT_SIZE, device=x.device) * (size / INPUT_SIZE)
    low = positions.long()
    weights = (positions - low).view([-1 if axis == dim else 1 for axis in range(x.ndim)])
    high = (low + 1).clamp(max=size - 1)
    return torch.lerp(x.index_select(dim, low), x.index_select(dim, high), weights)

"""Networks of inverted residual blocks, EfficientNet-Lite0 and MobileNetV2, that compute features of images.

Sources: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018; Tan and Le, "EfficientNet:
Rethinking Model Scaling for Convolutional Neural Networks", 2019, in the variant Lite0, without squeeze and excitation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crowdgan_stylegan3.metrics.mobile_layout import LayerNames, Layout, Stage


class Convolution(nn.Module):
    """A convolution with batch normalisation folded into its weights, and ReLU6 if it is an activation."""

    weight: Tensor
    bias: Tensor

    def __init__(
        self, state: Mapping[str, Tensor], names: LayerNames, layout: Layout, *, stride: int = 1, relu6: bool = True
    ) -> None:
        super().__init__()
        weight = state[f"{names.convolution}.weight"].double()
        scale, shift, mean, variance = (
            state[f"{names.normalisation}.{key}"].double() for key in ("weight", "bias", "running_mean", "running_var")
        )
        scale = scale / (variance + layout.epsilon).sqrt()
        folded = (weight * scale[:, None, None, None]).float()
        self.register_buffer("weight", folded.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", (shift - mean * scale).float())
        self.stride, self.relu6 = stride, relu6
        self.groups = len(weight) if weight.shape[1] == 1 else 1
        self.padding = weight.shape[-1] // 2
        self.crops_start = layout.pads_like_tensorflow and stride == 2

    def forward(self, x: Tensor) -> Tensor:
        """Features `[N, channels_out, H / stride, W / stride]` of `[N, channels_in, H, W]`, of even size."""
        padding = self.padding
        if self.crops_start:
            x, padding = F.pad(x, (self.padding - 1, self.padding) * 2), 0
        x = F.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)
        return F.relu6(x, inplace=True) if self.relu6 else x


class InvertedResidual(nn.Module):
    """An expanding 1x1, a depthwise and a projecting 1x1 convolution, added to the input if the shapes are equal."""

    def __init__(self, state: Mapping[str, Tensor], layout: Layout, stage: Stage, index: int, stride: int) -> None:
        super().__init__()
        names = layout.block if stage.expands else layout.unexpanded_block
        *expand, depthwise, project = (_with_index(name, layout.first_block + index) for name in names)
        self.layers = nn.Sequential(
            *(Convolution(state, name, layout) for name in expand),
            Convolution(state, depthwise, layout, stride=stride),
            Convolution(state, project, layout, relu6=False),
        )
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Features `[N, channels_out, H / stride, W / stride]` of `[N, channels_in, H, W]`."""
        y: Tensor = self.layers(x)
        return x + y if self.stride == 1 and x.shape == y.shape else y


class MobileNetwork(nn.Module):
    """The feature network, built from stored weights."""

    def __init__(self, state: Mapping[str, Tensor], layout: Layout) -> None:
        """Folds batch normalisation into the convolutions.

        Args:
            state: stored arrays by name; arrays of a classifier are ignored.
            layout: stages and names.

        Raises:
            KeyError: an array is missing.
            RuntimeError: arrays have wrong shapes.
        """
        super().__init__()
        self.stem = Convolution(state, layout.stem, layout, stride=2)
        blocks = (
            InvertedResidual(state, layout, stage, index, stride)
            for index, (stage, stride) in enumerate(_blocks(layout.stages))
        )
        self.blocks = nn.Sequential(*blocks)
        self.head = Convolution(state, layout.head, layout)

    def forward(self, x: Tensor) -> Tensor:
        """Features `[N, 1280]` of images `[N, 3, H, W]`: the mean over all positions of the last layer."""
        return torch.as_tensor(self.head(self.blocks(self.stem(x)))).mean(dim=(2, 3))


def _blocks(stages: tuple[Stage, ...]) -> Iterator[tuple[Stage, int]]:
    """The stage and stride of each block."""
    for stage in stages:
        for position in range(stage.num_blocks):
            yield stage, stage.stride if position == 0 else 1


def _with_index(names: LayerNames, index: int) -> LayerNames:
    return LayerNames(*(name.format(index=index) for name in names))

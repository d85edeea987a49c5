"""The residual discriminator.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020; projection on the label: Miyato
and Koyama, "cGANs with Projection Discriminator", 2018; minibatch standard deviation: Karras et al., "Progressive
Growing of GANs", 2018.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import DiscriminatorConfig
from crowdgan_stylegan3.networks.filters import binomial_filter
from crowdgan_stylegan3.networks.linear import EPSILON, Linear
from crowdgan_stylegan3.networks.mapping import MappingNetwork
from crowdgan_stylegan3.ops import bias_act, conv2d, upfirdn2d
from crowdgan_stylegan3.ops.arguments import DEFAULT_GAINS, Activation

HEAD_SIZE = 4
"""Side of the feature map of the last block in samples."""


class Conv(nn.Module):
    """A convolution with equalised learning rate, optional downsampling by 2, bias and activation."""

    resample_filter: Tensor
    bias: nn.Parameter | None

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        *,
        down: int = 1,
        bias: bool = True,
        activation: Activation = "lrelu",
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.kernel, self.down, self.activation, self.clamp = kernel, down, activation, clamp
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
        self.weight_gain = 1 / math.sqrt(channels_in * kernel**2)
        self.bias = nn.Parameter(torch.zeros(channels_out)) if bias else None
        self.register_buffer("resample_filter", binomial_filter())

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """The layer's result `[N, channels_out, H / down, W / down]` for `[N, channels_in, H, W]`, times a gain."""
        weight = (self.weight * self.weight_gain).to(x.dtype)
        if self.down == 2 and self.kernel == 1:
            x = conv2d(upfirdn2d(x, self.resample_filter, down=2, padding=1), weight)
        elif self.down == 2:
            x = torch.nn.functional.conv2d(upfirdn2d(x, self.resample_filter, padding=2), weight, stride=2)
        else:
            x = conv2d(x, weight, self.kernel // 2)
        return bias_act(
            x,
            None if self.bias is None else self.bias.to(x.dtype),
            act=self.activation,
            gain=DEFAULT_GAINS.get(self.activation, 1.0) * gain,
            clamp=None if self.clamp is None else self.clamp * gain,
        )


class DiscriminatorBlock(nn.Module):
    """One resolution: two convolutions and a shortcut, to half the size."""

    resample_filter: Tensor

    def __init__(self, config: DiscriminatorConfig, size: int) -> None:
        super().__init__()
        self.is_half = size * 2**config.num_fp16_res > config.resolution
        self.is_first = size == config.resolution
        channels_in, channels_out = channels_at(config, size), channels_at(config, size // 2)
        clamp = config.conv_clamp
        self.register_buffer("resample_filter", binomial_filter())
        if self.is_first:
            self.fromrgb = Conv(config.image_channels, channels_in, 1, clamp=clamp)
        self.conv0 = Conv(channels_in, channels_in, 3, clamp=clamp)
        self.conv1 = Conv(channels_in, channels_out, 3, down=2, clamp=clamp)
        self.skip = Conv(channels_in, channels_out, 1, down=2, bias=False, activation="linear")

    def forward(self, x: Tensor) -> Tensor:
        """Features `[N, channels_out, size / 2, size / 2]` of images or features `[N, channels, size, size]`."""
        x = x.to(torch.float16 if self.is_half and x.device.type == "cuda" else torch.float32)
        if self.is_first:
            x = self.fromrgb(x.contiguous(memory_format=torch.channels_last))
        shortcut: Tensor = self.skip(x, gain=math.sqrt(0.5))
        residual: Tensor = self.conv1(self.conv0(x), gain=math.sqrt(0.5))
        return residual + shortcut


class DiscriminatorHead(nn.Module):
    """The last block: minibatch standard deviation, a convolution, and two fully connected layers."""

    def __init__(self, config: DiscriminatorConfig, features_out: int) -> None:
        super().__init__()
        channels = channels_at(config, HEAD_SIZE)
        self.group_size = config.group_size
        self.conv = Conv(channels + 1, channels, 3, clamp=config.conv_clamp)
        self.fc = Linear(channels * HEAD_SIZE**2, channels, activation="lrelu")
        self.out = Linear(channels, features_out)

    def forward(self, x: Tensor) -> Tensor:
        """Features `[N, features_out]` of feature maps `[N, channels, 4, 4]`."""
        x = self.conv(append_minibatch_stddev(x.float(), self.group_size))
        features: Tensor = self.out(self.fc(x.flatten(1)))
        return features


class Discriminator(nn.Module):
    """Maps images and labels to logits, which are high for real images."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.sizes = [2**power for power in reversed(range(3, config.resolution.bit_length()))]
        for size in self.sizes:
            self.add_module(f"b{size}", DiscriminatorBlock(config, size))
        features = 1
        if config.label_dim:
            features = config.label_features or channels_at(config, HEAD_SIZE)
            self.mapping = MappingNetwork(
                z_dim=0,
                label_dim=config.label_dim,
                w_dim=features,
                num_layers=config.mapping_layers,
                num_ws=None,
                label_encoding=config.label_encoding,
            )
        self.has_two_heads = bool(config.label_dim) and config.unconditional_head
        self.b4 = DiscriminatorHead(config, features + self.has_two_heads)
        self._freeze(config.num_frozen)

    def forward(self, images: Tensor, c: Tensor | None = None) -> Tensor:
        """Logits `[N, 1]`, high for images that are classified as real.

        With an unconditional head `[N, 2]`: whether the image is real for its label, and whether it is real.

        Args:
            images: `[N, channels, resolution, resolution]`.
            c: labels `[N, label_dim]`; None without labels.

        Raises:
            ConfigError: the shape of the images or labels is not valid.
        """
        shape = (self.config.image_channels, self.config.resolution, self.config.resolution)
        if images.shape[1:] != shape:
            raise ConfigError(f"images have shape {list(images.shape)}; it must be {['N', *shape]}")
        x = images
        for size in self.sizes:
            x = self.get_submodule(f"b{size}")(x)
        features: Tensor = self.b4(x)
        if not self.config.label_dim:
            return features
        label: Tensor = self.mapping(None, c)
        unconditional = features[:, label.shape[1] :]
        conditional = (features[:, : label.shape[1]] * label).sum(dim=1, keepdim=True) / math.sqrt(label.shape[1])
        return torch.cat([conditional, unconditional], dim=1) if self.has_two_heads else conditional

    def _freeze(self, count: int) -> None:
        """Exclude the first `count` layers, counted from the image, from training.

        Source: Mo et al., "Freeze the Discriminator", 2020.
        """
        convs = [module for module in self.modules() if isinstance(module, Conv)]
        for conv in convs[:count]:
            conv.requires_grad_(False)


def append_minibatch_stddev(x: Tensor, group_size: int) -> Tensor:
    """`x` `[N, C, H, W]` with an additional channel: the mean standard deviation over groups of images.

    Each group takes every (N / group_size)-th image of the batch; a batch smaller than `group_size` is one group.

    Raises:
        ConfigError: the batch size is not a multiple of the group size.
    """
    count, channels, height, width = x.shape
    group = min(group_size, count)
    if count % group:
        raise ConfigError(f"a batch of {count} cannot be divided into groups of {group}; it must be a multiple")
    grouped = x.reshape(group, count // group, channels, height, width)
    stddev = (grouped.var(dim=0, unbiased=False) + EPSILON).sqrt().mean(dim=(1, 2, 3))
    return torch.cat([x, stddev.repeat(group)[:, None, None, None].expand(-1, 1, height, width)], dim=1)


def channels_at(config: DiscriminatorConfig, size: int) -> int:
    """Number of channels of the layers at a resolution."""
    return min(config.channel_base // size, config.channel_max)

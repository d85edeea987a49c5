"""StyleGAN2's synthesis network: a constant, blocks of two convolutions with noise, and a sum of images.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crowdgan_stylegan3.config import StyleGan2Config
from crowdgan_stylegan3.networks.cpu_batching import use_single_image_batches
from crowdgan_stylegan3.networks.filters import binomial_filter
from crowdgan_stylegan3.networks.linear import Linear
from crowdgan_stylegan3.networks.modulation import demodulation
from crowdgan_stylegan3.ops import bias_act, conv2d, upfirdn2d

Noise = Literal["const", "random", "none"] | torch.Generator
"""Whether noise is the same for all images, drawn (by a generator on the images' device), or left out."""

FIRST = 4
"""Side of the constant in samples."""


class StyledConv(nn.Module):
    """A modulated 3x3 convolution, upsampling or not, with noise, bias and leaky ReLU."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self, *, w_dim: int, channels_in: int, channels_out: int, size: int, up: int, clamp: float | None
    ) -> None:
        super().__init__()
        self.size, self.up, self.clamp = size, up, clamp
        self.affine = Linear(w_dim, channels_in, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("resample_filter", binomial_filter())
        self.register_buffer("noise_const", torch.randn(size, size))

    def forward(self, x: Tensor, w: Tensor, noise: Noise) -> Tensor:
        """`[N, channels_out, size, size]` of `[N, channels_in, size / up, size / up]` and `[N, w_dim]`."""
        styles = self.affine(w) / math.sqrt(self.weight[0].numel())
        scales = (styles.to(x.dtype), demodulation(self.weight, styles).to(x.dtype))
        x = self._upsampled(x, *scales) if self.up == 2 else conv2d(x, self.weight.to(x.dtype), 1, *scales)
        if noise == "const":
            x = x + (self.noise_const * self.noise_strength).to(x.dtype)
        elif noise != "none":
            source = noise if isinstance(noise, torch.Generator) else None
            drawn = torch.randn(len(x), 1, self.size, self.size, device=x.device, generator=source)
            x = x + (drawn * self.noise_strength).to(x.dtype)
        return bias_act(x, self.bias.to(x.dtype), act="lrelu", clamp=self.clamp)

    def _upsampled(self, x: Tensor, in_scale: Tensor, out_scale: Tensor) -> Tensor:
        """The transposed convolution, then the filter; the scales are those of `conv2d`."""
        weight = self.weight.to(x.dtype).transpose(0, 1)
        y = F.conv_transpose2d(x * in_scale[:, :, None, None], weight, stride=2)
        return upfirdn2d(y * out_scale[:, :, None, None], self.resample_filter, padding=1, gain=4)


class StyledToRgb(nn.Module):
    """A modulated 1x1 convolution to an image."""

    def __init__(self, *, w_dim: int, channels_in: int, channels_out: int, clamp: float | None) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = Linear(w_dim, channels_in, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """`[N, channels_out, H, W]` of `[N, channels_in, H, W]` and `[N, w_dim]`."""
        styles = self.affine(w) / math.sqrt(self.weight[0].numel())
        y = conv2d(x, self.weight.to(x.dtype), 0, styles.to(x.dtype))
        return bias_act(y, self.bias.to(x.dtype), clamp=self.clamp)


class SynthesisBlock(nn.Module):
    """One resolution: up to two convolutions, and what they add to the image."""

    resample_filter: Tensor

    def __init__(self, settings: StyleGan2Config, size: int) -> None:
        super().__init__()
        channels = channels_at(settings, size)
        self.is_half = size * 2**settings.num_fp16_res > settings.resolution
        clamp = settings.conv_clamp
        self.register_buffer("resample_filter", binomial_filter())
        if size == FIRST:
            self.const = nn.Parameter(torch.randn(channels, size, size))
        else:
            before = channels_at(settings, size // 2)
            self.conv0 = StyledConv(
                w_dim=settings.w_dim, channels_in=before, channels_out=channels, size=size, up=2, clamp=clamp
            )
        self.conv1 = StyledConv(
            w_dim=settings.w_dim, channels_in=channels, channels_out=channels, size=size, up=1, clamp=clamp
        )
        self.torgb = StyledToRgb(
            w_dim=settings.w_dim, channels_in=channels, channels_out=settings.image_channels, clamp=clamp
        )
        self.num_convs = 1 if size == FIRST else 2

    def forward(self, x: Tensor | None, image: Tensor | None, ws: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Features and image of this resolution, of those of the one below and `[N, num_convs + 1, w_dim]`."""
        *conv_ws, rgb_w = ws.unbind(dim=1)
        dtype = torch.float16 if self.is_half and ws.device.type == "cuda" else torch.float32
        if x is None:
            x = self.const.to(dtype).expand(len(ws), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        else:
            x = self.conv0(x.to(dtype), conv_ws[0], noise)
        x = self.conv1(x, conv_ws[-1], noise)
        added: Tensor = self.torgb(x, rgb_w).float()
        if image is None:
            return x, added
        return x, upfirdn2d(image, self.resample_filter, up=2, padding=(2, 1, 2, 1), gain=4) + added


class StyleGan2Synthesis(nn.Module):
    """Intermediate latents to images, as in StyleGAN2."""

    def __init__(self, settings: StyleGan2Config) -> None:
        super().__init__()
        self.sizes = [2**power for power in range(2, settings.resolution.bit_length())]
        for size in self.sizes:
            self.add_module(f"b{size}", SynthesisBlock(settings, size))
        self.num_ws = 2 * len(self.sizes)

    def forward(self, ws: Tensor, *, update_emas: bool = False, noise: Noise = "const") -> Tensor:
        """Images `[N, channels, resolution, resolution]` float32, about -1 to 1, of `[N, num_ws, w_dim]`.

        Args:
            ws: intermediate latents; a block's ToRGB shares its w with the next block's first convolution.
            update_emas: has no effect: there is nothing to track.
            noise: the same for all images, drawn by PyTorch's own or another generator, or none.
        """
        if use_single_image_batches(ws, update_emas=update_emas):
            return torch.cat([self(own, noise=noise) for own in torch.split(ws, 1)])
        x: Tensor | None = None
        image: Tensor | None = None
        first = 0
        for size in self.sizes:
            block = self.get_submodule(f"b{size}")
            assert isinstance(block, SynthesisBlock)
            x, image = block(x, image, ws[:, first : first + block.num_convs + 1].float(), noise)
            first += block.num_convs
        assert image is not None
        return image


def channels_at(settings: StyleGan2Config, size: int) -> int:
    """Channels of the layers at a resolution."""
    return min(settings.channel_base // size, settings.channel_max)

"""StyleGAN2's synthesis network: a learned constant, blocks of two convolutions with noise, and a sum of images.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from crowdgan_core.models.latent_generator import NoiseMode
from crowdgan_stylegan3.config import StyleGan2Config
from crowdgan_stylegan3.networks.cpu_batching import use_single_image_batches
from crowdgan_stylegan3.networks.filters import binomial_filter
from crowdgan_stylegan3.networks.linear import Linear
from crowdgan_stylegan3.networks.modulation import demodulation_scales
from crowdgan_stylegan3.ops import bias_act, conv2d, upfirdn2d

Noise = NoiseMode | torch.Generator
"""Noise inputs: constant, random (optionally from a generator on any device), or none."""

CONST_SIZE = 4
"""Side of the learned constant in samples."""


class StyledConv(nn.Module):
    """A modulated 3x3 convolution with optional upsampling by 2, noise, bias and leaky ReLU."""

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
        """Features `[N, channels_out, size, size]` of `[N, channels_in, size / up, size / up]` and `w` `[N, w_dim]`."""
        styles = self.affine(w) / math.sqrt(self.weight[0].numel())
        scales = (styles.to(x.dtype), demodulation_scales(self.weight, styles).to(x.dtype))
        x = self._convolve_upsampled(x, *scales) if self.up == 2 else conv2d(x, self.weight.to(x.dtype), 1, *scales)
        if noise == "const":
            x = x + (self.noise_const * self.noise_strength).to(x.dtype)
        elif noise != "none":
            rng = noise if isinstance(noise, torch.Generator) else None
            device = x.device if rng is None else rng.device
            samples = torch.randn(len(x), 1, self.size, self.size, device=device, generator=rng).to(x.device)
            x = x + (samples * self.noise_strength).to(x.dtype)
        return bias_act(x, self.bias.to(x.dtype), act="lrelu", clamp=self.clamp)

    def _convolve_upsampled(self, x: Tensor, in_scale: Tensor, out_scale: Tensor) -> Tensor:
        """A transposed convolution with stride 2, low-pass filtered; the scales are those of `conv2d`."""
        weight = self.weight.to(x.dtype).transpose(0, 1)
        y = F.conv_transpose2d(x * in_scale[:, :, None, None], weight, stride=2)
        return upfirdn2d(y * out_scale[:, :, None, None], self.resample_filter, padding=1, gain=4)


class StyledToRgb(nn.Module):
    """A modulated 1x1 convolution without demodulation, to an image."""

    def __init__(self, *, w_dim: int, channels_in: int, channels_out: int, clamp: float | None) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = Linear(w_dim, channels_in, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Images `[N, channels_out, H, W]` of features `[N, channels_in, H, W]` and `w` `[N, w_dim]`."""
        styles = self.affine(w) / math.sqrt(self.weight[0].numel())
        y = conv2d(x, self.weight.to(x.dtype), 0, styles.to(x.dtype))
        return bias_act(y, self.bias.to(x.dtype), clamp=self.clamp)


class SynthesisBlock(nn.Module):
    """One resolution: one or two convolutions, and a ToRGB layer whose result is added to the image."""

    resample_filter: Tensor

    def __init__(self, config: StyleGan2Config, size: int) -> None:
        super().__init__()
        channels = channels_at(config, size)
        self.is_half = size * 2**config.num_fp16_res > config.resolution
        clamp = config.conv_clamp
        self.register_buffer("resample_filter", binomial_filter())
        if size == CONST_SIZE:
            self.const = nn.Parameter(torch.randn(channels, size, size))
        else:
            channels_in = channels_at(config, size // 2)
            self.conv0 = StyledConv(
                w_dim=config.w_dim, channels_in=channels_in, channels_out=channels, size=size, up=2, clamp=clamp
            )
        self.conv1 = StyledConv(
            w_dim=config.w_dim, channels_in=channels, channels_out=channels, size=size, up=1, clamp=clamp
        )
        self.torgb = StyledToRgb(
            w_dim=config.w_dim, channels_in=channels, channels_out=config.image_channels, clamp=clamp
        )
        self.num_convs = 1 if size == CONST_SIZE else 2

    def forward(self, x: Tensor | None, image: Tensor | None, ws: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Features and image at this resolution, from those of the previous one and ws `[N, num_convs + 1, w_dim]`."""
        *conv_ws, rgb_w = ws.unbind(dim=1)
        dtype = torch.float16 if self.is_half and ws.device.type == "cuda" else torch.float32
        if x is None:
            x = self.const.to(dtype).expand(len(ws), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        else:
            x = self.conv0(x.to(dtype), conv_ws[0], noise)
        x = self.conv1(x, conv_ws[-1], noise)
        rgb: Tensor = self.torgb(x, rgb_w).float()
        if image is None:
            return x, rgb
        return x, upfirdn2d(image, self.resample_filter, up=2, padding=(2, 1, 2, 1), gain=4) + rgb


class StyleGan2Synthesis(nn.Module):
    """Maps intermediate latents to images, as in StyleGAN2."""

    def __init__(self, config: StyleGan2Config) -> None:
        super().__init__()
        self.sizes = [2**power for power in range(2, config.resolution.bit_length())]
        for size in self.sizes:
            self.add_module(f"b{size}", SynthesisBlock(config, size))
        self.num_ws = 2 * len(self.sizes)

    def forward(self, ws: Tensor, *, update_emas: bool = False, noise: Noise = "const") -> Tensor:
        """Images `[N, channels, resolution, resolution]`, float32, in about [-1, 1].

        Args:
            ws: intermediate latents `[N, num_ws, w_dim]`; a ToRGB layer shares its w with the first convolution of the
                next block.
            update_emas: has no effect; the network has no running means.
            noise: "const" for the stored noise, "random" or a generator for random noise, "none" for no noise.
        """
        if use_single_image_batches(ws, update_emas=update_emas):
            return torch.cat([self(image_ws, noise=noise) for image_ws in torch.split(ws, 1)])
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


def channels_at(config: StyleGan2Config, size: int) -> int:
    """Number of channels of the layers at a resolution."""
    return min(config.channel_base // size, config.channel_max)

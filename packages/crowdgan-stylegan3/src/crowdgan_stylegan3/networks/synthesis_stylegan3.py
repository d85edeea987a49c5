"""StyleGAN3's synthesis network: Fourier features, and layers that make no aliases.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", 2021.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from crowdgan_stylegan3.config import StyleGan3Config
from crowdgan_stylegan3.networks.cpu_batching import use_single_image_batches
from crowdgan_stylegan3.networks.layer_geometry import LayerGeometry, layers
from crowdgan_stylegan3.networks.linear import Linear
from crowdgan_stylegan3.networks.modulation import demodulation
from crowdgan_stylegan3.ops import conv2d, filtered_lrelu

SLOPE = 0.2
"""Of the leaky ReLU below 0."""


class FourierInput(nn.Module):
    """An image of fixed frequencies, turned and moved as w and the user say, through a learned map of channels."""

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(self, *, w_dim: int, channels: int, size: int, rate: int, bandwidth: float) -> None:
        """Settings: sides in samples, rate in samples and bandwidth in cycles per image."""
        super().__init__()
        self.size, self.rate, self.bandwidth = size, rate, bandwidth
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.affine = Linear(w_dim, 4, weight_init=0.0, bias_init=(1.0, 0.0, 0.0, 0.0))
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", _in_disc(channels, bandwidth))
        self.register_buffer("phases", torch.rand(channels) - 0.5)

    def forward(self, w: Tensor) -> Tensor:
        """`[N, channels, size, size]`, channels last in memory.

        w gives a rotation (cosine, sine, to be normalised) and a translation of the image; the buffer `transform`
        `[3, 3]` maps places in the finished image, in image widths from its middle, to places before the move.
        """
        places = self._moves(w) @ self.transform
        freqs = self.freqs @ places[:, :2, :2]
        phases = self.phases + (self.freqs @ places[:, :2, 2:]).squeeze(2)
        room = self.rate / 2 - self.bandwidth
        amplitudes = (1 - (freqs.norm(dim=2) - self.bandwidth) / room).clamp(0, 1)
        along = (torch.arange(self.size, device=w.device) + 0.5 - self.size / 2) / self.rate
        angle_x, angle_y = along[:, None] * freqs[:, None, :, 0], along[:, None] * freqs[:, None, :, 1]
        cycles = angle_x[:, None] + angle_y[:, :, None] + phases[:, None, None]
        x = torch.sin(2 * math.pi * cycles) * amplitudes[:, None, None]
        x = torch.matmul(x, (self.weight / math.sqrt(len(self.weight))).t())
        return x.permute(0, 3, 1, 2)

    def _moves(self, w: Tensor) -> Tensor:
        """`[N, 3, 3]`: places in the moved image to places before."""
        moves = self.affine(w)
        moves = moves / moves[:, :2].norm(dim=1, keepdim=True)
        cos, sin, x, y = moves.unbind(dim=1)
        zero, one = torch.zeros_like(cos), torch.ones_like(cos)
        turn = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], dim=1).view(-1, 3, 3)
        shift = torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], dim=1).view(-1, 3, 3)
        return turn @ shift


def _in_disc(count: int, radius: float) -> Tensor:
    """Points evenly distributed in a disc, `[count, 2]`."""
    angle, distance = 2 * math.pi * torch.rand(count), radius * torch.rand(count).sqrt()
    return torch.stack([distance * angle.cos(), distance * angle.sin()], dim=1)


class AliasFreeLayer(nn.Module):
    """A modulated convolution and a leaky ReLU between filters; ToRGB without both scalings back and nonlinearity."""

    up_filter: Tensor | None
    down_filter: Tensor | None
    magnitude_ema: Tensor

    def __init__(self, settings: StyleGan3Config, geometry: LayerGeometry) -> None:
        super().__init__()
        self.geometry = geometry
        self.clamp, self.decay = settings.conv_clamp, settings.magnitude_ema_beta
        self.is_half = geometry.after.rate * 2**settings.num_fp16_res > settings.resolution
        channels_in, channels_out, kernel = geometry.before.channels, geometry.after.channels, geometry.kernel
        self.affine = Linear(settings.w_dim, channels_in, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.register_buffer("magnitude_ema", torch.ones(()))
        self.register_buffer("up_filter", geometry.up_filter())
        self.register_buffer("down_filter", geometry.down_filter())

    def forward(self, x: Tensor, w: Tensor, *, update_emas: bool = False) -> Tensor:
        """`[N, channels_out, size, size]` of `[N, channels_in, size, size]` and `[N, w_dim]`.

        The fan-in scales the styles and not the weights, so that half precision does not overflow and no weight is
        copied; the running magnitude of the input scales the result.
        """
        geometry = self.geometry
        if update_emas:
            magnitude = x.detach().float().square().mean()
            self.magnitude_ema.copy_(magnitude.lerp(self.magnitude_ema, self.decay))
        dtype = torch.float16 if self.is_half and x.device.type == "cuda" else torch.float32
        styles, back = self._scales(w)
        x = conv2d(
            x.to(dtype),
            self.weight.to(dtype),
            geometry.kernel - 1,
            styles.to(dtype),
            None if back is None else back.to(dtype),
        )
        return filtered_lrelu(
            x,
            self.up_filter,
            self.down_filter,
            self.bias.to(dtype),
            geometry.up,
            geometry.down,
            geometry.padding,
            gain=1.0 if geometry.is_torgb else math.sqrt(2),
            slope=1.0 if geometry.is_torgb else SLOPE,
            clamp=self.clamp,
        )

    def _scales(self, w: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the convolution's inputs and results are multiplied by, `[N, channels]` each."""
        styles: Tensor = self.affine(w) / math.sqrt(self.weight[0].numel())
        gain = self.magnitude_ema.rsqrt()
        if self.geometry.is_torgb:
            return styles * gain, None
        return styles, demodulation(self.weight, styles) * gain


class StyleGan3Synthesis(nn.Module):
    """Intermediate latents to images, alias-free."""

    def __init__(self, settings: StyleGan3Config) -> None:
        super().__init__()
        geometry = layers(settings)
        first = geometry[0].before
        self.num_ws = settings.num_layers + 2
        self.output_scale = settings.output_scale
        self.input = FourierInput(
            w_dim=settings.w_dim, channels=first.channels, size=first.size, rate=first.rate, bandwidth=first.cutoff
        )
        self.layer_names = [layer.name for layer in geometry]
        for layer in geometry:
            self.add_module(layer.name, AliasFreeLayer(settings, layer))

    def forward(self, ws: Tensor, *, update_emas: bool = False) -> Tensor:
        """Images `[N, channels, resolution, resolution]` float32, about -1 to 1, of `[N, num_ws, w_dim]`."""
        if use_single_image_batches(ws, update_emas=update_emas):
            return torch.cat([self(own) for own in torch.split(ws, 1)])
        first, *others = ws.float().unbind(dim=1)
        x: Tensor = self.input(first)
        for name, w in zip(self.layer_names, others, strict=True):
            x = self.get_submodule(name)(x, w, update_emas=update_emas)
        return x.float() * self.output_scale

"""StyleGAN3's synthesis network: Fourier features and alias-free layers.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", 2021.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import StyleGan3Config
from crowdgan_stylegan3.networks.cpu_batching import use_single_image_batches
from crowdgan_stylegan3.networks.layer_geometry import LayerGeometry, layer_geometries
from crowdgan_stylegan3.networks.linear import Linear
from crowdgan_stylegan3.networks.modulation import demodulation_scales
from crowdgan_stylegan3.ops import conv2d, filtered_lrelu

SLOPE = 0.2
"""Slope of the leaky ReLU below 0."""


class FourierInput(nn.Module):
    """Fourier features: sinusoids of fixed frequencies, transformed by w and by the caller, then mixed linearly."""

    freqs: Tensor
    phases: Tensor
    transform: Tensor
    """Stored transform `[3, 3]`; the identity in all published and newly written models."""

    def __init__(self, *, w_dim: int, channels: int, size: int, rate: int, bandwidth: float) -> None:
        """Draw random frequencies, phases and weights.

        Args:
            w_dim: length of the intermediate latent.
            channels: number of sinusoids and of output channels.
            size: side in samples.
            rate: sampling rate in samples per image.
            bandwidth: maximum frequency in cycles per image.
        """
        super().__init__()
        self.size, self.rate, self.bandwidth = size, rate, bandwidth
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.affine = Linear(w_dim, 4, weight_init=0.0, bias_init=(1.0, 0.0, 0.0, 0.0))
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", _random_points_in_disc(channels, bandwidth))
        self.register_buffer("phases", torch.rand(channels) - 0.5)

    def forward(self, w: Tensor, transform: Tensor | None = None) -> Tensor:
        """Feature maps `[N, channels, size, size]`, channels last in memory.

        Args:
            w: intermediate latents `[N, w_dim]`; each determines a rotation and a translation.
            transform: `[N, 3, 3]` or `[1, 3, 3]`; maps homogeneous positions in the output image, in image widths from
                its centre, to positions before the transform. None uses the stored transform.
        """
        position_transforms = self._transforms(w) @ self._select_transform(transform)
        freqs = self.freqs @ position_transforms[:, :2, :2]
        phases = self.phases + (self.freqs @ position_transforms[:, :2, 2:]).squeeze(2)
        transition = self.rate / 2 - self.bandwidth
        amplitudes = (1 - (freqs.norm(dim=2) - self.bandwidth) / transition).clamp(0, 1)
        positions = (torch.arange(self.size, device=w.device) + 0.5 - self.size / 2) / self.rate
        angle_x, angle_y = positions[:, None] * freqs[:, None, :, 0], positions[:, None] * freqs[:, None, :, 1]
        cycles = angle_x[:, None] + angle_y[:, :, None] + phases[:, None, None]
        x = torch.sin(2 * math.pi * cycles) * amplitudes[:, None, None]
        x = torch.matmul(x, (self.weight / math.sqrt(len(self.weight))).t())
        return x.permute(0, 3, 1, 2)

    def _transforms(self, w: Tensor) -> Tensor:
        """Rotation and translation `[N, 3, 3]` from w: maps positions in the transformed image to positions before."""
        parameters = self.affine(w)
        parameters = parameters / parameters[:, :2].norm(dim=1, keepdim=True)
        cos, sin, x, y = parameters.unbind(dim=1)
        zero, one = torch.zeros_like(cos), torch.ones_like(cos)
        rotation = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], dim=1).view(-1, 3, 3)
        translation = torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], dim=1).view(-1, 3, 3)
        return rotation @ translation

    def _select_transform(self, transform: Tensor | None) -> Tensor:
        """The caller's transform or the stored one: `[N, 3, 3]`, or `[3, 3]` if it is the same for all images."""
        if transform is None:
            return self.transform
        transform = transform.to(self.transform)
        return transform[0] if len(transform) == 1 else transform


def _random_points_in_disc(count: int, radius: float) -> Tensor:
    """Uniformly distributed points in a disc, `[count, 2]`."""
    angle, distance = 2 * math.pi * torch.rand(count), radius * torch.rand(count).sqrt()
    return torch.stack([distance * angle.cos(), distance * angle.sin()], dim=1)


class AliasFreeLayer(nn.Module):
    """A modulated convolution and a filtered leaky ReLU; a ToRGB layer has neither demodulation nor activation."""

    up_filter: Tensor | None
    down_filter: Tensor | None
    magnitude_ema: Tensor

    def __init__(self, config: StyleGan3Config, geometry: LayerGeometry) -> None:
        super().__init__()
        self.geometry = geometry
        self.clamp, self.decay = config.conv_clamp, config.magnitude_ema_beta
        self.is_half = geometry.out_signal.rate * 2**config.num_fp16_res > config.resolution
        channels_in, channels_out = geometry.in_signal.channels, geometry.out_signal.channels
        self.affine = Linear(config.w_dim, channels_in, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, geometry.kernel, geometry.kernel))
        self.bias = nn.Parameter(torch.zeros(channels_out))
        self.register_buffer("magnitude_ema", torch.ones(()))
        self.register_buffer("up_filter", geometry.up_filter())
        self.register_buffer("down_filter", geometry.down_filter())

    def forward(self, x: Tensor, w: Tensor, *, update_emas: bool = False) -> Tensor:
        """Features `[N, channels_out, out_size, out_size]` of `[N, channels_in, in_size, in_size]` and w `[N, w_dim]`.

        The styles, not the weights, are divided by the root of the fan-in, which avoids overflow in half precision and
        a copy of the weights. The running mean square of the input normalises the result.
        """
        geometry = self.geometry
        if update_emas:
            mean_square = x.detach().float().square().mean()
            self.magnitude_ema.copy_(mean_square.lerp(self.magnitude_ema, self.decay))
        dtype = torch.float16 if self.is_half and x.device.type == "cuda" else torch.float32
        in_scale, out_scale = self._scales(w)
        x = conv2d(
            x.to(dtype),
            self.weight.to(dtype),
            geometry.kernel - 1,
            in_scale.to(dtype),
            None if out_scale is None else out_scale.to(dtype),
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
        """Scales of the convolution's input and output channels, `[N, channels]`; None for no scaling."""
        styles: Tensor = self.affine(w) / math.sqrt(self.weight[0].numel())
        gain = self.magnitude_ema.rsqrt()
        if self.geometry.is_torgb:
            return styles * gain, None
        return styles, demodulation_scales(self.weight, styles) * gain


class StyleGan3Synthesis(nn.Module):
    """Maps intermediate latents to images, alias-free."""

    def __init__(self, config: StyleGan3Config) -> None:
        super().__init__()
        geometries = layer_geometries(config)
        signal = geometries[0].in_signal
        self.num_ws = config.num_layers + 2
        self.output_scale = config.output_scale
        self.input = FourierInput(
            w_dim=config.w_dim, channels=signal.channels, size=signal.size, rate=signal.rate, bandwidth=signal.cutoff
        )
        self.layer_names = [geometry.name for geometry in geometries]
        for geometry in geometries:
            self.add_module(geometry.name, AliasFreeLayer(config, geometry))

    def forward(self, ws: Tensor, transform: Tensor | None = None, *, update_emas: bool = False) -> Tensor:
        """Images `[N, channels, resolution, resolution]`, float32, in about [-1, 1].

        Args:
            ws: intermediate latents `[N, num_ws, w_dim]`.
            transform: translation and rotation of the image, `[N, 3, 3]` or `[1, 3, 3]`: maps homogeneous positions in
                the image, in image widths from its centre, to positions before the transform. None uses the stored
                transform, which is the identity.
            update_emas: whether to update the running means with this batch.

        Raises:
            ConfigError: the shape of the transform is not valid.
        """
        if transform is not None and transform.shape not in ((1, 3, 3), (len(ws), 3, 3)):
            raise ConfigError(f"transform has shape {list(transform.shape)}; it must be [{len(ws)}, 3, 3] or [1, 3, 3]")
        if use_single_image_batches(ws, update_emas=update_emas):
            transforms = None if transform is None else transform.expand(len(ws), 3, 3)
            images = [
                self(ws[i : i + 1], None if transforms is None else transforms[i : i + 1]) for i in range(len(ws))
            ]
            return torch.cat(images)
        input_w, *layer_ws = ws.float().unbind(dim=1)
        x: Tensor = self.input(input_w, transform)
        for name, w in zip(self.layer_names, layer_ws, strict=True):
            x = self.get_submodule(name)(x, w, update_emas=update_emas)
        return x.float() * self.output_scale

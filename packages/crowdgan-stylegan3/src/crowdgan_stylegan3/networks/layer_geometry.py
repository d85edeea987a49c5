"""The geometry of StyleGAN3's layers: sampling rates, cutoffs, sizes, filters and padding, computed from the config.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", 2021, section 3.2 and appendix C.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from crowdgan_stylegan3.config import StyleGan3Config
from crowdgan_stylegan3.networks.filters import lowpass_filter


@dataclass(frozen=True, kw_only=True)
class Signal:
    """The feature maps between two layers; frequencies in cycles per image, rates in samples per image."""

    cutoff: float
    """Cutoff frequency."""
    half_width: float
    """Half the width of the transition band."""
    rate: int
    """Sampling rate, a power of two."""
    size: int
    """Side in samples, including margins."""
    channels: int
    """Number of channels."""


@dataclass(frozen=True, kw_only=True)
class LayerGeometry:
    """Signals, factors and filters of one synthesis layer."""

    index: int
    """Position of the layer; 0 is the first layer after the input."""
    in_signal: Signal
    """Signal before the layer."""
    out_signal: Signal
    """Signal after the layer."""
    is_torgb: bool
    """Whether the layer outputs the image: a 1x1 convolution without activation."""
    is_critical: bool
    """Whether the layer is critically sampled; its filter is then separable."""
    kernel: int
    """Side of the convolution kernel."""
    up: int
    """Upsampling factor before the activation."""
    down: int
    """Downsampling factor after the activation."""
    up_taps: int
    """Taps of the upsampling filter; 1 without a filter."""
    down_taps: int
    """Taps of the downsampling filter; 1 without a filter."""
    is_radial: bool
    """Whether the downsampling filter is radially symmetric."""

    @property
    def name(self) -> str:
        """Name as in the published networks: index, size and channels of the output."""
        return f"L{self.index}_{self.out_signal.size}_{self.out_signal.channels}"

    @property
    def upsampled_rate(self) -> int:
        """Sampling rate of the activation."""
        return self.in_signal.rate * self.up

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Padding `(x0, x1, y0, y1)` at the upsampled rate that gives the output size and keeps the image centred."""
        convolved_size = self.in_signal.size + self.kernel - 1
        padded_size = (self.out_signal.size - 1) * self.down + self.up_taps + self.down_taps - 1
        total = padded_size - convolved_size * self.up
        before = (total + self.up) // 2
        return before, total - before, before, total - before

    def up_filter(self) -> Tensor | None:
        """The upsampling filter `[up_taps]`."""
        return lowpass_filter(
            self.up_taps,
            cutoff=self.in_signal.cutoff,
            width=2 * self.in_signal.half_width,
            rate=self.upsampled_rate,
            radial=False,
        )

    def down_filter(self) -> Tensor | None:
        """The downsampling filter, `[down_taps]` or `[down_taps, down_taps]`."""
        return lowpass_filter(
            self.down_taps,
            cutoff=self.out_signal.cutoff,
            width=2 * self.out_signal.half_width,
            rate=self.upsampled_rate,
            radial=self.is_radial,
        )


def layer_signals(config: StyleGan3Config) -> list[Signal]:
    """The signals after the input and after each layer, ToRGB last; `num_layers` + 1 of them.

    Cutoffs and minimum stopbands grow geometrically up to the critically sampled layers. Each rate is the smallest
    power of two that is at least twice the minimum stopband, but at most the resolution. The transition band ends at
    the minimum stopband or at the Nyquist frequency of the rate, whichever is higher.
    """
    last_cutoff = config.resolution / 2
    last_stopband = last_cutoff * config.last_stopband_rel
    num_steps = config.num_layers - config.num_critical
    signals = []
    for index in range(config.num_layers + 1):
        exponent = min(index / num_steps, 1.0)
        cutoff = config.first_cutoff * (last_cutoff / config.first_cutoff) ** exponent
        stopband = config.first_stopband * (last_stopband / config.first_stopband) ** exponent
        rate = 2 ** math.ceil(math.log2(min(2 * stopband, config.resolution)))
        margin = config.margin_size if index < config.num_layers - 1 else 0
        channels = round(min(config.channel_base / 2 / cutoff, config.channel_max))
        signals.append(
            Signal(
                cutoff=cutoff,
                half_width=max(stopband, rate / 2) - cutoff,
                rate=rate,
                size=rate + 2 * margin,
                channels=channels if index < config.num_layers else config.image_channels,
            )
        )
    return signals


def layer_geometries(config: StyleGan3Config) -> list[LayerGeometry]:
    """The geometry of each synthesis layer, ToRGB last; `num_layers` + 1 of them."""
    signals = layer_signals(config)
    pairs = pairwise([signals[0], *signals])
    return [_layer_geometry(config, index, *pair) for index, pair in enumerate(pairs)]


def _layer_geometry(config: StyleGan3Config, index: int, in_signal: Signal, out_signal: Signal) -> LayerGeometry:
    is_torgb = index == config.num_layers
    is_critical = index >= config.num_layers - config.num_critical
    upsampled_rate = max(in_signal.rate, out_signal.rate) * (1 if is_torgb else config.lrelu_upsampling)
    up, down = upsampled_rate // in_signal.rate, upsampled_rate // out_signal.rate
    return LayerGeometry(
        index=index,
        in_signal=in_signal,
        out_signal=out_signal,
        is_torgb=is_torgb,
        is_critical=is_critical,
        kernel=1 if is_torgb else config.conv_kernel,
        up=up,
        down=down,
        up_taps=config.filter_size * up if up > 1 and not is_torgb else 1,
        down_taps=config.filter_size * down if down > 1 and not is_torgb else 1,
        is_radial=config.use_radial_filters and not is_critical,
    )

"""The geometry of StyleGAN3's layers: sampling rates, cutoffs, sizes, filters and padding, from the settings alone.

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
    """What flows between two layers; frequencies in cycles per image, rates in samples per image."""

    cutoff: float
    """Highest frequency that is kept."""
    half_width: float
    """Half of the transition band of filters that make it."""
    rate: int
    """Sampling rate, a power of two."""
    size: int
    """Side in samples, margins included."""
    channels: int
    """Channels."""


@dataclass(frozen=True, kw_only=True)
class LayerGeometry:
    """One synthesis layer."""

    index: int
    """0 for the first after the input."""
    before: Signal
    """What it takes."""
    after: Signal
    """What it gives."""
    is_torgb: bool
    """Whether it makes the image: a 1x1 convolution without activation."""
    is_critical: bool
    """Whether it is critically sampled; its filter is then never radial."""
    kernel: int
    """Side of the convolution."""
    up: int
    """Upsampling before the activation."""
    down: int
    """Downsampling after it."""
    up_taps: int
    """Taps of the upsampling filter; 1 for none."""
    down_taps: int
    """Taps of the downsampling filter; 1 for none."""
    is_radial: bool
    """Whether the downsampling filter is radially symmetric."""

    @property
    def name(self) -> str:
        """As in the published networks: index, size and channels of the result."""
        return f"L{self.index}_{self.after.size}_{self.after.channels}"

    @property
    def between_rate(self) -> int:
        """Sampling rate of the activation."""
        return self.before.rate * self.up

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """`(x0, x1, y0, y1)` of the upsampling, so that the result has its size and does not move."""
        convolved = self.before.size + self.kernel - 1
        needed = (self.after.size - 1) * self.down + self.up_taps + self.down_taps - 1
        total = needed - convolved * self.up
        low = (total + self.up) // 2
        return low, total - low, low, total - low

    def up_filter(self) -> Tensor | None:
        """The upsampling filter `[up_taps]`."""
        return lowpass_filter(
            self.up_taps,
            cutoff=self.before.cutoff,
            width=2 * self.before.half_width,
            rate=self.between_rate,
            radial=False,
        )

    def down_filter(self) -> Tensor | None:
        """The downsampling filter, `[down_taps]` or `[down_taps, down_taps]`."""
        return lowpass_filter(
            self.down_taps,
            cutoff=self.after.cutoff,
            width=2 * self.after.half_width,
            rate=self.between_rate,
            radial=self.is_radial,
        )


def signals(settings: StyleGan3Config) -> list[Signal]:
    """The signals after the input and after each layer, ToRGB last: `num_layers` + 1.

    Cutoffs and least stopbands grow geometrically up to the critically sampled layers. Rates are the powers of two that
    hold twice the stopband, at most the resolution; transition bands then use what the rate leaves free.
    """
    last_cutoff = settings.resolution / 2
    last_stopband = last_cutoff * settings.last_stopband_rel
    steps = settings.num_layers - settings.num_critical
    found = []
    for index in range(settings.num_layers + 1):
        share = min(index / steps, 1.0)
        cutoff = settings.first_cutoff * (last_cutoff / settings.first_cutoff) ** share
        stopband = settings.first_stopband * (last_stopband / settings.first_stopband) ** share
        rate = 2 ** math.ceil(math.log2(min(2 * stopband, settings.resolution)))
        margin = settings.margin_size if index < settings.num_layers - 1 else 0
        channels = round(min(settings.channel_base / 2 / cutoff, settings.channel_max))
        found.append(
            Signal(
                cutoff=cutoff,
                half_width=max(stopband, rate / 2) - cutoff,
                rate=rate,
                size=rate + 2 * margin,
                channels=channels if index < settings.num_layers else settings.image_channels,
            )
        )
    return found


def layers(settings: StyleGan3Config) -> list[LayerGeometry]:
    """The synthesis layers in order, ToRGB last: `num_layers` + 1."""
    after = signals(settings)
    return [_layer(settings, index, *pair) for index, pair in enumerate(pairwise([after[0], *after]))]


def _layer(settings: StyleGan3Config, index: int, before: Signal, after: Signal) -> LayerGeometry:
    is_torgb = index == settings.num_layers
    is_critical = index >= settings.num_layers - settings.num_critical
    between = max(before.rate, after.rate) * (1 if is_torgb else settings.lrelu_upsampling)
    up, down = between // before.rate, between // after.rate
    return LayerGeometry(
        index=index,
        before=before,
        after=after,
        is_torgb=is_torgb,
        is_critical=is_critical,
        kernel=1 if is_torgb else settings.conv_kernel,
        up=up,
        down=down,
        up_taps=settings.filter_size * up if up > 1 and not is_torgb else 1,
        down_taps=settings.filter_size * down if down > 1 and not is_torgb else 1,
        is_radial=settings.use_radial_filters and not is_critical,
    )

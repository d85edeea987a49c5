"""The filtered_lrelu of every synthesis layer of StyleGAN3, as the benchmarks of the GPU need it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from crowdgan_stylegan3.config import StyleGan3Config, generator_preset
from crowdgan_stylegan3.networks.layer_geometry import LayerGeometry
from crowdgan_stylegan3.networks.layer_geometry import layers as geometry_of
from crowdgan_stylegan3.ops.arguments import FilteredLrelu, resampling

GAIN, SLOPE, CLAMP = 2**0.5, 0.2, 256.0


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One filtered_lrelu."""

    name: str
    channels: int
    in_size: int
    """What the convolution before it returns."""
    out_size: int
    how: FilteredLrelu

    def bytes_moved(self, batch: int, item: int, backward: bool) -> int:
        """Fewest bytes: input and result once; backward, the result's gradient, the input, and its gradient."""
        inputs, outputs = self.in_size**2, self.out_size**2
        return batch * self.channels * item * (2 * inputs + outputs if backward else inputs + outputs)


def layers(config: str, resolution: int, device: torch.device) -> list[Layer]:
    """The layers of configuration "t" or "r" that have filters: all but ToRGB."""
    settings = generator_preset("stylegan3-t" if config == "t" else "stylegan3-r", resolution=resolution)
    assert isinstance(settings, StyleGan3Config)
    return [_layer(geometry, device) for geometry in geometry_of(settings) if not geometry.is_torgb]


def _layer(geometry: LayerGeometry, device: torch.device) -> Layer:
    fu, fd = geometry.up_filter(), geometry.down_filter()
    assert fu is not None
    assert fd is not None
    return Layer(
        name=geometry.name,
        channels=geometry.after.channels,
        in_size=geometry.before.size + geometry.kernel - 1,
        out_size=geometry.after.size,
        how=FilteredLrelu(
            fu=fu.to(device),
            fd=fd.to(device),
            rise=resampling(geometry.up, 1, geometry.padding, gain=geometry.up**2),
            fall=resampling(1, geometry.down, 0),
            gain=GAIN,
            slope=SLOPE,
            clamp=CLAMP,
        ),
    )

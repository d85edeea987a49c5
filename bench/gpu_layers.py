"""The filtered_lrelu of every synthesis layer of StyleGAN3, for the GPU benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from crowdgan_stylegan3.config import StyleGan3Config, generator_config
from crowdgan_stylegan3.networks.layer_geometry import LayerGeometry, layer_geometries
from crowdgan_stylegan3.ops.arguments import FilteredLrelu, parse_resampling

GAIN, SLOPE, CLAMP = 2**0.5, 0.2, 256.0
"""Parameters of the activation of StyleGAN3's layers."""


@dataclass(frozen=True, kw_only=True)
class FilteredLreluLayer:
    """The filtered_lrelu of one layer."""

    name: str
    channels: int
    in_size: int
    """Side of the input, which is the output of the layer's convolution."""
    out_size: int
    params: FilteredLrelu

    def min_bytes(self, batch: int, bytes_per_value: int, *, backward: bool) -> int:
        """Minimum memory traffic in bytes.

        Forward: input and output. Backward: output gradient, input and input gradient.
        """
        in_values, out_values = self.in_size**2, self.out_size**2
        values = 2 * in_values + out_values if backward else in_values + out_values
        return batch * self.channels * bytes_per_value * values


def filtered_layers(config_letter: str, resolution: int, device: torch.device) -> list[FilteredLreluLayer]:
    """All layers of configuration "t" or "r" except ToRGB, which has no filters."""
    config = generator_config("stylegan3-t" if config_letter == "t" else "stylegan3-r", resolution=resolution)
    assert isinstance(config, StyleGan3Config)
    return [_filtered_layer(geometry, device) for geometry in layer_geometries(config) if not geometry.is_torgb]


def _filtered_layer(geometry: LayerGeometry, device: torch.device) -> FilteredLreluLayer:
    fu, fd = geometry.up_filter(), geometry.down_filter()
    assert fu is not None
    assert fd is not None
    return FilteredLreluLayer(
        name=geometry.name,
        channels=geometry.out_signal.channels,
        in_size=geometry.in_signal.size + geometry.kernel - 1,
        out_size=geometry.out_signal.size,
        params=FilteredLrelu(
            fu=fu.to(device),
            fd=fd.to(device),
            upsampling=parse_resampling(geometry.up, 1, geometry.padding, gain=geometry.up**2),
            downsampling=parse_resampling(1, geometry.down, 0),
            gain=GAIN,
            slope=SLOPE,
            clamp=CLAMP,
        ),
    )

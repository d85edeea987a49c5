"""Geometry of StyleGAN3's layers compared with recorded values, at all resolutions and for both configurations."""

from __future__ import annotations

from typing import Any, cast

import pytest

from crowdgan_stylegan3.config import StyleGan3Config, Variant, generator_config
from crowdgan_stylegan3.networks.layer_geometry import LayerGeometry, layer_geometries
from tests.support.recorded_values import load_json

CASES = [f"stylegan3-{config}-{size}" for config in "tr" for size in (16, 32, 64, 128, 256, 512, 1024)]
NUM_TAPS = 4
"""Number of recorded taps at the start of each filter."""


def describe_layer(layer: LayerGeometry, num_fp16_res: int, resolution: int) -> dict[str, Any]:
    up, down = layer.up_filter(), layer.down_filter()
    return {
        "name": layer.name,
        "in_channels": layer.in_signal.channels,
        "out_channels": layer.out_signal.channels,
        "in_size": layer.in_signal.size,
        "out_size": layer.out_signal.size,
        "in_sampling_rate": layer.in_signal.rate,
        "out_sampling_rate": layer.out_signal.rate,
        "tmp_sampling_rate": layer.upsampled_rate,
        "in_cutoff": pytest.approx(layer.in_signal.cutoff),
        "out_cutoff": pytest.approx(layer.out_signal.cutoff),
        "in_half_width": pytest.approx(layer.in_signal.half_width),
        "out_half_width": pytest.approx(layer.out_signal.half_width),
        "up_factor": layer.up,
        "down_factor": layer.down,
        "up_taps": layer.up_taps,
        "down_taps": layer.down_taps,
        "padding": list(layer.padding),
        "conv_kernel": layer.kernel,
        "critical": layer.is_critical,
        "torgb": layer.is_torgb,
        "fp16": layer.out_signal.rate * 2**num_fp16_res > resolution,
        "up_filter_sum": None if up is None else pytest.approx(float(up.sum()), rel=1e-5),
        "up_filter_head": None if up is None else pytest.approx(up[:NUM_TAPS].tolist(), rel=1e-4, abs=1e-7),
        "down_filter_ndim": None if down is None else down.ndim,
        "down_filter_head": None
        if down is None
        else pytest.approx(down.flatten()[:NUM_TAPS].tolist(), rel=1e-4, abs=1e-7),
    }


@pytest.mark.parametrize("case", CASES)
def test_geometry_equals_the_recorded_values(case: str) -> None:
    recorded = load_json("geometry")[case]
    variant, size = case.rsplit("-", 1)
    config = generator_config(cast("Variant", variant), resolution=int(size))
    assert isinstance(config, StyleGan3Config)
    geometries = layer_geometries(config)
    assert len(geometries) == len(recorded["layers"])
    for layer, expected in zip(geometries, recorded["layers"], strict=True):
        actual = describe_layer(layer, config.num_fp16_res, config.resolution)
        assert expected == {name: actual[name] for name in expected}
    first = geometries[0].in_signal
    assert recorded["input_channels"] == first.channels
    assert recorded["input_size"] == first.size
    assert recorded["input_sampling_rate"] == first.rate
    assert recorded["input_bandwidth"] == first.cutoff
    assert recorded["num_ws"] == config.num_layers + 2

"""The geometry of StyleGAN3's layers against the recorded one, at all sizes and for both configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from crowdgan_stylegan3.config import StyleGan3Config, Variant, generator_preset
from crowdgan_stylegan3.networks.layer_geometry import LayerGeometry, layers

CASES = [f"stylegan3-{kind}-{size}" for kind in "tr" for size in (16, 32, 64, 128, 256, 512, 1024)]
HEAD = 4
"""Recorded taps of each filter."""


def described(layer: LayerGeometry, num_fp16_res: int, resolution: int) -> dict[str, Any]:
    up, down = layer.up_filter(), layer.down_filter()
    return {
        "name": layer.name,
        "in_channels": layer.before.channels,
        "out_channels": layer.after.channels,
        "in_size": layer.before.size,
        "out_size": layer.after.size,
        "in_sampling_rate": layer.before.rate,
        "out_sampling_rate": layer.after.rate,
        "tmp_sampling_rate": layer.between_rate,
        "in_cutoff": pytest.approx(layer.before.cutoff),
        "out_cutoff": pytest.approx(layer.after.cutoff),
        "in_half_width": pytest.approx(layer.before.half_width),
        "out_half_width": pytest.approx(layer.after.half_width),
        "up_factor": layer.up,
        "down_factor": layer.down,
        "up_taps": layer.up_taps,
        "down_taps": layer.down_taps,
        "padding": list(layer.padding),
        "conv_kernel": layer.kernel,
        "critical": layer.is_critical,
        "torgb": layer.is_torgb,
        "fp16": layer.after.rate * 2**num_fp16_res > resolution,
        "up_filter_sum": None if up is None else pytest.approx(float(up.sum()), rel=1e-5),
        "up_filter_head": None if up is None else pytest.approx(up[:HEAD].tolist(), rel=1e-4, abs=1e-7),
        "down_filter_ndim": None if down is None else down.ndim,
        "down_filter_head": None if down is None else pytest.approx(down.flatten()[:HEAD].tolist(), rel=1e-4, abs=1e-7),
    }


@pytest.mark.parametrize("case", CASES)
def test_geometry_equals_the_recorded_one(shared: Path, case: str) -> None:
    recorded = json.loads((shared / "reference" / "geometry.json").read_text())[case]
    variant, size = case.rsplit("-", 1)
    settings = generator_preset(cast("Variant", variant), resolution=int(size))
    assert isinstance(settings, StyleGan3Config)
    found = layers(settings)
    assert len(found) == len(recorded["layers"])
    for layer, expected in zip(found, recorded["layers"], strict=True):
        described_layer = described(layer, settings.num_fp16_res, settings.resolution)
        assert expected == {name: described_layer[name] for name in expected}
    assert recorded["input_channels"] == found[0].before.channels
    assert recorded["input_size"] == found[0].before.size
    assert recorded["num_ws"] == settings.num_layers + 2

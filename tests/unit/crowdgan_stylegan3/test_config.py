"""Network configs: validation, and conversion to and from JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_core.io import codec
from crowdgan_stylegan3.config import VARIANTS, DiscriminatorConfig, GeneratorConfig, Variant, generator_config


def generator_from_json(data: Any) -> GeneratorConfig:
    return codec.from_json(GeneratorConfig, data, "config", ConfigError)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_generator_config_is_unchanged_by_a_json_round_trip(variant: Variant) -> None:
    config = generator_config(variant, resolution=64, label_dim=3, channel_base=2048, channel_max=32)
    assert generator_from_json(json.loads(json.dumps(codec.to_json(config)))) == config


def test_a_discriminator_config_is_unchanged_by_a_json_round_trip() -> None:
    config = DiscriminatorConfig(resolution=32, label_dim=2, group_size=2)
    data = json.loads(json.dumps(codec.to_json(config)))
    assert codec.from_json(DiscriminatorConfig, data, "config", ConfigError) == config


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"family": "biggan"}, 'config: family is "biggan"; it must be stylegan3 or stylegan2'),
        ({"resolution": 48}, "config: resolution is 48; it must be a power of two from 16 to 4096"),
        ({"resolution": 8}, "config: resolution is 8; it must be a power of two from 16 to 4096"),
        ({"resolution": "64"}, 'config.resolution: found "64"; it must be a whole number'),
        ({"label_dim": -1}, "config: label_dim is -1; it must be at least 0"),
        ({"label_dim": True}, "config.label_dim: found true; it must be a whole number"),
        ({"z_dim": 0}, "config: z_dim is 0; it must be at least 1"),
        ({"conv_clamp": "256"}, 'config.conv_clamp: found "256"; it must be a finite number'),
        ({"use_radial_filters": 1}, "config.use_radial_filters: found 1; it must be true or false"),
        ({"conv_kernel": 5}, "config.conv_kernel: found 5; it must be 1 or 3"),
        ({"channel_base": 32}, "config: channel_base is 32; it must be at least the resolution, 64"),
        ({"conv_clamp": -1.0}, "config: conv_clamp is -1.0; it must be above 0"),
        ({"first_cutoff": 0.0}, "config: first_cutoff is 0.0; it must be above 0"),
        ({"first_cutoff": float("nan")}, "config.first_cutoff: found NaN; it must be a finite number"),
        ({"margin_size": -1}, "config: margin_size is -1; it must be at least 0"),
        (
            {"use_radial_filters": True, "filter_size": 5, "lrelu_upsampling": 3},
            "config: radial filters need an even number of taps",
        ),
        ({"num_critical": 14}, "config: num_critical is 14; it must be below num_layers, 14"),
        ({"colour": 1}, "config: unknown key colour"),
    ],
)
def test_invalid_configs_are_errors(changes: dict[str, Any], problem: str) -> None:
    data = codec.to_json(generator_config("stylegan3-t", resolution=64))
    with pytest.raises(ConfigError) as caught:
        generator_from_json({**data, **changes})
    assert str(caught.value).startswith(problem)


def test_a_missing_resolution_is_an_error() -> None:
    with pytest.raises(ConfigError, match="config: the key resolution is missing"):
        generator_from_json({"family": "stylegan2"})


def test_stylegan3_r_has_twice_the_channels_of_stylegan3_t() -> None:
    t, r = (generator_config(variant, resolution=64) for variant in ("stylegan3-t", "stylegan3-r"))  # type: ignore[arg-type]
    assert (r.channel_base, r.channel_max) == (2 * t.channel_base, 2 * t.channel_max)

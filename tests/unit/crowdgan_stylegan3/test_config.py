"""Settings of networks: refused when they make no network, and the same after JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import (
    VARIANTS,
    DiscriminatorConfig,
    Variant,
    discriminator_preset,
    from_json,
    generator_preset,
    generator_settings,
    to_json,
)


@pytest.mark.parametrize("variant", VARIANTS)
def test_settings_are_the_same_after_json(variant: Variant) -> None:
    settings = generator_preset(variant, resolution=64, label_dim=3, channel_base=2048, channel_max=32)
    assert generator_settings(json.loads(json.dumps(to_json(settings)))) == settings


def test_discriminator_settings_are_the_same_after_json() -> None:
    settings = discriminator_preset(resolution=32, label_dim=2, group_size=2)
    assert from_json(DiscriminatorConfig, json.loads(json.dumps(to_json(settings)))) == settings


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"family": "biggan"}, "family is 'biggan'; it must be one of stylegan3, stylegan2"),
        ({"resolution": 48}, "resolution is 48; it must be a power of two from 16 to 4096"),
        ({"resolution": 8}, "resolution is 8; it must be a power of two from 16 to 4096"),
        ({"resolution": "64"}, "resolution is '64'; it must be int"),
        ({"label_dim": -1}, "label_dim is -1; it must be at least 0"),
        ({"label_dim": True}, "label_dim is True; it must be int"),
        ({"z_dim": 0}, "z_dim is 0; it must be at least 1"),
        ({"conv_clamp": "256"}, "conv_clamp is '256'; it must be float | None"),
        ({"use_radial_filters": 1}, "use_radial_filters is 1; it must be bool"),
        ({"conv_kernel": 5}, "conv_kernel is 5; it must be 1 or 3"),
        ({"channel_base": 32}, "channel_base is 32; it must be at least the resolution, 64"),
        ({"conv_clamp": -1.0}, "conv_clamp is -1.0; it must be above 0"),
        ({"first_cutoff": 0.0}, "first_cutoff is 0.0; it must be above 0"),
        ({"first_cutoff": float("nan")}, "first_cutoff is nan; it must be above 0"),
        ({"margin_size": -1}, "margin_size is -1; it must be at least 0"),
        (
            {"use_radial_filters": True, "filter_size": 5, "lrelu_upsampling": 3},
            "radial filters need an even number of taps",
        ),
        ({"num_critical": 14}, "num_critical is 14; it must be below num_layers, 14"),
        ({"colour": 1}, "unknown settings colour; there are resolution, label_dim"),
    ],
)
def test_wrong_settings_are_refused_by_what_is_wrong(changes: dict[str, Any], problem: str) -> None:
    data = to_json(generator_preset("stylegan3-t", resolution=64))
    with pytest.raises(ConfigError) as caught:
        generator_settings({**data, **changes})
    assert str(caught.value).startswith(problem)


def test_a_missing_resolution_is_named() -> None:
    with pytest.raises(ConfigError, match="the setting resolution is missing"):
        generator_settings({"family": "stylegan2"})


def test_r_doubles_the_capacity_of_t() -> None:
    t, r = (generator_preset(variant, resolution=64) for variant in ("stylegan3-t", "stylegan3-r"))  # type: ignore[arg-type]
    assert (r.channel_base, r.channel_max) == (2 * t.channel_base, 2 * t.channel_max)

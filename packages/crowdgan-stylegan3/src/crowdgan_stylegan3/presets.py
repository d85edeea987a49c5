"""The published configurations, as functions that return settings; variants are made by `dataclasses.replace`."""

from __future__ import annotations

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import (
    VARIANTS,
    DiscriminatorSettings,
    GeneratorSettings,
    StyleGan2Settings,
    StyleGan3Settings,
    Variant,
)


def generator_preset(
    variant: Variant, *, resolution: int, label_dim: int = 0, channel_base: int = 32768, channel_max: int = 512
) -> GeneratorSettings:
    """The settings of a published generator.

    `stylegan3-r` doubles the channels, since its convolutions have a ninth of the weights (Karras et al. 2021).

    Raises:
        ConfigError: an unknown variant, or settings that make no network.
    """
    if variant == "stylegan3-t":
        return StyleGan3Settings(
            resolution=resolution, label_dim=label_dim, channel_base=channel_base, channel_max=channel_max
        )
    if variant == "stylegan3-r":
        return StyleGan3Settings(
            resolution=resolution,
            label_dim=label_dim,
            channel_base=2 * channel_base,
            channel_max=2 * channel_max,
            conv_kernel=1,
            use_radial_filters=True,
        )
    if variant == "stylegan2":
        return StyleGan2Settings(
            resolution=resolution, label_dim=label_dim, channel_base=channel_base, channel_max=channel_max
        )
    raise ConfigError(f"cfg is {variant}; it must be one of {', '.join(VARIANTS)}")


def discriminator_preset(
    *, resolution: int, label_dim: int = 0, channel_base: int = 32768, channel_max: int = 512, group_size: int = 4
) -> DiscriminatorSettings:
    """The settings of the discriminator, the same for all generators."""
    return DiscriminatorSettings(
        resolution=resolution,
        label_dim=label_dim,
        channel_base=channel_base,
        channel_max=channel_max,
        group_size=group_size,
    )

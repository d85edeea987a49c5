"""Settings of the networks: frozen, checked, and kept as JSON in the card of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar, get_args

from crowdgan_core.errors import ConfigError

BACKEND_NAME = "stylegan3"
"""What users write after `crowdgan train`, and what cards name."""

Variant = Literal["stylegan3-t", "stylegan3-r", "stylegan2"]


VARIANTS: tuple[Variant, ...] = get_args(Variant)


MIN_RESOLUTION, MAX_RESOLUTION = 16, 4096
"""Sides of images in pixels: below, the margins of the layers are larger than the image."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What generators and discriminators share."""

    resolution: int
    """Side of the images in pixels, a power of two."""
    label_dim: int = 0
    """Length of the label vector; 0 for none."""
    image_channels: int = 3
    """Colour channels."""
    channel_base: int = 32768
    """Channels times sampling rate, up to `channel_max` (official `--cbase`)."""
    channel_max: int = 512
    """Most channels of a layer (official `--cmax`)."""
    num_fp16_res: int = 4
    """Highest resolutions that run in half precision on a GPU."""
    conv_clamp: float | None = 256.0
    """Bound of what convolutions return; None for none."""

    def __post_init__(self) -> None:
        side = self.resolution
        if not MIN_RESOLUTION <= side <= MAX_RESOLUTION or side & (side - 1):
            raise ConfigError(
                f"resolution is {side}; it must be a power of two from {MIN_RESOLUTION} to {MAX_RESOLUTION}"
            )
        for name in ("image_channels", "channel_base", "channel_max"):
            check_at_least(self, name, 1)
        for name in ("label_dim", "num_fp16_res"):
            check_at_least(self, name, 0)
        if self.channel_base < self.resolution:
            raise ConfigError(
                f"channel_base is {self.channel_base}; it must be at least the resolution, {self.resolution}, for the "
                "finest layers to have channels"
            )
        if self.conv_clamp is not None:
            check_positive(self, "conv_clamp")


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(NetworkConfig):
    """What both families of generators share."""

    z_dim: int = 512
    """Length of the latent vector."""
    w_dim: int = 512
    """Length of the intermediate latent vector."""
    mapping_layers: int = 2
    """Fully connected layers of the mapping network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("z_dim", "w_dim", "mapping_layers"):
            check_at_least(self, name, 1)


@dataclass(frozen=True, kw_only=True)
class StyleGan3Config(GeneratorConfig):
    """An alias-free generator (Karras et al. 2021)."""

    conv_kernel: Literal[1, 3] = 3
    """Side of the convolutions: 3 for T, 1 for R."""
    use_radial_filters: bool = False
    """Whether downsampling is radially symmetric, for R."""
    num_layers: int = 14
    """Layers but input and ToRGB."""
    num_critical: int = 2
    """Layers at the end that are critically sampled."""
    first_cutoff: float = 2.0
    """Cutoff of the first layer in cycles per image."""
    first_stopband: float = 2**2.1
    """Least stopband of the first layer in cycles per image."""
    last_stopband_rel: float = 2**0.3
    """Least stopband of the last layer over its cutoff."""
    margin_size: int = 10
    """Samples around the image."""
    filter_size: int = 6
    """Taps of filters per sample at the lower rate."""
    lrelu_upsampling: int = 2
    """Oversampling of the nonlinearity."""
    output_scale: float = 0.25
    """What the result is multiplied by."""
    magnitude_ema_beta: float = 0.999
    """Decay of the running mean square of layers' inputs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.conv_kernel not in (1, 3):
            raise ConfigError(f"conv_kernel is {self.conv_kernel}; it must be 1 or 3")
        for name in ("num_layers", "filter_size", "lrelu_upsampling"):
            check_at_least(self, name, 1)
        check_at_least(self, "margin_size", 0)
        for name in ("first_cutoff", "first_stopband", "last_stopband_rel", "output_scale"):
            check_positive(self, name)
        if self.use_radial_filters and self.filter_size * self.lrelu_upsampling % 2:
            raise ConfigError("radial filters need an even number of taps: filter_size times lrelu_upsampling")
        if not 0 <= self.num_critical < self.num_layers:
            raise ConfigError(f"num_critical is {self.num_critical}; it must be below num_layers, {self.num_layers}")


@dataclass(frozen=True, kw_only=True)
class StyleGan2Config(GeneratorConfig):
    """The generator of 2020: skip architecture, noise inputs (Karras et al. 2020)."""

    mapping_layers: int = 8
    """Fully connected layers of the mapping network."""


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(NetworkConfig):
    """The residual discriminator of 2020 (Karras et al. 2020), for all generators."""

    mapping_layers: int = 8
    """Fully connected layers that map the label."""
    label_features: int | None = None
    """Length of the mapped label; None for as many as the 4x4 layer has channels."""
    group_size: int = 4
    """Images over which the standard deviation is taken (official `--mbstd-group`)."""
    num_frozen: int = 0
    """Layers from the image on that are not trained (official `--freezed`)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mapping_layers", "group_size"):
            check_at_least(self, name, 1)
        check_at_least(self, "num_frozen", 0)


Settings = TypeVar("Settings", bound=NetworkConfig)


GENERATOR_CONFIGS: dict[str, type[GeneratorConfig]] = {"stylegan3": StyleGan3Config, "stylegan2": StyleGan2Config}
"""Families of generators by name, as cards of models name them."""


def to_json(settings: NetworkConfig) -> dict[str, Any]:
    """Settings as JSON-ready values; those of a generator name its family."""
    family = next((name for name, kind in GENERATOR_CONFIGS.items() if isinstance(settings, kind)), None)
    return {**({} if family is None else {"family": family}), **asdict(settings)}


def generator_settings(data: Mapping[str, Any]) -> GeneratorConfig:
    """The settings of a generator from JSON values.

    Raises:
        ConfigError: an unknown family or setting, a missing one, or a value of the wrong kind.
    """
    family = data.get("family")
    if family not in GENERATOR_CONFIGS:
        raise ConfigError(f"family is {family!r}; it must be one of {', '.join(GENERATOR_CONFIGS)}")
    return from_json(GENERATOR_CONFIGS[family], {name: value for name, value in data.items() if name != "family"})


def from_json(kind: type[Settings], data: Mapping[str, Any]) -> Settings:
    """Settings of a class from JSON values.

    Raises:
        ConfigError: an unknown or missing setting, or a value of the wrong kind.
    """
    known = {item.name: item for item in fields(kind)}
    if unknown := sorted(data.keys() - known.keys()):
        raise ConfigError(f"unknown settings {', '.join(unknown)}; there are {', '.join(known)}")
    if "resolution" not in data:
        raise ConfigError("the setting resolution is missing")
    for name, value in data.items():
        _check_kind(name, value, str(known[name].type))
    return kind(**data)


def _check_kind(name: str, value: Any, annotation: str) -> None:
    """Checks a JSON value against the annotation of a field, as its source text."""
    if value is None and "None" in annotation:
        return
    wanted = bool if annotation.startswith("bool") else (int, float) if "float" in annotation else int
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        raise ConfigError(f"{name} is {value!r}; it must be {annotation}")


def check_positive(settings: Any, name: str) -> None:
    """Checks that a setting is above 0 and finite; raises `ConfigError`."""
    value = getattr(settings, name)
    if not 0 < value < math.inf:
        raise ConfigError(f"{name} is {value}; it must be above 0")


def check_at_least(settings: Any, name: str, least: float) -> None:
    """Checks that a setting is a finite number from `least` on; raises `ConfigError`."""
    value = getattr(settings, name)
    if not least <= value < math.inf:
        raise ConfigError(f"{name} is {value}; it must be at least {least}")


def generator_preset(
    variant: Variant, *, resolution: int, label_dim: int = 0, channel_base: int = 32768, channel_max: int = 512
) -> GeneratorConfig:
    """The settings of a published generator.

    `stylegan3-r` doubles the channels, since its convolutions have a ninth of the weights (Karras et al. 2021).

    Raises:
        ConfigError: an unknown variant, or settings that make no network.
    """
    if variant == "stylegan3-t":
        return StyleGan3Config(
            resolution=resolution, label_dim=label_dim, channel_base=channel_base, channel_max=channel_max
        )
    if variant == "stylegan3-r":
        return StyleGan3Config(
            resolution=resolution,
            label_dim=label_dim,
            channel_base=2 * channel_base,
            channel_max=2 * channel_max,
            conv_kernel=1,
            use_radial_filters=True,
        )
    if variant == "stylegan2":
        return StyleGan2Config(
            resolution=resolution, label_dim=label_dim, channel_base=channel_base, channel_max=channel_max
        )
    raise ConfigError(f"cfg is {variant}; it must be one of {', '.join(VARIANTS)}")


def discriminator_preset(
    *, resolution: int, label_dim: int = 0, channel_base: int = 32768, channel_max: int = 512, group_size: int = 4
) -> DiscriminatorConfig:
    """The settings of the discriminator, the same for all generators."""
    return DiscriminatorConfig(
        resolution=resolution,
        label_dim=label_dim,
        channel_base=channel_base,
        channel_max=channel_max,
        group_size=group_size,
    )

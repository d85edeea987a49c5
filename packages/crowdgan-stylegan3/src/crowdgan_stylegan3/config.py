"""Configs of the networks: frozen, validated, and stored as JSON in model cards and checkpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from crowdgan_core.errors import ConfigError
from crowdgan_core.io import codec

Variant = Literal["stylegan3-t", "stylegan3-r", "stylegan2"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)

MIN_RESOLUTION, MAX_RESOLUTION = 16, 4096
"""Smallest and largest image side in pixels; below, the margins of the layers exceed the image."""


@dataclass(frozen=True, kw_only=True)
class LabelEncoding:
    """The encoding of continuous labels for a mapping network: standardised, then as Fourier features.

    The mapping network normalises its label input, which would otherwise discard the magnitude of a single number.
    """

    mean: tuple[float, ...]
    """Mean of each number of the labels, or of its logarithm, `[label_dim]`."""
    std: tuple[float, ...]
    """Standard deviation of each number of the labels, or of its logarithm, `[label_dim]`."""
    is_log: tuple[bool, ...]
    """Whether the logarithm of each number is used, `[label_dim]`."""
    num_frequencies: int = 4
    """Number of frequencies of the Fourier features, in octaves; the lowest one is monotonic within ±4 std."""

    def __post_init__(self) -> None:
        if not len(self.mean) == len(self.std) == len(self.is_log):
            raise ConfigError("mean, std and is_log of a label encoding must have the same length")
        if not all(0 < value < math.inf for value in self.std):
            raise ConfigError(f"std of a label encoding is {self.std}; it must be above 0")
        check_at_least(self, "num_frequencies", 1)

    @property
    def num_features(self) -> int:
        """Length of the encoded label: a sine and a cosine per number and frequency."""
        return 2 * len(self.mean) * self.num_frequencies


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Fields that generators and discriminators share."""

    resolution: int
    """Image side in pixels, a power of two."""
    label_dim: int = 0
    """Length of the label vector; 0 for unconditional networks."""
    image_channels: int = 3
    """Colour channels."""
    channel_base: int = 32768
    """Channels per layer are `channel_base / sampling rate`, at most `channel_max` (official `--cbase`)."""
    channel_max: int = 512
    """Maximum number of channels per layer (official `--cmax`)."""
    num_fp16_res: int = 4
    """Number of highest resolutions that use float16 on a GPU."""
    conv_clamp: float | None = 256.0
    """Clamp of the outputs of convolutions to ±this value; None for no clamp."""
    label_encoding: LabelEncoding | None = field(default=None, metadata=codec.omitted_default())
    """Encoding of continuous labels; None for labels that enter unchanged, such as classes."""

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
        if self.label_encoding is not None and len(self.label_encoding.mean) != self.label_dim:
            length = len(self.label_encoding.mean)
            raise ConfigError(f"label_encoding is for labels of {length} numbers; label_dim is {self.label_dim}")


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(NetworkConfig):
    """Fields that both families of generators share."""

    z_dim: int = 512
    """Length of the latent vector z."""
    w_dim: int = 512
    """Length of the intermediate latent vector w."""
    mapping_layers: int = 2
    """Number of fully connected layers of the mapping network."""
    label_transition: bool = field(default=False, metadata=codec.omitted_default())
    """Whether training starts unconditionally and the influence of the labels rises (Shahbazi et al. 2022)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("z_dim", "w_dim", "mapping_layers"):
            check_at_least(self, name, 1)


@dataclass(frozen=True, kw_only=True)
class StyleGan3Config(GeneratorConfig):
    """An alias-free generator (Karras et al. 2021)."""

    conv_kernel: Literal[1, 3] = 3
    """Kernel size of the convolutions: 3 for T, 1 for R."""
    use_radial_filters: bool = False
    """Whether downsampling filters are radially symmetric, for R."""
    num_layers: int = 14
    """Number of layers without the input and ToRGB layers."""
    num_critical: int = 2
    """Number of critically sampled layers at the end."""
    first_cutoff: float = 2.0
    """Cutoff frequency of the first layer in cycles per image."""
    first_stopband: float = 2**2.1
    """Minimum stopband frequency of the first layer in cycles per image."""
    last_stopband_rel: float = 2**0.3
    """Minimum stopband frequency of the last layer, relative to its cutoff."""
    margin_size: int = 10
    """Margin around the image in samples."""
    filter_size: int = 6
    """Filter size in taps per sample at the lower sampling rate."""
    lrelu_upsampling: int = 2
    """Upsampling factor of the leaky ReLU."""
    output_scale: float = 0.25
    """Factor of the output."""
    magnitude_ema_beta: float = 0.999
    """Decay of the exponential moving average of the input magnitudes of layers."""

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
    """The StyleGAN2 generator: skip architecture, noise inputs (Karras et al. 2020)."""

    mapping_layers: int = 8
    """Number of fully connected layers of the mapping network."""


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(NetworkConfig):
    """The residual discriminator of StyleGAN2 (Karras et al. 2020), used with all generators."""

    mapping_layers: int = 8
    """Number of fully connected layers that map the label."""
    label_features: int | None = None
    """Length of the mapped label; None for the number of channels of the 4x4 layer."""
    group_size: int = 4
    """Group size of the minibatch standard deviation (official `--mbstd-group`)."""
    num_frozen: int = 0
    """Number of layers that are frozen, from the input (official `--freezed`)."""
    unconditional_head: bool = field(default=False, metadata=codec.omitted_default())
    """Whether an unconditional logit is computed beside the conditional one (Shahbazi et al. 2022)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mapping_layers", "group_size"):
            check_at_least(self, name, 1)
        check_at_least(self, "num_frozen", 0)


GENERATOR_CONFIGS: dict[str, type[GeneratorConfig]] = {"stylegan3": StyleGan3Config, "stylegan2": StyleGan2Config}
"""Config classes of generators by their family, as model cards name it."""

codec.register_tagged(GeneratorConfig, "family", GENERATOR_CONFIGS)


def check_positive(config: Any, name: str) -> None:
    """Checks that a field is above 0 and finite.

    Raises:
        ConfigError: it is not.
    """
    value = getattr(config, name)
    if not 0 < value < math.inf:
        raise ConfigError(f"{name} is {value}; it must be above 0")


def check_at_least(config: Any, name: str, minimum: float) -> None:
    """Checks that a field is finite and at least `minimum`.

    Raises:
        ConfigError: it is not.
    """
    value = getattr(config, name)
    if not minimum <= value < math.inf:
        raise ConfigError(f"{name} is {value}; it must be at least {minimum}")


def generator_config(
    variant: Variant, *, resolution: int, label_dim: int = 0, channel_base: int = 32768, channel_max: int = 512
) -> GeneratorConfig:
    """The published generator config; variants are made by `dataclasses.replace`.

    `stylegan3-r` doubles the channels, since its convolutions have a ninth of the weights (Karras et al. 2021).

    Raises:
        ConfigError: an unknown variant, or a config that does not define a network.
    """
    if variant not in VARIANTS:
        raise ConfigError(f"cfg is {variant}; it must be one of {', '.join(VARIANTS)}")
    if variant != "stylegan3-r":
        config_class = StyleGan2Config if variant == "stylegan2" else StyleGan3Config
        return config_class(
            resolution=resolution, label_dim=label_dim, channel_base=channel_base, channel_max=channel_max
        )
    return StyleGan3Config(
        resolution=resolution,
        label_dim=label_dim,
        channel_base=2 * channel_base,
        channel_max=2 * channel_max,
        conv_kernel=1,
        use_radial_filters=True,
    )

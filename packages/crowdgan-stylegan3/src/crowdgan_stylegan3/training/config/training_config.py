"""What decides the result of a training run: frozen, checked, kept as JSON in the run folder and in checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import (
    VARIANTS,
    DiscriminatorConfig,
    GeneratorConfig,
    Variant,
    check_at_least,
    check_positive,
    from_json,
    generator_settings,
    to_json,
)

AugmentMode = Literal["noaug", "ada", "fixed"]
AUGMENT_MODES: tuple[AugmentMode, ...] = get_args(AugmentMode)


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights and intervals of the losses and their regularisation."""

    r1_gamma: float
    """Weight of R1; 0 for none."""
    r1_interval: int = 16
    """Steps from one R1 to the next (lazy regularisation, Karras et al. 2020)."""
    path_length_weight: float = 0.0
    """Weight of the path length penalty, for StyleGAN2; 0 for none."""
    path_length_interval: int = 4
    """Steps from one path length penalty to the next."""
    path_length_decay: float = 0.01
    """Share of a new batch in the running mean of path lengths."""
    style_mixing: float = 0.0
    """Probability that an image is made of two latents, for StyleGAN2."""
    blur_sigma_px: float = 0.0
    """Standard deviation of the blur that D sees images through at the start, for StyleGAN3-R."""
    blur_fade_kimg: float = 0.0
    """Thousands of images in which the blur fades to nothing."""

    def __post_init__(self) -> None:
        for name in ("r1_gamma", "path_length_weight", "style_mixing", "blur_sigma_px", "blur_fade_kimg"):
            check_at_least(self, name, 0)
        for name in ("r1_interval", "path_length_interval"):
            check_at_least(self, name, 1)
        check_positive(self, "path_length_decay")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Adam's settings (Kingma and Ba 2015), before they are adjusted for lazy regularisation."""

    generator_lr: float
    discriminator_lr: float = 0.002
    betas: tuple[float, float] = (0.0, 0.99)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        for name in ("generator_lr", "discriminator_lr", "epsilon"):
            check_positive(self, name)


@dataclass(frozen=True, kw_only=True)
class EmaConfig:
    """The generator whose weights are a running mean."""

    half_life_kimg: float
    """Thousands of images in which the weight of what was halves."""
    rampup: float | None = 0.05
    """The half-life is at most this share of the images seen; None for no such limit."""

    def __post_init__(self) -> None:
        check_positive(self, "half_life_kimg")


@dataclass(frozen=True, kw_only=True)
class AdaConfig:
    """Augmentation of what D sees (Karras et al., "Training GANs with Limited Data", 2020)."""

    mode: AugmentMode = "ada"
    """None, adaptive, or with a fixed probability."""
    p: float = 0.0
    """The probability: at the start, or fixed."""
    target: float = 0.6
    """Mean sign of D on real images that the adaptive p is to keep."""
    interval: int = 4
    """Steps from one change of p to the next."""
    ramp_kimg: float = 500.0
    """Thousands of images in which p can go from 0 to 1."""

    def __post_init__(self) -> None:
        if self.mode not in AUGMENT_MODES:
            raise ConfigError(f"aug is {self.mode}; it must be one of {', '.join(AUGMENT_MODES)}")
        if not 0 <= self.p <= 1:
            raise ConfigError(f"p is {self.p}; it must lie between 0 and 1")
        if not -1 < self.target < 1:
            raise ConfigError(f"target is {self.target}; it must lie between -1 and 1, without the two")
        check_at_least(self, "interval", 1)
        check_positive(self, "ramp_kimg")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Everything that decides the result of a run; a run that goes on keeps it."""

    variant: Variant
    """Kind of generator."""
    generator: GeneratorConfig
    discriminator: DiscriminatorConfig
    data: str
    """Path of the dataset."""
    mirror: bool = False
    """Whether images are also shown mirrored, left to right."""
    batch: int
    """Images per step, over all GPUs."""
    seed: int = 0
    """Decides the weights at the start, the order of the images, and all that is drawn."""
    loss: LossConfig
    optimiser: OptimizerConfig
    ema: EmaConfig
    augment: AdaConfig
    source: str | None = None
    """Model that training starts from; None for random weights."""

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ConfigError(f"cfg is {self.variant}; it must be one of {', '.join(VARIANTS)}")
        check_at_least(self, "batch", 1)
        check_at_least(self, "seed", 0)

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-ready values."""
        networks = {"generator": to_json(self.generator), "discriminator": to_json(self.discriminator)}
        return {**asdict(self), **networks}

    @classmethod
    def from_json(cls, data: Any) -> TrainingConfig:
        """The settings in JSON values.

        Raises:
            ConfigError: something is missing, unknown or of the wrong kind.
        """
        try:
            optimiser = {**data["optimiser"], "betas": tuple(data["optimiser"]["betas"])}
            parts = {
                "generator": generator_settings(data["generator"]),
                "discriminator": from_json(DiscriminatorConfig, data["discriminator"]),
                "loss": LossConfig(**data["loss"]),
                "optimiser": OptimizerConfig(**optimiser),
                "ema": EmaConfig(**data["ema"]),
                "augment": AdaConfig(**data["augment"]),
            }
            return cls(**{**data, **parts})
        except (TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f"these are no settings of a training run ({error})") from error


def diff_configs(before: TrainingConfig, after: TrainingConfig) -> list[str]:
    """Settings in which two runs differ, as `name: before, not after`."""
    return list(_differences(before.to_json(), after.to_json()))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name}: {old}, not {new}")
    return found

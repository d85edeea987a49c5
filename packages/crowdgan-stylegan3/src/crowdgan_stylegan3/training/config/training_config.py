"""The config that determines the result of a training run; stored in the run folder and in checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from crowdgan_core.errors import ConfigError
from crowdgan_core.io import codec
from crowdgan_stylegan3.config import (
    VARIANTS,
    DiscriminatorConfig,
    GeneratorConfig,
    LabelEncoding,
    Variant,
    check_at_least,
    check_positive,
)

AugmentMode = Literal["noaug", "ada", "fixed"]
AUGMENT_MODES: tuple[AugmentMode, ...] = get_args(AugmentMode)


Vicinity = Literal["none", "hard", "soft"]
VICINITIES: tuple[Vicinity, ...] = get_args(Vicinity)


@dataclass(frozen=True, kw_only=True)
class ConditioningConfig:
    """Use of the labels in training, beyond their input to both networks."""

    vicinity: Vicinity = "none"
    """Vicinity of densities (Ding et al. 2021): `hard`, `soft`, or `none` for labels as in the dataset."""
    group_size: int = field(default=1, metadata=codec.omitted_default())
    """With a vicinity, number of images that share a target: the group of D's minibatch standard deviation."""
    balance_classes: bool = False
    """Whether all classes are equally frequent."""
    transition_kimg: tuple[float, float] | None = None
    """Start and end in kimg of the transition from unconditional to conditional training (Shahbazi et al. 2022)."""

    def __post_init__(self) -> None:
        if self.vicinity not in VICINITIES:
            raise ConfigError(f"vicinity is {self.vicinity}; it must be one of {', '.join(VICINITIES)}")
        if self.group_size < 1:
            raise ConfigError(f"group size is {self.group_size}; it must be at least 1")
        if self.transition_kimg is not None and not 0 <= self.transition_kimg[0] < self.transition_kimg[1] < math.inf:
            start, end = self.transition_kimg
            raise ConfigError(
                f"transition is {start:g},{end:g} kimg; it must start at 0 or later, and end after its start"
            )

    def label_weight(self, nimg: int) -> float:
        """Influence λ of the labels after `nimg` images: 0 before the transition, 1 after it."""
        if self.transition_kimg is None:
            return 1.0
        start, end = self.transition_kimg
        return min(max((nimg / 1000 - start) / (end - start), 0.0), 1.0)


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights and intervals of the losses and of their regularisation."""

    r1_gamma: float
    """Weight γ of the R1 penalty; 0 turns it off."""
    r1_interval: int = 16
    """Training steps between R1 penalties (lazy regularisation, Karras et al. 2020)."""
    path_length_weight: float = 0.0
    """Weight of the path length penalty, for StyleGAN2; 0 turns it off."""
    path_length_interval: int = 4
    """Training steps between path length penalties."""
    path_length_decay: float = 0.01
    """Weight of a new batch in the moving average of path lengths."""
    style_mixing: float = 0.0
    """Probability of style mixing, for StyleGAN2."""
    blur_sigma_px: float = 0.0
    """Initial standard deviation of the Gaussian blur of D's input, for StyleGAN3-R."""
    blur_fade_kimg: float = 0.0
    """Length in kimg over which the blur fades to zero."""

    def __post_init__(self) -> None:
        for name in ("r1_gamma", "path_length_weight", "style_mixing", "blur_sigma_px", "blur_fade_kimg"):
            check_at_least(self, name, 0)
        for name in ("r1_interval", "path_length_interval"):
            check_at_least(self, name, 1)
        check_positive(self, "path_length_decay")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Adam (Kingma and Ba 2015), before the adjustment for lazy regularisation."""

    generator_lr: float
    discriminator_lr: float
    betas: tuple[float, float] = (0.0, 0.99)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        for name in ("generator_lr", "discriminator_lr", "epsilon"):
            check_positive(self, name)


@dataclass(frozen=True, kw_only=True)
class EmaConfig:
    """The EMA generator: exponential moving average of the generator's weights."""

    half_life_kimg: float
    """Half-life of the weights in kimg."""
    rampup: float | None = 0.05
    """Upper limit of the half-life, as a fraction of the images seen so far; None for no limit."""

    def __post_init__(self) -> None:
        check_positive(self, "half_life_kimg")


@dataclass(frozen=True, kw_only=True)
class AdaConfig:
    """Discriminator augmentation (Karras et al., "Training GANs with Limited Data", 2020)."""

    mode: AugmentMode
    """No augmentation, adaptive (ADA), or fixed probability."""
    p: float = 0.0
    """Augmentation probability: the initial one, or the fixed one."""
    target: float = 0.6
    """ADA target: mean sign of D on real images."""
    interval: int = 4
    """Training steps between updates of p."""
    ramp_kimg: float = 500.0
    """Length in kimg over which p can rise from 0 to 1."""

    def __post_init__(self) -> None:
        if self.mode not in AUGMENT_MODES:
            raise ConfigError(f"aug is {self.mode}; it must be one of {', '.join(AUGMENT_MODES)}")
        if not 0 <= self.p <= 1:
            raise ConfigError(f"p is {self.p}; it must be from 0 to 1")
        if not -1 < self.target < 1:
            raise ConfigError(f"target is {self.target}; it must be greater than -1 and less than 1")
        check_at_least(self, "interval", 1)
        check_positive(self, "ramp_kimg")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The config that determines the result of a run; a resumed run keeps it."""

    variant: Variant
    """Generator architecture."""
    generator: GeneratorConfig
    discriminator: DiscriminatorConfig
    data: str
    """Path of the dataset."""
    mirror: bool
    """Whether the dataset is augmented with horizontal flips."""
    batch: int
    """Batch size over all GPUs."""
    seed: int
    """Random seed of initial weights, image order, latents and augmentations."""
    loss: LossConfig
    optimizer: OptimizerConfig = field(metadata=codec.json_name("optimiser"))
    ema: EmaConfig
    augment: AdaConfig
    source: str | None = None
    """Model from which the weights are initialised; None for random weights."""
    conditioning: ConditioningConfig = field(default=ConditioningConfig(), metadata=codec.omitted_default())
    """Use of the labels."""

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ConfigError(f"cfg is {self.variant}; it must be one of {', '.join(VARIANTS)}")
        check_at_least(self, "batch", 1)
        check_at_least(self, "seed", 0)

    def with_label_encoding(self, encoding: LabelEncoding | None) -> TrainingConfig:
        """The config with another encoding of continuous labels in both networks."""
        return replace(
            self,
            generator=replace(self.generator, label_encoding=encoding),
            discriminator=replace(self.discriminator, label_encoding=encoding),
        )

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        values: dict[str, Any] = codec.to_json(self)
        return values

    @classmethod
    def from_json(cls, data: object) -> TrainingConfig:
        """The config from JSON values.

        Raises:
            ConfigError: a key is missing or unknown, or a value has the wrong type.
        """
        return codec.from_json(cls, data, "training config", ConfigError)


def diff_configs(before: TrainingConfig, after: TrainingConfig) -> list[str]:
    """Fields in which two configs differ, as `name: before, not after`."""
    return list(_diff_values(before.to_json(), after.to_json()))


def _diff_values(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[str]:
    differences = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            differences += _diff_values(old, new, f"{prefix}{name}.")
        elif old != new:
            differences.append(f"{prefix}{name}: {old}, not {new}")
    return differences

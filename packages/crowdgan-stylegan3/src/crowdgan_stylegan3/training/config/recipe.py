"""The published recipe: from options to the complete config of a run.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", 2021; "Training Generative Adversarial Networks
with Limited Data", 2020; "Analyzing and Improving the Image Quality of StyleGAN", 2020.
"""

from __future__ import annotations

from dataclasses import replace

from crowdgan_stylegan3.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    LabelEncoding,
    StyleGan3Config,
    Variant,
    generator_config,
)
from crowdgan_stylegan3.training.config.options import TrainOptions
from crowdgan_stylegan3.training.config.training_config import (
    AdaConfig,
    ConditioningConfig,
    EmaConfig,
    LossConfig,
    OptimizerConfig,
    TrainingConfig,
    Vicinity,
)

GENERATOR_LR = {"stylegan3-t": 0.0025, "stylegan3-r": 0.0025, "stylegan2": 0.002}
"""Learning rate of G by variant."""

EMA_KIMG_PER_IMAGE = 10 / 32
"""Half-life of the EMA generator in kimg, per image of the batch."""

MAGNITUDE_HALF_LIFE_IMG = 20_000
"""Half-life in images of the magnitude EMA of StyleGAN3's layers."""

BLUR_SIGMA_PX = 10.0
"""Initial blur of D's input for StyleGAN3-R."""

BLUR_KIMG_PER_IMAGE = 200 / 32
"""Length in kimg over which that blur fades, per image of the batch."""

PATH_LENGTH_WEIGHT, STYLE_MIXING = 2.0, 0.9
"""Weight of the path length penalty and probability of style mixing, for StyleGAN2."""

TRANSFER_RAMP_KIMG = 100.0
"""Length in kimg over which p can rise from 0 to 1 when training is initialised from a model, whose D is trained."""


def auto_gamma(variant: Variant, resolution: int, batch: int) -> float:
    """R1 penalty weight for a resolution in pixels: the published table, interpolated."""
    if variant == "stylegan2":
        return 0.0002 * resolution**2 / batch
    return 2 * (resolution / 256) ** 2 * (32 / batch)


def resolve_config(
    options: TrainOptions,
    *,
    resolution: int,
    label_dim: int,
    label_encoding: LabelEncoding | None = None,
    vicinity: Vicinity = "none",
) -> TrainingConfig:
    """The complete config of a run.

    Args:
        options: options of the run.
        resolution: side of the images in pixels.
        label_dim: length of the labels.
        label_encoding: encoding of continuous labels; None for other labels.
        vicinity: vicinity of the labels, if the options do not name one.

    Raises:
        ConfigError: options that do not define a network, or contradict one another.
    """
    vicinity = options.vicinity or vicinity
    return TrainingConfig(
        variant=options.variant,
        generator=replace(_generator(options, resolution, label_dim), label_encoding=label_encoding),
        discriminator=replace(_discriminator(options, resolution, label_dim), label_encoding=label_encoding),
        data=str(options.data),
        mirror=options.mirror,
        batch=options.batch_or_auto,
        seed=options.seed,
        loss=_loss(options, resolution),
        optimizer=_optimizer(options),
        ema=_ema(options),
        augment=_augment(options),
        source=None if options.source is None else str(options.source),
        conditioning=ConditioningConfig(
            vicinity=vicinity,
            group_size=1 if vicinity == "none" else options.group,
            balance_classes=options.balance_classes,
            transition_kimg=options.transition_kimg,
        ),
    )


def _loss(options: TrainOptions, resolution: int) -> LossConfig:
    variant, batch, gamma = options.variant, options.batch_or_auto, options.r1_gamma
    is_stylegan2 = variant == "stylegan2"
    gamma = auto_gamma(variant, resolution, batch) if gamma is None else gamma
    loss = LossConfig(
        r1_gamma=gamma,
        path_length_weight=_or_default(options.path_length_weight, PATH_LENGTH_WEIGHT if is_stylegan2 else 0.0),
        style_mixing=_or_default(options.style_mixing, STYLE_MIXING if is_stylegan2 else 0.0),
    )
    if variant == "stylegan3-r" and options.source is None:
        return replace(loss, blur_sigma_px=BLUR_SIGMA_PX, blur_fade_kimg=batch * BLUR_KIMG_PER_IMAGE)
    return loss


def _or_default(value: float | None, default: float) -> float:
    return default if value is None else value


def _optimizer(options: TrainOptions) -> OptimizerConfig:
    generator_lr = GENERATOR_LR[options.variant] if options.generator_lr is None else options.generator_lr
    return OptimizerConfig(generator_lr=generator_lr, discriminator_lr=options.discriminator_lr)


def _ema(options: TrainOptions) -> EmaConfig:
    ema = EmaConfig(half_life_kimg=_or_default(options.ema_kimg, options.batch_or_auto * EMA_KIMG_PER_IMAGE))
    return ema if options.source is None else replace(ema, rampup=None)


def _augment(options: TrainOptions) -> AdaConfig:
    augment = AdaConfig(mode=options.augment)
    if options.augment_p is not None:
        augment = replace(augment, p=options.augment_p)
    if options.ada_target is not None:
        augment = replace(augment, target=options.ada_target)
    return augment if options.source is None else replace(augment, ramp_kimg=TRANSFER_RAMP_KIMG)


def _generator(options: TrainOptions, resolution: int, label_dim: int) -> GeneratorConfig:
    config = generator_config(
        options.variant,
        resolution=resolution,
        label_dim=label_dim,
        channel_base=options.channel_base,
        channel_max=options.channel_max,
    )
    if options.mapping_layers is not None:
        config = replace(config, mapping_layers=options.mapping_layers)
    if options.latent_dim is not None:
        config = replace(config, z_dim=options.latent_dim, w_dim=options.latent_dim)
    if options.transition_kimg is not None:
        config = replace(config, label_transition=True)
    if options.fp32:
        config = replace(config, num_fp16_res=0, conv_clamp=None)
    if isinstance(config, StyleGan3Config):
        config = replace(config, magnitude_ema_beta=0.5 ** (options.batch_or_auto / MAGNITUDE_HALF_LIFE_IMG))
    return config


def _discriminator(options: TrainOptions, resolution: int, label_dim: int) -> DiscriminatorConfig:
    config = DiscriminatorConfig(
        resolution=resolution,
        label_dim=label_dim,
        channel_base=options.channel_base,
        channel_max=options.channel_max,
        group_size=options.group,
        num_frozen=options.num_frozen,
        unconditional_head=options.transition_kimg is not None,
    )
    return replace(config, num_fp16_res=0, conv_clamp=None) if options.fp32 else config

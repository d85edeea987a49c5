"""The published recipe: from what a user chooses to all settings of a run.

Source: Karras et al., "Alias-Free Generative Adversarial Networks", 2021; "Training Generative Adversarial Networks
with Limited Data", 2020; "Analyzing and Improving the Image Quality of StyleGAN", 2020.
"""

from __future__ import annotations

from dataclasses import replace

from crowdgan_stylegan3.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    StyleGan3Config,
    Variant,
    discriminator_preset,
    generator_preset,
)
from crowdgan_stylegan3.training.config.options import TrainOptions
from crowdgan_stylegan3.training.config.training_config import (
    AdaConfig,
    EmaConfig,
    LossConfig,
    OptimizerConfig,
    TrainingConfig,
)

EMA_KIMG_PER_IMAGE = 10 / 32
"""Half-life of the averaged generator over the batch."""

MAGNITUDE_HALF_LIFE_IMG = 20_000
"""Images in which the running magnitudes of StyleGAN3's layers halve."""

BLUR_SIGMA_PX = 10.0
"""Blur at the start of training StyleGAN3-R."""

BLUR_KIMG_PER_IMAGE = 200 / 32
"""Time in which that blur fades, over the batch."""

TRANSFER_RAMP_KIMG = 100.0
"""Time in which p can go from 0 to 1 when training starts from a model, whose D is confident at once."""


def auto_gamma(variant: Variant, resolution: int, batch: int) -> float:
    """Weight of R1 for a resolution in pixels: the published table, and between its entries."""
    if variant == "stylegan2":
        return 0.0002 * resolution**2 / batch
    return 2 * (resolution / 256) ** 2 * (32 / batch)


def resolve_config(choices: TrainOptions, *, resolution: int, label_dim: int) -> TrainingConfig:
    """All settings of a run on images of a side in pixels, with labels of a length.

    Raises:
        ConfigError: choices that make no network, or do not go together.
    """
    return TrainingConfig(
        variant=choices.variant,
        generator=_generator(choices, resolution, label_dim),
        discriminator=_discriminator(choices, resolution, label_dim),
        data=str(choices.data),
        mirror=choices.mirror,
        batch=choices.batch_or_auto,
        seed=choices.seed,
        loss=_loss(choices, resolution),
        optimiser=_optimiser(choices),
        ema=_ema(choices),
        augment=_augment(choices),
        source=None if choices.source is None else str(choices.source),
    )


def _loss(choices: TrainOptions, resolution: int) -> LossConfig:
    variant, batch, gamma = choices.variant, choices.batch_or_auto, choices.r1_gamma
    loss = LossConfig(r1_gamma=auto_gamma(variant, resolution, batch) if gamma is None else gamma)
    if variant == "stylegan2":
        return replace(loss, path_length_weight=2.0, style_mixing=0.9)
    if variant == "stylegan3-r" and choices.source is None:
        return replace(loss, blur_sigma_px=BLUR_SIGMA_PX, blur_fade_kimg=batch * BLUR_KIMG_PER_IMAGE)
    return loss


def _optimiser(choices: TrainOptions) -> OptimizerConfig:
    rate = 0.002 if choices.variant == "stylegan2" else 0.0025
    return OptimizerConfig(
        generator_lr=rate if choices.generator_lr is None else choices.generator_lr,
        discriminator_lr=choices.discriminator_lr,
    )


def _ema(choices: TrainOptions) -> EmaConfig:
    ema = EmaConfig(half_life_kimg=choices.batch_or_auto * EMA_KIMG_PER_IMAGE)
    return ema if choices.source is None else replace(ema, rampup=None)


def _augment(choices: TrainOptions) -> AdaConfig:
    augment = AdaConfig(mode=choices.augment)
    if choices.augment_p is not None:
        augment = replace(augment, p=choices.augment_p)
    if choices.ada_target is not None:
        augment = replace(augment, target=choices.ada_target)
    return augment if choices.source is None else replace(augment, ramp_kimg=TRANSFER_RAMP_KIMG)


def _generator(choices: TrainOptions, resolution: int, label_dim: int) -> GeneratorConfig:
    settings = generator_preset(
        choices.variant,
        resolution=resolution,
        label_dim=label_dim,
        channel_base=choices.channel_base,
        channel_max=choices.channel_max,
    )
    if choices.mapping_layers is not None:
        settings = replace(settings, mapping_layers=choices.mapping_layers)
    if choices.fp32:
        settings = replace(settings, num_fp16_res=0, conv_clamp=None)
    if isinstance(settings, StyleGan3Config):
        settings = replace(settings, magnitude_ema_beta=0.5 ** (choices.batch_or_auto / MAGNITUDE_HALF_LIFE_IMG))
    return settings


def _discriminator(choices: TrainOptions, resolution: int, label_dim: int) -> DiscriminatorConfig:
    settings = discriminator_preset(
        resolution=resolution,
        label_dim=label_dim,
        channel_base=choices.channel_base,
        channel_max=choices.channel_max,
        group_size=choices.group,
    )
    settings = replace(settings, num_frozen=choices.num_frozen)
    return replace(settings, num_fp16_res=0, conv_clamp=None) if choices.fp32 else settings

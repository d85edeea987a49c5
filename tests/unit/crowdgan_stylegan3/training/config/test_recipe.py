"""The recipe: published values, and choices that are refused with the numbers that would work."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.config import StyleGan3Config
from crowdgan_stylegan3.training.config.options import TrainOptions
from crowdgan_stylegan3.training.config.recipe import auto_gamma, resolve_config
from crowdgan_stylegan3.training.config.training_config import TrainingConfig, diff_configs

DATA = Path("crowds.zip")


@pytest.mark.parametrize(("resolution", "gamma"), [(128, 0.5), (256, 2), (512, 8), (1024, 32)])
def test_gamma_is_that_of_the_published_table(resolution: int, gamma: float) -> None:
    assert auto_gamma("stylegan3-t", resolution, 32) == gamma
    assert auto_gamma("stylegan3-r", resolution, 16) == 2 * gamma


def test_gamma_of_stylegan2_grows_with_the_number_of_pixels() -> None:
    assert auto_gamma("stylegan2", 256, 32) == pytest.approx(0.4096)


def test_the_recipe_of_stylegan3_has_the_published_values() -> None:
    settings = resolve_config(TrainOptions(data=DATA, batch=32), resolution=256, label_dim=3)
    assert (settings.optimizer.generator_lr, settings.optimizer.discriminator_lr) == (0.0025, 0.002)
    assert (settings.ema.half_life_kimg, settings.ema.rampup) == (10, 0.05)
    assert (settings.loss.r1_gamma, settings.loss.r1_interval) == (2, 16)
    assert (settings.loss.path_length_weight, settings.loss.style_mixing, settings.loss.blur_sigma_px) == (0, 0, 0)
    assert (settings.augment.mode, settings.augment.target, settings.augment.ramp_kimg) == ("ada", 0.6, 500)
    assert isinstance(settings.generator, StyleGan3Config)
    assert settings.generator.magnitude_ema_beta == 0.5 ** (32 / 20_000)
    assert (settings.generator.mapping_layers, settings.discriminator.group_size) == (2, 4)
    assert (settings.generator.num_fp16_res, settings.generator.conv_clamp) == (4, 256)


def test_stylegan3_r_begins_with_a_blur_that_fades() -> None:
    settings = resolve_config(TrainOptions(data=DATA, variant="stylegan3-r", batch=32), resolution=256, label_dim=0)
    assert (settings.loss.blur_sigma_px, settings.loss.blur_fade_kimg) == (10, 200)
    assert settings.generator.channel_base == 2 * settings.discriminator.channel_base


def test_stylegan2_alone_mixes_styles_and_regularises_path_lengths() -> None:
    settings = resolve_config(TrainOptions(data=DATA, variant="stylegan2", batch=32), resolution=64, label_dim=0)
    assert (settings.loss.path_length_weight, settings.loss.path_length_interval) == (2, 4)
    assert (settings.loss.style_mixing, settings.optimizer.generator_lr) == (0.9, 0.002)
    assert settings.generator.mapping_layers == 8


def test_training_from_a_model_starts_without_blur_and_reacts_faster() -> None:
    choices = TrainOptions(data=DATA, variant="stylegan3-r", batch=32, source=Path("ffhq.pkl"), num_frozen=3)
    settings = resolve_config(choices, resolution=64, label_dim=0)
    assert (settings.loss.blur_sigma_px, settings.ema.rampup, settings.augment.ramp_kimg) == (0, None, 100)
    assert settings.discriminator.num_frozen == 3


def test_without_half_precision_nothing_is_clamped() -> None:
    settings = resolve_config(TrainOptions(data=DATA, fp32=True), resolution=64, label_dim=0)
    assert (settings.generator.num_fp16_res, settings.generator.conv_clamp) == (0, None)
    assert (settings.discriminator.num_fp16_res, settings.discriminator.conv_clamp) == (0, None)


@pytest.mark.parametrize(("gpus", "batch"), [(1, 32), (2, 32), (3, 36), (8, 32), (16, 64)])
def test_a_batch_that_is_left_open_divides_among_gpus_and_groups(gpus: int, batch: int) -> None:
    choices = TrainOptions(data=DATA, gpus=gpus)
    assert (choices.batch_or_auto, choices.group) == (batch, 4)


@pytest.mark.parametrize(
    ("batch", "batch_gpu", "group", "possible"),
    [(32, None, 4, [32, 16, 8, 4]), (6, None, 3, [6, 3]), (5, None, 1, [5, 1]), (32, 2, 2, [2])],
)
def test_the_group_and_the_images_at_once_divide_the_batch(
    batch: int, batch_gpu: int | None, group: int, possible: list[int]
) -> None:
    choices = TrainOptions(data=DATA, batch=batch, batch_gpu=batch_gpu)
    assert (choices.group, choices.micro_batch_candidates) == (group, possible)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 30, "gpus": 4}, "--batch 30 cannot be divided among 4 GPUs; use 28 or 32"),
        ({"batch": 3, "gpus": 4}, "--batch 3 cannot be divided among 4 GPUs; use 4"),
        ({"batch": 32, "batch_gpu": 5}, "--batch 32 is not a multiple of --batch-gpu 5; use 30 or 35"),
        ({"batch": 32, "gpus": 2, "batch_gpu": 5}, "--batch 32 is not a multiple of 2 x --batch-gpu 5; use 30 or 40"),
        (
            {"batch": 32, "batch_gpu": 2, "group_size": 4},
            "--mbstd-group 4 does not divide --batch-gpu, 2; choose from 1, 2",
        ),
        ({"batch": 6, "group_size": 4}, "--mbstd-group 4 does not divide the batch per GPU, 6; choose from 1, 2, 3, 6"),
        ({"batch": 0}, "--batch is 0; it must be at least 1"),
        ({"augment": "fixed"}, "--aug fixed needs --p, the probability, for example --p 0.2"),
        ({"augment_p": 0.2}, "--p requires --aug fixed; remove it with --aug ada"),
        ({"augment": "noaug", "ada_target": 0.5}, "--target requires --aug ada; remove it with --aug noaug"),
        ({"num_frozen": 2}, "--freezed freezes layers of a trained model: it needs --resume MODEL"),
        ({"total_kimg": 0}, "total_kimg is 0; it must be above 0"),
        ({"snapshot_ticks": 0}, "snapshot_ticks is 0; it must be at least 1"),
    ],
)
def test_choices_that_make_no_sense_are_refused_with_what_would_work(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainOptions(data=DATA, **changes)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ada_target": 1.0}, "target is 1.0; it must be greater than -1 and less than 1"),
        ({"generator_lr": -1.0}, "generator_lr is -1.0; it must be above 0"),
        ({"generator_lr": 0.0}, "generator_lr is 0.0; it must be above 0"),
        ({"r1_gamma": -1.0}, "r1_gamma is -1.0; it must be at least 0"),
        ({"r1_gamma": float("nan")}, "r1_gamma is nan; it must be at least 0"),
        ({"channel_base": 8}, "channel_base is 8; it must be at least the resolution, 64"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_config(TrainOptions(data=DATA, **changes), resolution=64, label_dim=0)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan3-r", "stylegan2"])
def test_settings_and_choices_are_the_same_after_json(variant: str) -> None:
    choices = TrainOptions(data=DATA, variant=variant, batch=8, source=Path("a.pkl"))  # type: ignore[arg-type]
    settings = resolve_config(choices, resolution=32, label_dim=2)
    assert TrainingConfig.from_json(settings.to_json()) == settings
    assert TrainOptions.from_json(choices.to_json(), {}) == choices
    assert TrainOptions.from_json(choices.to_json(), {"batch": 16}).batch == 16


@pytest.mark.parametrize("data", [None, {}, {"generator": {}}, {"optimiser": 3}])
def test_what_are_no_settings_is_refused(data: object) -> None:
    with pytest.raises(ConfigError):
        TrainingConfig.from_json(data)


def test_what_is_chosen_counts_even_where_it_is_nothing() -> None:
    settings = resolve_config(TrainOptions(data=DATA, ada_target=0.0, r1_gamma=0.0), resolution=64, label_dim=0)
    assert (settings.augment.target, settings.loss.r1_gamma) == (0, 0)


def test_settings_that_differ_are_named() -> None:
    before = resolve_config(TrainOptions(data=DATA, batch=8), resolution=32, label_dim=2)
    after = resolve_config(TrainOptions(data=DATA, batch=8, seed=1, r1_gamma=5), resolution=32, label_dim=2)
    assert diff_configs(before, before) == []
    assert diff_configs(before, after) == ["seed: 0, not 1", "loss.r1_gamma: 0.125, not 5"]


@pytest.mark.parametrize(("kimg", "tick", "snap"), [(25_000, 4, 50), (200, 4, 50), (20, 0.4, 10)])
def test_short_runs_tell_more_often_how_they_go(kimg: float, tick: float, snap: int) -> None:
    schedule = TrainOptions(data=DATA, total_kimg=kimg).schedule(batch_gpu=4)
    assert (schedule.tick_kimg, schedule.snapshot_ticks) == (tick, snap)

"""The recipe: published values, validation of options, and JSON."""

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
def test_gamma_equals_the_published_table(resolution: int, gamma: float) -> None:
    assert auto_gamma("stylegan3-t", resolution, 32) == gamma
    assert auto_gamma("stylegan3-r", resolution, 16) == 2 * gamma


def test_gamma_of_stylegan2_is_proportional_to_the_number_of_pixels() -> None:
    assert auto_gamma("stylegan2", 256, 32) == pytest.approx(0.4096)


def test_the_recipe_of_stylegan3_has_the_published_values() -> None:
    config = resolve_config(TrainOptions(data=DATA, batch=32), resolution=256, label_dim=3)
    assert (config.optimizer.generator_lr, config.optimizer.discriminator_lr) == (0.0025, 0.002)
    assert (config.ema.half_life_kimg, config.ema.rampup) == (10, 0.05)
    assert (config.loss.r1_gamma, config.loss.r1_interval) == (2, 16)
    assert (config.loss.path_length_weight, config.loss.style_mixing, config.loss.blur_sigma_px) == (0, 0, 0)
    assert (config.augment.mode, config.augment.target, config.augment.ramp_kimg) == ("ada", 0.6, 500)
    assert isinstance(config.generator, StyleGan3Config)
    assert config.generator.magnitude_ema_beta == 0.5 ** (32 / 20_000)
    assert (config.generator.mapping_layers, config.discriminator.group_size) == (2, 4)
    assert (config.generator.num_fp16_res, config.generator.conv_clamp) == (4, 256)


def test_stylegan3_r_starts_with_a_blur_that_fades() -> None:
    config = resolve_config(TrainOptions(data=DATA, variant="stylegan3-r", batch=32), resolution=256, label_dim=0)
    assert (config.loss.blur_sigma_px, config.loss.blur_fade_kimg) == (10, 200)
    assert config.generator.channel_base == 2 * config.discriminator.channel_base


def test_stylegan2_mixes_styles_and_regularises_path_lengths() -> None:
    config = resolve_config(TrainOptions(data=DATA, variant="stylegan2", batch=32), resolution=64, label_dim=0)
    assert (config.loss.path_length_weight, config.loss.path_length_interval) == (2, 4)
    assert (config.loss.style_mixing, config.optimizer.generator_lr) == (0.9, 0.002)
    assert config.generator.mapping_layers == 8


def test_training_from_a_model_has_no_blur_and_a_faster_augmentation_ramp() -> None:
    options = TrainOptions(data=DATA, variant="stylegan3-r", batch=32, source=Path("ffhq.pkl"), num_frozen=3)
    config = resolve_config(options, resolution=64, label_dim=0)
    assert (config.loss.blur_sigma_px, config.ema.rampup, config.augment.ramp_kimg) == (0, None, 100)
    assert config.discriminator.num_frozen == 3


def test_float32_networks_do_not_clamp() -> None:
    config = resolve_config(TrainOptions(data=DATA, fp32=True), resolution=64, label_dim=0)
    assert (config.generator.num_fp16_res, config.generator.conv_clamp) == (0, None)
    assert (config.discriminator.num_fp16_res, config.discriminator.conv_clamp) == (0, None)


@pytest.mark.parametrize(("gpus", "batch"), [(1, 32), (2, 32), (3, 36), (8, 32), (16, 64)])
def test_the_automatic_batch_size_is_divisible_by_gpus_and_groups(gpus: int, batch: int) -> None:
    options = TrainOptions(data=DATA, gpus=gpus)
    assert (options.batch_or_auto, options.group) == (batch, 4)


@pytest.mark.parametrize(
    ("batch", "batch_gpu", "group", "candidates"),
    [(32, None, 4, [32, 16, 8, 4]), (6, None, 3, [6, 3]), (5, None, 1, [5, 1]), (32, 2, 2, [2])],
)
def test_group_size_and_micro_batch_size_divide_the_batch(
    batch: int, batch_gpu: int | None, group: int, candidates: list[int]
) -> None:
    options = TrainOptions(data=DATA, batch=batch, batch_gpu=batch_gpu)
    assert (options.group, options.micro_batch_candidates) == (group, candidates)


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
def test_contradictory_options_are_errors_that_list_valid_values(changes: dict[str, object], message: str) -> None:
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
def test_config_values_out_of_range_are_errors(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_config(TrainOptions(data=DATA, **changes), resolution=64, label_dim=0)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("variant", ["stylegan3-t", "stylegan3-r", "stylegan2"])
def test_config_and_options_are_unchanged_by_a_json_round_trip(variant: str) -> None:
    options = TrainOptions(data=DATA, variant=variant, batch=8, source=Path("a.pkl"))  # type: ignore[arg-type]
    config = resolve_config(options, resolution=32, label_dim=2)
    assert TrainingConfig.from_json(config.to_json()) == config
    assert TrainOptions.from_json(options.to_json(), {}) == options
    assert TrainOptions.from_json(options.to_json(), {"batch": 16}).batch == 16


@pytest.mark.parametrize("data", [None, {}, {"generator": {}}, {"optimiser": 3}])
def test_an_invalid_training_config_is_an_error(data: object) -> None:
    with pytest.raises(ConfigError):
        TrainingConfig.from_json(data)


def test_options_of_zero_replace_the_default() -> None:
    config = resolve_config(TrainOptions(data=DATA, ada_target=0.0, r1_gamma=0.0), resolution=64, label_dim=0)
    assert (config.augment.target, config.loss.r1_gamma) == (0, 0)


def test_differences_of_configs_are_listed() -> None:
    before = resolve_config(TrainOptions(data=DATA, batch=8), resolution=32, label_dim=2)
    after = resolve_config(TrainOptions(data=DATA, batch=8, seed=1, r1_gamma=5), resolution=32, label_dim=2)
    assert diff_configs(before, before) == []
    assert diff_configs(before, after) == ["seed: 0, not 1", "loss.r1_gamma: 0.125, not 5"]


@pytest.mark.parametrize(("kimg", "tick", "snap"), [(25_000, 4, 50), (200, 4, 50), (20, 0.4, 10)])
def test_short_runs_have_more_frequent_ticks_and_snapshots(kimg: float, tick: float, snap: int) -> None:
    schedule = TrainOptions(data=DATA, total_kimg=kimg).schedule(batch_gpu=4)
    assert (schedule.tick_kimg, schedule.snapshot_ticks) == (tick, snap)

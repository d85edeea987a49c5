"""Equivariance and perceptual path length of random generators, and the metrics that report them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics.evaluation import images_of
from crowdgan_core.metrics.extractor import FeatureExtractor
from crowdgan_core.metrics.inputs import EvaluationInputs
from crowdgan_core.models.backend import ImageGenerator
from crowdgan_core.plugins.discovery import installed_plugins
from crowdgan_core.utils.progress import NullProgress
from crowdgan_stylegan3.config import Variant, generator_config
from crowdgan_stylegan3.inference.image_generator import StyleGanImageGenerator
from crowdgan_stylegan3.inference.random_init import random_card, random_generator
from crowdgan_stylegan3.metrics import generator_equivariance, perceptual_path_length
from crowdgan_stylegan3.metrics.generator_equivariance import PooledError, equivariance_db
from crowdgan_stylegan3.metrics.generator_metrics import GENERATOR_METRICS
from crowdgan_stylegan3.metrics.perceptual_path_length import path_lengths, trimmed_mean

METRICS = {metric.name: metric for metric in GENERATOR_METRICS}
SEEDS = [1, 2, 3]


def random_model(variant: Variant, resolution: int = 32, classes: tuple[str, ...] = ()) -> StyleGanImageGenerator:
    config = generator_config(variant, resolution=resolution, label_dim=len(classes), channel_base=1024, channel_max=16)
    config = replace(config, z_dim=16, w_dim=16)
    return StyleGanImageGenerator(random_generator(config), random_card(config, classes, 0), "cpu")


@pytest.fixture(scope="module")
def stylegan2() -> StyleGanImageGenerator:
    return random_model("stylegan2")


def test_stylegan3_is_equivariant_and_stylegan2_is_not(stylegan2: StyleGanImageGenerator) -> None:
    translated, rotated = random_model("stylegan3-t"), random_model("stylegan3-r")
    eq_t = equivariance_db(translated, SEEDS, None, "integer translation")
    eq_t_frac = equivariance_db(translated, SEEDS, None, "fractional translation")
    eq_r = equivariance_db(rotated, SEEDS, None, "rotation")
    assert eq_t > 40
    assert eq_t_frac > 40
    assert eq_r > 35
    assert equivariance_db(translated, SEEDS, None, "rotation") < eq_r - 20
    assert equivariance_db(stylegan2, SEEDS, None, "integer translation") < 30 < eq_t
    assert equivariance_db(stylegan2, SEEDS, None, "fractional translation") < 30 < eq_t_frac
    assert equivariance_db(stylegan2, SEEDS, None, "rotation") < 30 < eq_r


def test_psnr_is_pooled_over_the_pixels_inside_both_masks() -> None:
    error = PooledError()
    assert math.isnan(error.psnr_db)
    mask = torch.tensor([1.0, 1.0, 0.0])
    error.add((torch.tensor([0.1, 0.0, 9.0]), mask), (torch.zeros(3), torch.ones(3)))
    error.add((torch.tensor([0.1, 9.0, 0.1]), torch.ones(3)), (torch.zeros(3), torch.tensor([1.0, 0.0, 1.0])))
    assert error.num_pixels == 4
    assert error.psnr_db == pytest.approx(10 * math.log10(4 / (0.03 / 4)))


@pytest.mark.parametrize("downsampling", [1, 2])
def test_path_length_is_the_squared_derivative_of_the_perceptual_features(
    stylegan2: StyleGanImageGenerator, monkeypatch: pytest.MonkeyPatch, downsampling: int
) -> None:
    size = 32 // downsampling
    monkeypatch.setattr(perceptual_path_length, "IMAGE_SIZE", size)
    features = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.Flatten()).requires_grad_(False)
    ends = SEEDS[:2], [5, 6]

    def features_of_ws(ws: Tensor) -> Tensor:
        images = torch.nn.functional.avg_pool2d(stylegan2.synthesis(ws), downsampling)
        return torch.as_tensor(features((images + 1) * 127.5))

    ws, other = (stylegan2.latents(seeds, None) for seeds in ends)
    _, derivative = torch.autograd.functional.jvp(features_of_ws, ws, other - ws)
    lengths = path_lengths(stylegan2, ends, None, features)
    np.testing.assert_allclose(lengths, derivative.square().sum(dim=1), rtol=0.02)


def test_path_lengths_outside_the_percentiles_are_ignored() -> None:
    lengths = np.array([*range(1, 100), -1e9, 1e9], float)
    mean, standard_error = trimmed_mean(np.random.default_rng(0).permutation(lengths))
    assert mean == pytest.approx(50)
    assert standard_error == pytest.approx(np.std(np.arange(1, 100)) / np.sqrt(99))


def test_path_length_needs_pairs_of_seeds(stylegan2: StyleGanImageGenerator) -> None:
    with pytest.raises(ConfigError, match="2 first and 1 second seeds"):
        path_lengths(stylegan2, ([1, 2], [3]), None, torch.nn.Flatten())


def inputs(generator: ImageGenerator | None, **changes: Any) -> EvaluationInputs:
    return EvaluationInputs(generator=generator, num_images=2, device="cpu", **changes)


def test_metrics_are_installed_and_named_as_the_published_ones() -> None:
    assert list(METRICS) == ["ppl2_wend", "eqt50k_int", "eqt50k_frac", "eqr50k"]
    assert {name: installed_plugins().metrics[name] for name in METRICS} == METRICS


@pytest.mark.parametrize("name", ["eqt50k_int", "eqt50k_frac", "eqr50k"])
def test_equivariance_metrics_are_repeatable(stylegan2: StyleGanImageGenerator, name: str) -> None:
    metric = METRICS[name]
    assert metric.unavailable_reason(inputs(stylegan2)) is None
    values = metric.compute(inputs(stylegan2), NullProgress())
    assert list(values) == [name]
    assert values == metric.compute(inputs(stylegan2), NullProgress())
    assert values != metric.compute(inputs(stylegan2, seed=1), NullProgress())


def test_equivariance_without_movement_is_an_error(
    stylegan2: StyleGanImageGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator_equivariance, "MAX_TRANSLATION", 0.0)
    with pytest.raises(ConfigError, match="eqt50k_int: undefined for 2 images: no image changes when it is moved"):
        METRICS["eqt50k_int"].compute(inputs(stylegan2), NullProgress())


class FlattenedPixels(FeatureExtractor):
    """Pixels as perceptual features."""

    name = "vgg16"
    description = "pixels"

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "auto") -> FlattenedPixels:
        return cls()

    @property
    def fingerprint(self) -> str:
        return "pixels"

    def features(self, images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1).astype(np.float32)

    def perceptual_features(self, images: Tensor) -> Tensor:
        return images.flatten(1)


def test_path_length_metric(stylegan2: StyleGanImageGenerator) -> None:
    metric = METRICS["ppl2_wend"]
    assert "no feature extractor vgg16" in str(metric.unavailable_reason(inputs(stylegan2)))
    available = inputs(stylegan2, extractors={"vgg16": FlattenedPixels})
    assert metric.unavailable_reason(available) is None
    value = metric.compute(available, NullProgress())["ppl2_wend"]
    assert value.value > 0
    assert value.standard_error is not None


class Without(FlattenedPixels):
    perceptual_features = None  # type: ignore[assignment]


def test_path_length_needs_perceptual_features(stylegan2: StyleGanImageGenerator) -> None:
    with pytest.raises(ConfigError, match="has no method perceptual_features"):
        METRICS["ppl2_wend"].compute(inputs(stylegan2, extractors={"vgg16": Without}), NullProgress())


@dataclass
class ForeignGenerator:
    """A generator of another backend."""

    card: Any


@pytest.mark.parametrize("name", METRICS)
def test_reasons_why_metrics_are_unavailable(name: str) -> None:
    metric = METRICS[name]
    assert "pass a model by --network" in str(metric.unavailable_reason(inputs(None)))
    card = replace(random_card(generator_config("stylegan2", resolution=16), (), 0), backend="blobs")
    foreign: Any = ForeignGenerator(card)
    assert "this is a model of blobs" in str(metric.unavailable_reason(inputs(foreign)))
    with pytest.raises(ConfigError, match="this is a model of blobs"):
        METRICS["eqr50k"].compute(inputs(foreign), NullProgress())
    labelled = random_model("stylegan2", resolution=16, classes=("sparse", "dense"))
    assert "the model has the classes sparse, dense; give a dataset" in str(metric.unavailable_reason(inputs(labelled)))


def test_metrics_with_official_names_have_the_official_number_of_images() -> None:
    assert {images_of(metric, None) for metric in GENERATOR_METRICS} == {50_000}
    assert {images_of(metric, 8) for metric in GENERATOR_METRICS} == {8}

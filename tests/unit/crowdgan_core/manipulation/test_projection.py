"""Projection, tuning and density edits, with a generator whose gradients are exact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from crowdgan_blobs.generator import BlobGenerator
from crowdgan_blobs.model import example_model

from crowdgan_core.errors import ConfigError
from crowdgan_core.manipulation.density_edit import EditOptions, edit_image, edit_steps
from crowdgan_core.manipulation.image_loss import to_float_images
from crowdgan_core.manipulation.label_estimation import estimate_labels
from crowdgan_core.manipulation.projection import InterruptedProjection, project_image
from crowdgan_core.manipulation.projector import ProjectionOptions, Projector
from crowdgan_core.manipulation.similarity import psnr
from crowdgan_core.manipulation.tuning import EditExamples, TuningOptions, transfer_details, tune
from crowdgan_core.models.generation.conditioning import one_hot
from crowdgan_core.models.generation.sweep_steps import SweepRange
from crowdgan_core.models.latent_means import LatentMeans
from tests.support.linear_generator import NUM_LAYERS, SPREAD, LinearGenerator

DENSE = (0.0, 0.0, 1.0)
OPTIONS = ProjectionOptions(num_steps=150, distance_weight=0.001)


@pytest.fixture
def generator() -> LinearGenerator:
    return LinearGenerator()


def generated(generator: LinearGenerator, *seeds: int) -> np.ndarray:
    return generator.generate(seeds, np.tile(np.array(DENSE, np.float32), (len(seeds), 1)))


def test_means_and_spreads_are_those_of_the_latents(generator: LinearGenerator) -> None:
    means = LatentMeans(generator, num_latents=2000)
    assert means.mean(DENSE) == pytest.approx(np.tile(generator.label_means[2], (NUM_LAYERS, 1)), abs=0.06)
    assert means.spread(DENSE) == pytest.approx(SPREAD * np.sqrt(generator.latent_shape[1]), rel=0.03)
    mixture = means.mean((0.25, 0.75, 0.0))
    assert mixture == pytest.approx(0.25 * means.mean((1.0, 0.0, 0.0)) + 0.75 * means.mean((0.0, 1.0, 0.0)))
    assert means.spread((0.25, 0.75, 0.0)) == means.spread((0.0, 1.0, 0.0))
    latents = generator.map_seeds(range(50), np.tile(np.array(DENSE, np.float32), (50, 1)))
    distances = [means.distance(latent[None], DENSE) for latent in latents]
    assert np.sqrt(np.mean(np.square(distances))) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("space", ["w", "w+"])
def test_images_of_the_generator_are_found_again(generator: LinearGenerator, space: Any) -> None:
    targets = generated(generator, 3, 4)
    options = ProjectionOptions(num_steps=150, distance_weight=0, space=space)
    projector = Projector(generator, targets, [DENSE, DENSE], LatentMeans(generator), options)
    projector.run()
    images = generator.synthesise(projector.latents)
    assert min(psnr(image, target) for image, target in zip(images, targets, strict=True)) > 35
    is_equal = (projector.latents == projector.latents[:, :1]).all()
    assert bool(is_equal) == (space == "w")


def test_a_projection_depends_on_the_seed_and_not_on_the_batch(generator: LinearGenerator) -> None:
    targets = generated(generator, 3, 4)
    means, both = LatentMeans(generator), []
    for seed, batch in ((0, targets), (0, targets[:1]), (1, targets[:1])):
        options = ProjectionOptions(num_steps=20, seed=seed)
        projector = Projector(generator, batch, [DENSE] * len(batch), means, options)
        projector.run()
        both.append(projector.latents[:1])
    assert both[0] == pytest.approx(both[1], abs=1e-4)
    assert np.abs(both[0] - both[2]).max() > 1e-3


def test_the_distance_weight_keeps_latents_near_the_mean(generator: LinearGenerator) -> None:
    target = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    near, far = (
        project_image(generator, target, DENSE, options=ProjectionOptions(num_steps=100, distance_weight=weight))
        for weight in (5.0, 0.0)
    )
    assert near.distance < 0.5 * far.distance
    assert psnr(near.image, target) < psnr(far.image, target)


class Interrupt:
    """A progress display that interrupts a phase after some steps."""

    def __init__(self, phase: str, num_steps: int) -> None:
        self._phase, self._num_steps, self._steps = phase, num_steps, 0

    def start(self, description: str, total: int) -> None:
        self._is_running = description == self._phase

    def advance(self) -> None:
        self._steps += self._is_running
        if self._steps == self._num_steps:
            raise KeyboardInterrupt


def test_an_interrupt_returns_the_latents_so_far(generator: LinearGenerator) -> None:
    target = generated(generator, 3)[0]
    with pytest.raises(InterruptedProjection) as caught:
        project_image(generator, target, DENSE, options=OPTIONS, progress=Interrupt("projecting", 60))
    projection = caught.value.projection
    assert projection.num_steps == 60
    start = generator.synthesise(LatentMeans(generator).mean(DENSE)[None].astype(np.float32))[0]
    assert psnr(projection.image, target) > psnr(start, target) + 3


def test_an_interrupted_tuning_returns_the_projection_without_it(generator: LinearGenerator) -> None:
    target = generated(generator, 3)[0]
    options, tuning = ProjectionOptions(num_steps=20, distance_weight=1.0), TuningOptions(num_tuning_steps=20)
    with pytest.raises(InterruptedProjection) as caught:
        project_image(generator, target, DENSE, options=options, tuning=tuning, progress=Interrupt("tuning", 5))
    projection = caught.value.projection
    assert (projection.num_steps, projection.tuner) == (20, None)
    assert np.array_equal(projection.latent, project_image(generator, target, DENSE, options=options).latent)


def test_tuning_brings_the_image_nearer_and_leaves_the_generator_unchanged(generator: LinearGenerator) -> None:
    target = np.clip(generated(generator, 3)[0].astype(int) + 40 * np.eye(16, dtype=int)[:, :, None], 0, 255)
    target = target.astype(np.uint8)
    before = generated(generator, 3)
    projection = project_image(generator, target, DENSE, options=OPTIONS, tuning=TuningOptions(num_tuning_steps=300))
    scores = projection.scores()
    assert scores["tuned_psnr_db"] > scores["psnr_db"] + 3
    assert projection.tuner is not None
    assert np.array_equal(generated(generator, 3), before)
    assert not np.array_equal(generated(projection.tuner.generator, 3), before)  # type: ignore[arg-type]


def test_the_default_distance_weight_is_higher_before_tuning() -> None:
    options = ProjectionOptions()
    assert [options.resolved(is_tuned=is_tuned).distance_weight for is_tuned in (False, True)] == [1, 3]
    assert ProjectionOptions(distance_weight=0.0).resolved(is_tuned=True).distance_weight == 0


def test_the_distance_weight_does_not_prevent_an_exact_projection(generator: LinearGenerator) -> None:
    latent = generator.map_seeds([3], np.array([DENSE], np.float32))
    target = generator.synthesise(latent)[0]
    projection = project_image(generator, target, DENSE, options=ProjectionOptions(distance_weight=1.0))
    assert psnr(projection.image, target) > 40
    assert projection.distance == pytest.approx(LatentMeans(generator).distance(latent, DENSE), rel=0.05)


@pytest.mark.parametrize("label_kind", ["class", None])
def test_tuning_keeps_edits_and_carries_details_over(label_kind: Any) -> None:
    generator = LinearGenerator(label_kind)
    label = DENSE if label_kind else None
    pivot = generator.map_seeds([3], None if label is None else np.array([label], np.float32))
    image = generator.synthesise(pivot)[0]
    target = image.copy()
    target[4:12, 4:12] = 255 - target[4:12, 4:12]
    means = LatentMeans(generator)
    latent, expected = EditExamples(generator, pivot, label, to_float_images(target[None]), means, 1).draw()
    assert not np.allclose(latent, pivot, atol=0.01)
    errors = {}
    for locality in (True, False):
        options = TuningOptions(num_tuning_steps=200, locality=locality)
        tuned = tune(generator, pivot, label, target[None], means, options).generator
        errors[locality] = np.abs(to_float_images(tuned.synthesise(latent)) - expected).mean()
    assert errors[True] < errors[False]


def test_a_model_with_densities_of_unknown_range_is_tuned() -> None:
    generator = LinearGenerator("value")
    generator.card = replace(generator.card, label_range=None)
    target = generator.generate([3], np.array([[1.5]], np.float32))[0]
    tuning = TuningOptions(num_tuning_steps=3)
    assert project_image(generator, target, (1.5,), options=OPTIONS, tuning=tuning).tuner is not None


def test_details_are_transferred_where_an_edit_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    original, target = rng.uniform(-1, 1, (2, 1, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(transfer_details(original, target, original), target, atol=1e-6)
    edited = original.copy()
    edited[:, :5] += rng.choice([-0.5, 0.5], (1, 5, 16, 3)).astype(np.float32)
    result = transfer_details(original, target, edited)
    np.testing.assert_allclose(result[:, 6:], target[:, 6:], atol=1e-6)
    colour = np.median(target - original, axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(result[:, :4], (edited + colour)[:, :4], atol=1e-6)
    brighter = transfer_details(original, target, original + 0.25)
    np.testing.assert_allclose(brighter, target + 0.25, atol=1e-6)


def test_an_edit_to_the_own_label_changes_nothing_and_others_change_the_density(generator: LinearGenerator) -> None:
    latent = generator.map_seeds([3], np.array([DENSE], np.float32))
    edit = edit_image(generator, latent, DENSE, edit_steps(generator.card, None, SweepRange()))
    assert [step.vector for step in edit.steps] == [one_hot(generator.card, index) for index in range(3)]
    assert np.array_equal(edit.images[2], edit.image)
    brightness = edit.images.mean(axis=(1, 2, 3))
    assert (np.diff(brightness) > 10).all()
    (single,) = edit_image(generator, latent, DENSE, edit_steps(generator.card, DENSE, SweepRange())).images
    assert np.array_equal(single, edit.image)


def test_an_edit_does_not_change_layers_that_move_the_image(generator: LinearGenerator) -> None:
    generator.num_transform_layers = 1
    latent = generator.map_seeds([3], np.array([DENSE], np.float32))
    edit = edit_image(generator, latent, DENSE, edit_steps(generator.card, (1.0, 0.0, 0.0), SweepRange()))
    assert (edit.latents[0] != latent[0]).any(axis=1).tolist() == [False, True, True, True]


def test_layers_and_strength_limit_an_edit(generator: LinearGenerator) -> None:
    latent = generator.map_seeds([3], np.array([DENSE], np.float32))
    steps = edit_steps(generator.card, (1.0, 0.0, 0.0), SweepRange())
    full, some, half = (
        edit_image(generator, latent, DENSE, steps, options=options).latents[0] - latent[0]
        for options in (EditOptions(), EditOptions(layers=(1, 3)), EditOptions(strength=0.5))
    )
    assert some[[1, 3]] == pytest.approx(full[[1, 3]])
    assert not some[[0, 2]].any()
    assert half == pytest.approx(0.5 * full, abs=1e-6)
    with pytest.raises(ConfigError, match="layer 4: the model has 4 layers, 0 to 3"):
        edit_image(generator, latent, DENSE, steps, options=EditOptions(layers=(4,)))


@pytest.mark.parametrize("kind", ["class", "value"])
def test_labels_are_estimated_from_generated_images(kind: Any) -> None:
    generator = BlobGenerator(example_model(kind, (64, 64)))
    labels = [one_hot(generator.card, index) for index in range(3)]
    if kind == "value":
        with pytest.raises(ConfigError, match="the model does not state the range of its labels; give the density"):
            estimate_labels(generator, np.zeros((1, 64, 64, 3), np.uint8))
        model = example_model(kind, (64, 64))
        generator = BlobGenerator(replace(model, card=replace(model.card, label_range=(0.25, 4.0))))
        labels = [(0.3,), (1.0,), (3.5,)]
    images = generator.generate(range(100, 130), np.array([label for label in labels for _ in range(10)], np.float32))
    estimates = estimate_labels(generator, images)
    groups = [estimates[first : first + 10] for first in (0, 10, 20)]
    if kind == "class":
        assert min(group.count(label) for group, label in zip(groups, labels, strict=True)) >= 8
    else:
        assert [np.median(np.array(group)) for group in groups] == pytest.approx([0.3, 1.0, 3.5], rel=0.4)


def test_images_for_a_model_without_labels_have_no_label() -> None:
    assert estimate_labels(LinearGenerator(None), np.zeros((2, 16, 16, 3), np.uint8)) == [None, None]


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"num_steps": 0}, "num_steps is 0"), ({"distance_weight": -1.0}, "distance weight is -1")],
)
def test_invalid_options_are_errors(options: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        ProjectionOptions(**options)
    with pytest.raises(ConfigError, match="tune_steps is 0"):
        TuningOptions(num_tuning_steps=0)
    with pytest.raises(ConfigError, match="a density and a sweep are both given"):
        edit_steps(LinearGenerator().card, DENSE, SweepRange(steps=4))

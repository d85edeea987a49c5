"""Labels and images of a training step: distributions, vicinities of densities, class balance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crowdgan_core.errors import ConfigError
from crowdgan_stylegan3.training.config.training_config import ConditioningConfig, Vicinity
from crowdgan_stylegan3.training.data.label_sampling import (
    BalancedClassSampler,
    LabelScale,
    VicinalSampler,
    check_conditioning,
    create_label_sampler,
    default_vicinity,
    describe_conditioning,
    largest_gap,
)
from crowdgan_stylegan3.training.data.labels import TrainingLabels
from tests.support.training import CLASS_LABELS

DENSITIES = np.geomspace(0.1, 6, 400, dtype=np.float32)
"""Densities that are logarithmic for the networks."""

UNLABELLED = TrainingLabels(vectors=np.zeros((4, 0), np.float32))
VECTORS = TrainingLabels(vectors=np.ones((4, 2), np.float32), kind="value")


def density_labels(densities: np.ndarray) -> TrainingLabels:
    return TrainingLabels(vectors=densities.astype(np.float32)[:, None], kind="value", unit="persons/m²")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scaled(densities: torch.Tensor) -> np.ndarray:
    """Densities on the logarithmic scale from 0 to 1 of `DENSITIES`."""
    return np.log(densities.numpy().ravel().astype(float) / DENSITIES[0]) / np.log(DENSITIES[-1] / DENSITIES[0])


@pytest.mark.parametrize("vicinity", ["hard", "soft"])
def test_images_come_from_the_vicinity_of_the_density_for_which_they_are_judged(vicinity: Vicinity) -> None:
    sampler = VicinalSampler(density_labels(DENSITIES), vicinity)
    assert sampler.half_width == pytest.approx(2 / 399, rel=1e-3)
    indices, targets = sampler.draw_images(4000, generator())
    distances = scaled(torch.from_numpy(DENSITIES[indices])) - scaled(targets)
    if vicinity == "hard":
        assert np.abs(distances).max() <= sampler.half_width * 1.01
        assert np.std(distances) == pytest.approx(sampler.half_width / np.sqrt(3), rel=0.2)
    else:
        assert np.std(distances) == pytest.approx(sampler.half_width / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize(("vicinity", "spread"), [("hard", 3**-0.5), ("soft", 2**-0.5)])
def test_generated_images_are_judged_for_a_density_near_to_their_own(vicinity: Vicinity, spread: float) -> None:
    sampler = VicinalSampler(density_labels(DENSITIES), vicinity)
    labels, judged = sampler.draw_label_pairs(20_000, generator())
    inner = (scaled(judged) > 0.1) & (scaled(judged) < 0.9)
    distances = (scaled(labels) - scaled(judged))[inner]
    assert np.std(distances) == pytest.approx(spread * sampler.half_width, rel=0.05)
    assert abs(distances.mean()) < 0.05 * sampler.half_width
    assert not torch.equal(labels, judged)


@pytest.mark.parametrize("num_micro_batches", [1, 2, 4])
def test_images_of_a_group_of_the_minibatch_standard_deviation_share_a_target(num_micro_batches: int) -> None:
    """D groups every n-th image of a micro-batch, which is every m-th image of the batch."""
    sampler = VicinalSampler(density_labels(DENSITIES), "hard", group_size=4)
    labels, judged = sampler.draw_label_pairs(16, generator())
    _, real_judged = sampler.draw_images(16, generator(1))
    for targets in (judged, real_judged, sampler.draw_labels(16, generator(2))):
        for number in range(num_micro_batches):
            grouped = targets[number::num_micro_batches].reshape(4, -1)
            assert torch.equal(grouped, grouped[:1].expand_as(grouped))
        assert len(targets.unique()) == 4
    assert len(labels.unique()) > 10


def test_targets_are_distinct_labels_with_noise_within_the_range_of_the_dataset() -> None:
    """Of 1,000 images 990 have the same density; the targets have it in a third of the cases."""
    densities = np.concatenate([np.full(990, 1.0), np.full(5, 2.0), np.full(5, 3.0)])
    sampler = VicinalSampler(density_labels(densities), "hard")
    targets = sampler.draw_labels(6000, generator()).numpy()
    assert targets.min() >= 1
    assert targets.max() <= 3
    assert np.mean(targets < 1.5) == pytest.approx(1 / 3, abs=0.03)
    assert np.mean(targets > 2.5) == pytest.approx(1 / 3, abs=0.03)
    assert sampler.noise_std == pytest.approx(1.06 * np.std((densities - 1) / 2) * 1000 ** (-1 / 5))
    assert 0.5 * sampler.noise_std < np.std(targets[targets < 1.5] - 1) < 2 * sampler.noise_std


def test_without_an_image_in_the_vicinity_the_nearest_one_is_shown() -> None:
    densities = np.array([*np.linspace(1, 1.1, 400), 5.0])
    sampler = VicinalSampler(density_labels(densities), "hard")
    indices, targets = sampler.draw_images(3000, generator())
    distances = np.abs(densities[indices] - targets.numpy().ravel())
    nearest = np.abs(densities - targets.numpy()).min(axis=1)
    far = nearest > sampler.half_width * np.ptp(densities)
    assert far.any()
    assert np.allclose(distances[far], nearest[far], atol=1e-6)


def test_equal_densities_can_be_drawn() -> None:
    indices, targets = VicinalSampler(density_labels(np.full(3, 2.0)), "soft").draw_images(30, generator())
    assert targets.unique().tolist() == [2]
    assert set(indices.tolist()) == {0, 1, 2}


def test_an_outlier_does_not_widen_the_vicinity() -> None:
    values = np.append(np.linspace(0, 1, 101), 100)
    assert largest_gap(np.linspace(0, 1, 101)) == pytest.approx(0.01)
    assert largest_gap(values) == pytest.approx(5 * 100 / 101)
    assert largest_gap(np.array([3.0])) == 1


@pytest.mark.parametrize("is_log", [False, True])
def test_a_scale_is_invertible(is_log: bool) -> None:
    values = np.array([0.5, 1.0, 20.0])
    scale = LabelScale.fit(values, is_log=is_log)
    unit = scale.to_unit(values)
    assert (unit[0], unit[-1]) == (0, 1)
    assert np.allclose(scale.from_unit(unit), values)


def test_balanced_classes_are_equally_frequent_and_all_images_are_shown() -> None:
    classes = np.array([0] * 90 + [2] * 10)
    sampler = BalancedClassSampler(np.eye(3, dtype=np.float32)[classes])
    indices, labels = sampler.draw_images(4000, generator())
    assert np.array_equal(labels.argmax(dim=1).numpy(), classes[indices])
    assert np.mean(classes[indices] == 2) == pytest.approx(0.5, abs=0.03)
    assert set(indices.tolist()) == set(range(100))
    assert sampler.draw_labels(4000, generator(1))[:, 2].mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("config", [{"vicinity": "hard"}, {"vicinity": "soft"}])
def test_draws_depend_only_on_the_generator(config: dict[str, Vicinity]) -> None:
    labels = density_labels(DENSITIES)
    first, second = (create_label_sampler(labels, ConditioningConfig(**config)) for _ in range(2))
    second.draw_images(10, generator(5))
    for one, other in zip(
        first.draw_images(8, generator(3)) or (), second.draw_images(8, generator(3)) or (), strict=True
    ):
        assert torch.equal(one, other)


def test_the_vicinity_is_hard_by_default_for_densities_only() -> None:
    assert default_vicinity(density_labels(DENSITIES)) == "hard"
    assert [default_vicinity(labels) for labels in (CLASS_LABELS, UNLABELLED, VECTORS)] == ["none"] * 3


def test_the_start_of_training_describes_the_conditioning() -> None:
    config = ConditioningConfig(vicinity="hard", transition_kimg=(10, 20))
    vicinity, transition = describe_conditioning(density_labels(DENSITIES), config)
    assert vicinity.startswith("vicinity of densities: hard, κ 0.005, noise 0.093 of their logarithmic range")
    assert transition.startswith("transition: unconditional until 10 kimg, fully conditional from 20 kimg")
    assert describe_conditioning(CLASS_LABELS, ConditioningConfig()) == []


@pytest.mark.parametrize(
    ("config", "labels", "found"),
    [
        (ConditioningConfig(vicinity="soft"), CLASS_LABELS, "--vicinity soft requires .* has classes"),
        (ConditioningConfig(vicinity="hard"), VECTORS, "--vicinity hard requires .* has vectors of 2 numbers"),
        (ConditioningConfig(balance_classes=True), density_labels(DENSITIES), "--balance requires classes"),
        (ConditioningConfig(transition_kimg=(0, 1)), UNLABELLED, "--transition requires labels"),
    ],
)
def test_labels_of_another_kind_are_rejected(config: ConditioningConfig, labels: TrainingLabels, found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        check_conditioning(config, labels)

"""The mode-collapse check."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.utils.arrays import ImageArray
from crowdgan_stylegan3.training.reporting.diversity import (
    DiversityMonitor,
    mean_class_distance,
    mean_pairwise_distance,
)


def flat_images(*levels: int, side: int = 32) -> ImageArray:
    return np.stack([np.full((side, side, 3), level, np.uint8) for level in levels])


def random_images(seed: int, count: int = 6) -> ImageArray:
    blocks = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3)).astype(np.uint8)
    return blocks.repeat(8, axis=1).repeat(8, axis=2)


def test_the_distance_of_flat_images_is_their_mean_difference() -> None:
    assert mean_pairwise_distance(flat_images(0, 255)) == pytest.approx(1)
    assert mean_pairwise_distance(flat_images(0, 51, 102)) == pytest.approx((0.2 + 0.2 + 0.4) / 3)
    assert mean_pairwise_distance(flat_images(7, 7, 7)) == 0
    assert mean_pairwise_distance(flat_images(7)) == mean_pairwise_distance(flat_images(7)[:0]) == 0


def test_texture_finer_than_the_thumbnails_is_ignored() -> None:
    pattern = np.indices((64, 64)).sum(axis=0) % 2 * 255
    checkerboards = np.stack([pattern, 255 - pattern])[..., None].repeat(3, axis=3).astype(np.uint8)
    assert mean_pairwise_distance(checkerboards) == pytest.approx(0, abs=1e-6)


def test_class_distance_compares_images_of_equal_seeds() -> None:
    assert mean_class_distance([flat_images(0, 100), flat_images(51, 151)]) == pytest.approx(0.2)
    assert mean_class_distance([flat_images(0, 100), flat_images(0, 100)]) == 0
    assert mean_class_distance([flat_images(0, 100)]) == 0


def test_a_diverse_model_has_no_warnings() -> None:
    monitor = DiversityMonitor(["sparse", "dense"], [random_images(0), random_images(1)])
    diversities = monitor.measure([random_images(2), random_images(3)])
    assert diversities.keys() == {"Collapse/spread/sparse", "Collapse/spread/dense", "Collapse/between_classes"}
    assert list(monitor.warnings(diversities)) == []


def test_a_collapsed_class_is_named() -> None:
    monitor = DiversityMonitor(["sparse", "dense"], [random_images(0), random_images(1)])
    (warning,) = monitor.warnings(monitor.measure([random_images(2), flat_images(*[9] * 6)]))
    assert warning.startswith(
        "possible mode collapse: generated images of the class dense are nearly identical (mean distance 0.000, in the"
    )


def test_identical_classes_are_reported() -> None:
    monitor = DiversityMonitor(["sparse", "dense"], [random_images(0), random_images(1)])
    (warning,) = monitor.warnings(monitor.measure([random_images(2), random_images(2)]))
    assert warning == "the class has almost no effect: images of a seed are nearly identical (mean distance 0.0000)"


def test_without_classes_all_images_are_compared() -> None:
    monitor = DiversityMonitor([], [random_images(0, 2), random_images(1, 2)])
    diversities = monitor.measure([flat_images(3, 3), flat_images(3, 3)])
    assert diversities == {"Collapse/spread/all": 0}
    assert [item.split(":")[0] for item in monitor.warnings(diversities)] == ["possible mode collapse"]


def test_a_class_without_images_is_not_a_collapse() -> None:
    monitor = DiversityMonitor(["sparse", "dense"], [random_images(0), random_images(1)[:0]])
    assert list(monitor.warnings(monitor.measure([random_images(2), random_images(3)]))) == []

"""The watch for collapse."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.utils.arrays import ImageArray
from crowdgan_stylegan3.training.reporting.diversity import DiversityMonitor, mean_pairwise_distance, spread_of_classes


def flat(*levels: int, side: int = 32) -> ImageArray:
    return np.stack([np.full((side, side, 3), level, np.uint8) for level in levels])


def noise(seed: int, count: int = 6) -> ImageArray:
    blocks = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3)).astype(np.uint8)
    return blocks.repeat(8, axis=1).repeat(8, axis=2)


def test_the_spread_of_flat_images_is_their_mean_difference() -> None:
    assert mean_pairwise_distance(flat(0, 255)) == pytest.approx(1)
    assert mean_pairwise_distance(flat(0, 51, 102)) == pytest.approx((0.2 + 0.2 + 0.4) / 3)
    assert mean_pairwise_distance(flat(7, 7, 7)) == 0
    assert mean_pairwise_distance(flat(7)) == mean_pairwise_distance(flat(7)[:0]) == 0


def test_texture_that_is_finer_than_the_copies_does_not_count() -> None:
    image = np.indices((64, 64)).sum(axis=0) % 2 * 255
    board = np.stack([image, 255 - image])[..., None].repeat(3, axis=3).astype(np.uint8)
    assert mean_pairwise_distance(board) == pytest.approx(0, abs=1e-6)


def test_the_spread_of_classes_compares_images_of_one_seed() -> None:
    assert spread_of_classes([flat(0, 100), flat(51, 151)]) == pytest.approx(0.2)
    assert spread_of_classes([flat(0, 100), flat(0, 100)]) == 0
    assert spread_of_classes([flat(0, 100)]) == 0


def test_a_healthy_model_gives_no_warning() -> None:
    watch = DiversityMonitor(["sparse", "dense"], [noise(0), noise(1)])
    measures = watch.measures([noise(2), noise(3)])
    assert measures.keys() == {"Collapse/spread/sparse", "Collapse/spread/dense", "Collapse/between_classes"}
    assert list(watch.warnings(measures)) == []


def test_a_class_that_has_collapsed_is_named() -> None:
    watch = DiversityMonitor(["sparse", "dense"], [noise(0), noise(1)])
    (warning,) = watch.warnings(watch.measures([noise(2), flat(*[9] * 6)]))
    assert warning.startswith("the images of the class dense are nearly all the same: they differ by 0.000, the data")


def test_classes_that_are_the_same_are_told() -> None:
    watch = DiversityMonitor(["sparse", "dense"], [noise(0), noise(1)])
    (warning,) = watch.warnings(watch.measures([noise(2), noise(2)]))
    assert warning == "all classes give nearly the same image for a seed: they differ by 0.0000"


def test_without_classes_all_images_are_one() -> None:
    watch = DiversityMonitor([], [noise(0, 2), noise(1, 2)])
    measures = watch.measures([flat(3, 3), flat(3, 3)])
    assert measures == {"Collapse/spread/all": 0}
    assert [item.split(":")[0] for item in watch.warnings(measures)] == ["the images are nearly all the same"]


def test_a_class_without_images_is_no_collapse() -> None:
    watch = DiversityMonitor(["sparse", "dense"], [noise(0), noise(1)[:0]])
    assert list(watch.warnings(watch.measures([noise(2), noise(3)]))) == []

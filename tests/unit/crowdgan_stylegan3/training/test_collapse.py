"""The watch for collapse."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.dataset import Pixels
from crowdgan_stylegan3.training.collapse import CollapseWatch, spread, spread_of_classes


def flat(*levels: int, side: int = 32) -> Pixels:
    return np.stack([np.full((side, side, 3), level, np.uint8) for level in levels])


def noise(seed: int, count: int = 6) -> Pixels:
    blocks = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3)).astype(np.uint8)
    return blocks.repeat(8, axis=1).repeat(8, axis=2)


def test_the_spread_of_flat_pictures_is_their_mean_difference() -> None:
    assert spread(flat(0, 255)) == pytest.approx(1)
    assert spread(flat(0, 51, 102)) == pytest.approx((0.2 + 0.2 + 0.4) / 3)
    assert spread(flat(7, 7, 7)) == 0
    assert spread(flat(7)) == spread(flat(7)[:0]) == 0


def test_texture_that_is_finer_than_the_copies_does_not_count() -> None:
    picture = np.indices((64, 64)).sum(axis=0) % 2 * 255
    board = np.stack([picture, 255 - picture])[..., None].repeat(3, axis=3).astype(np.uint8)
    assert spread(board) == pytest.approx(0, abs=1e-6)


def test_the_spread_of_classes_compares_pictures_of_one_seed() -> None:
    assert spread_of_classes([flat(0, 100), flat(51, 151)]) == pytest.approx(0.2)
    assert spread_of_classes([flat(0, 100), flat(0, 100)]) == 0
    assert spread_of_classes([flat(0, 100)]) == 0


def test_a_healthy_model_gives_no_warning() -> None:
    watch = CollapseWatch(["sparse", "dense"], [noise(0), noise(1)])
    measures = watch.measures([noise(2), noise(3)])
    assert measures.keys() == {"Collapse/spread/sparse", "Collapse/spread/dense", "Collapse/between_classes"}
    assert list(watch.warnings(measures)) == []


def test_a_class_that_has_collapsed_is_named() -> None:
    watch = CollapseWatch(["sparse", "dense"], [noise(0), noise(1)])
    (warning,) = watch.warnings(watch.measures([noise(2), flat(*[9] * 6)]))
    assert warning.startswith("the pictures of the class dense are nearly all the same: they differ by 0.000, the data")


def test_classes_that_are_the_same_are_told() -> None:
    watch = CollapseWatch(["sparse", "dense"], [noise(0), noise(1)])
    (warning,) = watch.warnings(watch.measures([noise(2), noise(2)]))
    assert warning == "all classes give nearly the same picture for a seed: they differ by 0.0000"


def test_without_classes_all_pictures_are_one() -> None:
    watch = CollapseWatch([], [noise(0, 2), noise(1, 2)])
    measures = watch.measures([flat(3, 3), flat(3, 3)])
    assert measures == {"Collapse/spread/all": 0}
    assert [item.split(":")[0] for item in watch.warnings(measures)] == ["the pictures are nearly all the same"]


def test_a_class_without_pictures_is_no_collapse() -> None:
    watch = CollapseWatch(["sparse", "dense"], [noise(0), noise(1)[:0]])
    assert list(watch.warnings(watch.measures([noise(2), noise(3)]))) == []

"""The density predictor `cnn`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch

from crowdgan_core.metrics.extractor import FeatureExtractor
from crowdgan_core.testing import check_density_predictor
from crowdgan_core.utils.arrays import FloatArray
from crowdgan_core.utils.progress import NullProgress
from crowdgan_stylegan3.metrics.cnn_predictor import CnnPredictor
from crowdgan_stylegan3.metrics.pixel_regression import MAX_SIDE_PX, reduce_images
from tests.support.fidelity import squares_image


class Images:
    """Images in memory, as an image set."""

    description = "squares"

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self._pixels = pixels
        self.size = pixels.shape[1:3]

    def __len__(self) -> int:
        return len(self._pixels)

    def batches(self, batch_size: int) -> Iterator[npt.NDArray[np.uint8]]:
        for start in range(0, len(self._pixels), batch_size):
            yield self._pixels[start : start + batch_size]

    def content_hash(self) -> None:
        return None


def no_extractor(name: str) -> FeatureExtractor:
    raise AssertionError(f"the predictor asked for the extractor {name}")


def squares(num_images: int, seed: int = 0) -> tuple[npt.NDArray[np.uint8], FloatArray]:
    """Images of 16x16 pixels with squares, and the logarithm of their number."""
    counts = 1 + np.arange(num_images) % 16
    pixels = np.stack([squares_image(int(count), seed * 1000 + index) for index, count in enumerate(counts)])
    return pixels[:, ::2, ::2], np.log(counts)


def fit(num_images: int = 64, seed: int = 0) -> CnnPredictor:
    pixels, targets = squares(num_images)
    return CnnPredictor.fit(
        Images(pixels), targets, load_extractor=no_extractor, seed=seed, device="cpu", progress=NullProgress()
    )


@pytest.fixture(scope="module")
def predictor() -> CnnPredictor:
    return fit()


def test_it_predicts_new_images(predictor: CnnPredictor) -> None:
    pixels, targets = squares(48, seed=1)
    assert np.corrcoef(predictor.predict(pixels), targets)[0, 1] > 0.8


def test_it_predicts_the_same_for_mirror_images_and_in_every_batch(predictor: CnnPredictor) -> None:
    pixels, _ = squares(10, seed=1)
    expected = predictor.predict(pixels)
    assert predictor.predict(pixels[:, :, ::-1].copy()) == pytest.approx(expected, abs=1e-5)
    assert np.concatenate([predictor.predict(pixels[:3]), predictor.predict(pixels[3:])]) == pytest.approx(
        expected, abs=1e-5
    )


def test_training_is_repeatable_and_does_not_change_the_global_random_state() -> None:
    pixels, _ = squares(4, seed=1)
    state = torch.random.get_rng_state()
    first = fit(10).predict(pixels)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(1)
    assert np.array_equal(fit(10).predict(pixels), first)
    assert not np.array_equal(fit(10, seed=1).predict(pixels), first)


def test_large_images_are_reduced_and_small_ones_are_not() -> None:
    device = torch.device("cpu")
    assert reduce_images(np.zeros((2, 100, 200, 3), np.uint8), device).shape == (2, 3, MAX_SIDE_PX // 2, MAX_SIDE_PX)
    assert reduce_images(np.full((2, 20, 30, 3), 255, np.uint8), device).unique().tolist() == [1.0]


def test_equal_targets_give_finite_predictions() -> None:
    pixels, _ = squares(8)
    predictor = CnnPredictor.fit(
        Images(pixels), np.full(8, 2.0), load_extractor=no_extractor, seed=0, device="cpu", progress=NullProgress()
    )
    assert np.isfinite(predictor.predict(pixels)).all()


@pytest.mark.slow
def test_it_fulfils_the_contract() -> None:
    check_density_predictor(CnnPredictor)

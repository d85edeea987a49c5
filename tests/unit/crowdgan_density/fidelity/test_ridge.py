"""Ridge regression and its leave-one-out errors."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_density.fidelity import ridge_predictor
from crowdgan_density.fidelity.ridge import RELATIVE_PENALTIES, fit_ridge


def example(num_samples: int = 40, num_features: int = 6, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(num_samples, num_features))
    return features, features @ rng.normal(size=num_features) + 5 + noise * rng.normal(size=num_samples)


@pytest.mark.parametrize("num_features", [6, 80], ids=["fewer features", "more features than samples"])
def test_leave_one_out_predictions_equal_those_of_refitted_regressions(num_features: int) -> None:
    features, targets = example(num_features=num_features)
    model = fit_ridge(features, targets)
    x = (features - model.mean) / model.scale
    for index in range(len(x)):
        others = np.arange(len(x)) != index
        mean, target_mean = x[others].mean(axis=0), targets[others].mean()
        centred = x[others] - mean
        system = centred.T @ centred + model.penalty * np.eye(num_features)
        weights = np.linalg.solve(system, centred.T @ (targets[others] - target_mean))
        assert model.leave_one_out[index] == pytest.approx((x[index] - mean) @ weights + target_mean, abs=1e-6)


def test_the_penalty_has_the_smallest_leave_one_out_error() -> None:
    features, targets = example(num_features=80, noise=2.0)
    model = fit_ridge(features, targets)
    errors = np.mean((model.leave_one_out - targets) ** 2)
    assert errors < np.var(targets)
    assert RELATIVE_PENALTIES[0] < model.penalty


def test_constant_features_do_not_change_the_prediction() -> None:
    features, targets = example()
    padded = np.column_stack([features, np.full(len(features), 7.0)])
    expected = fit_ridge(features, targets).predict(features)
    assert fit_ridge(padded, targets).predict(padded) == pytest.approx(expected)


def test_large_images_are_divided_into_tiles_that_cover_them() -> None:
    images = np.arange(2 * 200 * 301 * 3, dtype=np.uint32).astype(np.uint8).reshape(2, 200, 301, 3)
    tiles = ridge_predictor.tile_images(images)
    assert len(tiles) == 6
    rows = [np.concatenate(tiles[start : start + 3], axis=2) for start in (0, 3)]
    assert np.array_equal(np.concatenate(rows, axis=1), images)


def test_small_images_are_not_divided() -> None:
    images = np.zeros((2, 64, 300, 3), np.uint8)
    assert [tile.shape for tile in ridge_predictor.tile_images(images)] == [images.shape]

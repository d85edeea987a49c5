"""Precision, recall, density and coverage: recorded values, direct computation with duplicates, known answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics import density_coverage, feature_arrays, precision_recall
from tests.support.recorded_values import load_arrays, load_json

Array = npt.NDArray[Any]


def random_features(num_images: int, num_features: int, seed: int, scale: float = 1.0, mean: float = 0.0) -> Array:
    samples = np.random.default_rng(seed).standard_normal((num_images, num_features))
    return (samples * scale + mean).astype(np.float32)


def direct_membership(balls: Array, points: Array, k: int) -> Array:
    """Whether the ball of each image contains each point, `[num_balls, num_points]`, in float64."""
    centres, others = balls.astype(np.float64), points.astype(np.float64)
    own_distances = ((centres[:, None] - centres) ** 2).sum(axis=2)
    np.fill_diagonal(own_distances, np.inf)
    squared_radii = np.sort(own_distances, axis=1)[:, k - 1]
    distances = ((centres[:, None] - others) ** 2).sum(axis=2)
    return distances <= squared_radii[:, None]


def direct_precision_recall(real: Array, generated: Array, k: int) -> tuple[float, float]:
    precision = direct_membership(real, generated, k).any(axis=0).mean()
    return float(precision), float(direct_membership(generated, real, k).any(axis=0).mean())


def direct_density_coverage(real: Array, generated: Array, k: int) -> tuple[float, float]:
    inside = direct_membership(real, generated, k)
    return float(inside.sum() / (k * len(generated))), float(inside.any(axis=1).mean())


@pytest.mark.parametrize("name", ["small", "wide", "same"])
def test_precision_and_recall_equal_recorded_values(name: str) -> None:
    recorded, arrays = load_json("metrics/metrics")[name], load_arrays(f"metrics/features_{name}")
    result = precision_recall(arrays["real"], arrays["fake"])
    expected = recorded["precision_float16"], recorded["recall_float16"]  # distances rounded to float16
    assert result == pytest.approx(expected, abs=0.005)


def continuous_sets() -> tuple[Array, Array]:
    return random_features(90, 12, 1), random_features(70, 12, 2, scale=0.9, mean=0.2)


def sets_with_duplicates() -> tuple[Array, Array]:
    """Small integers: many duplicates in and between the sets, and many images exactly at the radius of a ball."""
    rng = np.random.default_rng(3)
    return rng.integers(0, 3, (90, 4)).astype(np.float32), rng.integers(0, 4, (70, 4)).astype(np.float32)


@pytest.mark.parametrize("sets", [continuous_sets, sets_with_duplicates])
@pytest.mark.parametrize("k", [1, 3, 5, 69])
@pytest.mark.parametrize("block_rows", [16, 2048])
def test_values_equal_those_of_complete_distance_matrices(
    monkeypatch: pytest.MonkeyPatch, sets: Callable[[], tuple[Array, Array]], k: int, block_rows: int
) -> None:
    monkeypatch.setattr(feature_arrays, "BLOCK_ROWS", block_rows)
    real, generated = sets()
    assert precision_recall(real, generated, k) == pytest.approx(direct_precision_recall(real, generated, k))
    assert density_coverage(real, generated, k) == pytest.approx(direct_density_coverage(real, generated, k))


def test_values_do_not_depend_on_the_order_and_the_position_of_images() -> None:
    real, generated = continuous_sets()
    order = np.random.default_rng(4).permutation(len(real))
    for function in (precision_recall, density_coverage):
        expected = function(real, generated)
        assert function(real[order], generated[::-1]) == expected
        assert function(real + 1000.0, generated + 1000.0) == pytest.approx(expected, abs=0.02)  # rounded features
        assert function(4 * real, 4 * generated) == expected


def test_precision_and_recall_are_exchanged_with_the_sets() -> None:
    real, generated = continuous_sets()
    assert precision_recall(real, generated) == precision_recall(generated, real)[::-1]


@pytest.mark.parametrize("num_copies", [1, 4])
def test_equal_sets_score_1_with_and_without_duplicates(num_copies: int) -> None:
    features = np.repeat(random_features(50, 200, 1, mean=30.0), num_copies, axis=0)
    k = 3
    assert precision_recall(features, features[::-1], k) == (1, 1)
    density, coverage = density_coverage(features, features[::-1], k)
    assert coverage == 1
    assert density == pytest.approx((k + 1) / k), "each ball contains its centre and k neighbours"


def test_fewer_modes_reduce_recall_and_noise_reduces_precision() -> None:
    real = random_features(400, 8, 1)
    narrow, noisy = random_features(400, 8, 2, scale=0.3), random_features(400, 8, 3, scale=4.0)
    assert precision_recall(real, narrow).precision > 0.95 > 0.3 > precision_recall(real, narrow).recall
    assert precision_recall(real, noisy).precision < 0.1 < 0.9 < precision_recall(real, noisy).recall
    assert density_coverage(real, narrow).density > 1 > density_coverage(real, noisy).density
    assert density_coverage(real, narrow).coverage < density_coverage(real, random_features(400, 8, 4)).coverage


def test_equal_distributions_have_a_density_of_about_1() -> None:
    density, coverage = density_coverage(random_features(1000, 8, 1), random_features(1000, 8, 2))
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(1 - 2.0**-5, abs=0.02), "expectation for equal numbers of images"


@pytest.mark.parametrize(
    ("function", "k"),
    [(precision_recall, 3), (density_coverage, 5)],
)
def test_invalid_inputs_are_refused(function: Callable[..., object], k: int) -> None:
    features = random_features(20, 4, 1)
    few = f"generated features: number of images is {k}; at least {k + 1} are needed"
    with pytest.raises(ConfigError, match=f"^{few}$"):
        function(features, features[:k])
    with pytest.raises(ConfigError, match="^k is 0; it must be at least 1$"):
        function(features, features, k=0)
    with pytest.raises(ConfigError, match="^real images have 4 features and generated images 3"):
        function(features, features[:, :3])
    with pytest.raises(ConfigError, match="^generated features: row 0, column 0 is nan"):
        function(features, np.full_like(features, np.nan))

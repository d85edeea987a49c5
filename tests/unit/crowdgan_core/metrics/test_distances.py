"""Fréchet and kernel distances: recorded values, direct formulas, statistics in batches, standard errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_core.metrics import FeatureStatistics, distances, feature_arrays, frechet_distance, kernel_distance
from tests.support.recorded_values import load_arrays, load_json

Array = npt.NDArray[Any]


def recorded_features(name: str) -> tuple[Array, Array, dict[str, float]]:
    """Real features, generated features and the recorded values of a set."""
    arrays = load_arrays(f"metrics/features_{name}")
    return arrays["real"], arrays["fake"], load_json("metrics/metrics")[name]


def random_features(num_images: int, num_features: int, seed: int, mean: float = 0.0) -> Array:
    """Correlated features of normal distribution, float32."""
    mixing = np.random.default_rng(0).standard_normal((num_features, num_features)) / np.sqrt(num_features)
    samples = np.random.default_rng([1, seed]).standard_normal((num_images, num_features))
    return (samples @ mixing + mean).astype(np.float32)


def direct_frechet_distance(real: Array, generated: Array) -> float:
    """The formula with covariances and the eigenvalues of their product."""
    first, second = real.astype(np.float64), generated.astype(np.float64)
    covariances = [np.cov(features, rowvar=False, bias=True) for features in (first, second)]
    eigenvalues = np.linalg.eigvals(covariances[0] @ covariances[1]).real
    traces = sum(np.trace(covariance) for covariance in covariances)
    mean_term = np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2)
    return float(mean_term + traces - 2 * np.sqrt(np.maximum(eigenvalues, 0)).sum())


def direct_kernel_distance(real: Array, generated: Array) -> float:
    """The unbiased estimate on all images, with complete kernel matrices in float64."""
    first, second = real.astype(np.float64), generated.astype(np.float64)

    def mean_kernel(x: Array, y: Array, *, without_diagonal: bool) -> float:
        kernel = (x @ y.T / x.shape[1] + 1) ** 3
        if without_diagonal:
            return float((kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1)))
        return float(kernel.mean())

    within = mean_kernel(first, first, without_diagonal=True) + mean_kernel(second, second, without_diagonal=True)
    return within - 2 * mean_kernel(first, second, without_diagonal=False)


@pytest.mark.parametrize("name", ["small", "wide", "same"])
def test_frechet_distances_equal_recorded_values(name: str) -> None:
    real, generated, recorded = recorded_features(name)
    expected = pytest.approx(recorded["fid"], rel=1e-4, abs=1e-6)
    assert frechet_distance(real, generated) == expected
    statistics = [FeatureStatistics.from_features(features) for features in (real, generated)]
    assert frechet_distance(*statistics) == expected


def test_the_kernel_distance_equals_a_recorded_value() -> None:
    real, generated, recorded = recorded_features("same")
    result = kernel_distance(real, generated, num_subsets=1, subset_size=10_000)
    assert float(result) == result.mean == pytest.approx(recorded["kid_all_in_one_subset"], rel=1e-4)


@pytest.mark.parametrize("name", ["small", "wide"])
def test_recorded_kernel_distances_of_random_subsets_are_in_the_distribution(name: str) -> None:
    # The sets have different sizes. The recorded values are those of random subsets of the larger one.
    real, generated, recorded = recorded_features(name)
    values = [
        kernel_distance(real, generated, num_subsets=1, subset_size=10_000, seed=seed).mean for seed in range(300)
    ]
    assert recorded["kid_all_in_one_subset"] == pytest.approx(np.mean(values), abs=3 * np.std(values))
    assert np.mean(values) == pytest.approx(direct_kernel_distance(real, generated), rel=0.01)


@pytest.mark.parametrize("num_images", [(200, 300), (20, 300), (300, 20), (20, 30)])
def test_frechet_distance_equals_the_direct_formula(num_images: tuple[int, int]) -> None:
    real, generated = random_features(num_images[0], 40, 1), random_features(num_images[1], 40, 2, mean=0.1)
    assert frechet_distance(real, generated) == pytest.approx(direct_frechet_distance(real, generated), rel=1e-5)


@pytest.mark.parametrize("num_images", [20, 1000])
def test_frechet_distance_of_equal_sets_is_0_with_constant_and_repeated_features(num_images: int) -> None:
    features = 100 * random_features(num_images, 40, 1)
    features[:, 10:20] = 7.0
    features[:, 20:40] = features[:, :20]
    assert abs(frechet_distance(features, features[::-1])) < 1e-6
    assert abs(frechet_distance(features, FeatureStatistics.from_features(features[::-1]))) < 1e-6


def test_frechet_distance_of_normal_distributions_has_the_known_value() -> None:
    rng = np.random.default_rng(0)
    real = rng.standard_normal((200_000, 3)) * [1, 2, 3]
    generated = rng.standard_normal((200_000, 3)) * [2, 2, 1] + [1, 0, 0]
    assert frechet_distance(real, generated) == pytest.approx(1 + 1 + 0 + 4, rel=0.02)


def test_distances_do_not_depend_on_the_order_of_images_and_sets() -> None:
    real, generated = random_features(150, 20, 1), random_features(150, 20, 2, mean=0.2)
    order = np.random.default_rng(3).permutation(150)
    assert frechet_distance(real[order], generated) == pytest.approx(frechet_distance(real, generated), rel=1e-9)
    assert frechet_distance(generated, real) == pytest.approx(frechet_distance(real, generated), rel=1e-9)
    expected = kernel_distance(real, generated)
    assert kernel_distance(real[order], generated[order]) == pytest.approx(expected, rel=1e-4)
    assert kernel_distance(generated, real) == pytest.approx(expected, rel=1e-4)


def test_statistics_of_batches_equal_those_of_all_features() -> None:
    features = random_features(1000, 30, 1, mean=1e4)  # a large mean relative to the standard deviation
    statistics = FeatureStatistics(30)
    for start, stop in [(0, 1), (1, 8), (8, 8), (8, 700), (700, 1000)]:
        statistics.update(features[start:stop])
    exact = features.astype(np.float64)
    assert statistics.count == 1000
    np.testing.assert_allclose(statistics.mean, exact.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(statistics.covariance, np.cov(exact, rowvar=False, bias=True), atol=1e-11)


def test_results_do_not_depend_on_the_size_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    real, generated = random_features(100, 20, 1), random_features(130, 20, 2, mean=0.2)
    expected = frechet_distance(real, generated), kernel_distance(real, generated)
    monkeypatch.setattr(feature_arrays, "BLOCK_ROWS", 16)
    monkeypatch.setattr(distances, "KERNEL_BLOCK_ROWS", 16)
    assert frechet_distance(real, generated) == pytest.approx(expected[0], rel=1e-9)
    assert kernel_distance(real, generated) == pytest.approx(expected[1], rel=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernel_distance_of_all_images_equals_the_direct_formula(dtype: type) -> None:
    real, generated = random_features(120, 40, 1).astype(dtype), random_features(120, 40, 2, mean=0.1).astype(dtype)
    result = kernel_distance(real, generated)
    assert result.mean == pytest.approx(direct_kernel_distance(real, generated), rel=1e-4)
    assert result == kernel_distance(real, generated, seed=1), "all subsets contain all images"


def test_kernel_distance_is_repeatable_and_depends_on_the_seed() -> None:
    real, generated = random_features(120, 10, 1), random_features(120, 10, 2)
    results = [kernel_distance(real, generated, num_subsets=3, subset_size=40, seed=seed) for seed in (0, 0, 1)]
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("num_images", [(100, 100), (150, 600)])
def test_kernel_distance_of_equal_distributions_is_0_within_its_standard_error(num_images: tuple[int, int]) -> None:
    results = [
        kernel_distance(
            random_features(num_images[0], 20, seed, mean=0.5),
            random_features(num_images[1], 20, 1000 + seed, mean=0.5),
            num_subsets=5,
            subset_size=100,
        )
        for seed in range(100)
    ]
    scores = np.array([result.mean / result.standard_error for result in results])
    assert np.mean(np.abs(scores) < 2) >= 0.95
    assert abs(scores.mean()) < 0.3, "the estimate is unbiased"
    assert 0.4 < scores.std() < 1.1, "the standard error is overestimated by at most about √2"


@pytest.mark.parametrize("subset_size", [50, 150])
def test_the_standard_error_is_the_deviation_between_samples(subset_size: int) -> None:
    results = np.array(
        [
            kernel_distance(
                random_features(150, 20, seed),
                random_features(300, 20, 1000 + seed, mean=0.4),
                num_subsets=10,
                subset_size=subset_size,
            )
            for seed in range(150)
        ]
    )
    assert results[:, 1].mean() == pytest.approx(results[:, 0].std(), rel=0.25)


def test_inputs_stay_unchanged_and_may_be_lists_of_integers() -> None:
    real, generated = random_features(30, 5, 1), random_features(30, 5, 2)
    copies = real.copy(), generated.copy()
    frechet_distance(real, generated), kernel_distance(real, generated)
    np.testing.assert_array_equal((real, generated), copies)
    assert frechet_distance([[0, 1], [2, 3]], [[1, 1], [3, 3]]) == pytest.approx(1)


def with_value(value: float) -> Array:
    features = random_features(20, 4, 1)
    features[17, 2] = value
    return features


GOOD = random_features(20, 4, 2)

BAD_FEATURES: list[tuple[Any, str]] = [
    (with_value(np.nan), "real features: row 17, column 2 is nan; values must be finite, between -1e+15 and 1e+15"),
    (with_value(-np.inf), "real features: row 17, column 2 is -inf; values must be finite, between -1e+15 and 1e+15"),
    (with_value(1e20), "real features: row 17, column 2 is 1.0000000200408773e+20; values must be finite, between"),
    (GOOD[:1], "real features: number of images is 1; at least 2 are needed"),
    (GOOD[:0], "real features: number of images is 0; at least 2 are needed"),
    (GOOD[:, :0], "real features: 0 features per image; at least 1 is needed"),
    (GOOD[0], "real features: shape [4]; it must be [num_images, num_features]"),
    (GOOD[None], "real features: shape [1, 20, 4]; it must be [num_images, num_features]"),
    (GOOD[:, :3], "real images have 3 features and generated images 4; both must come from the same feature extractor"),
    (GOOD.astype(complex), "real features: type is complex128; it must be a type of real numbers such as float32"),
    ([["a", "b"]], "real features: type is <U1; it must be a type of real numbers such as float32"),
    ([[1.0], [1.0, 2.0]], "real features: rows of different lengths; it must be [num_images, num_features]"),
]


@pytest.mark.parametrize("function", [frechet_distance, kernel_distance])
@pytest.mark.parametrize(("features", "message"), BAD_FEATURES)
def test_invalid_features_are_refused(function: Callable[[Any, Any], object], features: Any, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        function(features, GOOD)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"num_subsets": 0}, "num_subsets is 0; it must be at least 1"),
        ({"subset_size": 1}, "subset_size is 1; it must be at least 2"),
        ({"seed": -1}, "seed is -1; it must be at least 0"),
    ],
)
def test_invalid_parameters_of_the_kernel_distance_are_refused(parameters: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        kernel_distance(GOOD, GOOD, **parameters)


def test_invalid_statistics_are_refused() -> None:
    statistics = FeatureStatistics(4)
    statistics.update(GOOD[:1])
    with pytest.raises(ConfigError, match="^generated features: number of images is 1; at least 2 are needed$"):
        frechet_distance(GOOD, statistics)
    with pytest.raises(ConfigError, match="^features: 3 per image; earlier batches have 4$"):
        statistics.update(GOOD[:, :3])
    with pytest.raises(ConfigError, match="^features: row 17, column 2 is nan"):
        statistics.update(with_value(np.nan))
    assert statistics.count == 1, "unchanged"
    with pytest.raises(ConfigError, match="^num_features is 0; it must be at least 1$"):
        FeatureStatistics(0)

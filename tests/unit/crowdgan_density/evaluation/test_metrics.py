"""Metrics of density estimates against ground truth: expected values computed by hand or by scipy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import spearmanr

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.testing import example_scene
from crowdgan_density.cli.evaluate import scenes_without_ground_truth
from crowdgan_density.evaluation.metrics import (
    EvaluationResult,
    class_distance,
    evaluate,
    evaluate_estimates,
    is_per_m2,
    relative_errors,
    spearman,
)
from crowdgan_density.level_of_service_scales import LEVEL_OF_SERVICE_SCALES, parse_scale

SCALE = parse_scale("1,2,3")


def example_estimate(
    value: float, interval: tuple[float, float] | None = None, unit: str = "persons/m²"
) -> DensityEstimate:
    return DensityEstimate(value=value, unit=unit, class_index=0, interval=interval)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
def test_spearman_is_the_correlation_of_ranks(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    values, ground_truth = rng.normal(size=(2, 40))
    if ties:
        values, ground_truth = values.round(), ground_truth.round()
    assert spearman(values, ground_truth) == pytest.approx(
        np.corrcoef(mean_ranks(values), mean_ranks(ground_truth))[0, 1]
    )


def mean_ranks(values: np.ndarray) -> list[float]:
    """Ranks from 1; equal values have the mean of their ranks."""
    return [np.count_nonzero(values < value) + (np.count_nonzero(values == value) + 1) / 2 for value in values]


def test_spearman_does_not_depend_on_the_unit() -> None:
    values = np.array([1.0, 2.0, 5.0])
    assert spearman(values, np.exp(values)) == pytest.approx(1.0)
    assert spearman(values, -values) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("values", "ground_truth"),
    [
        ([], []),
        ([1.0], [2.0]),
        ([1.0, 1.0], [2.0, 3.0]),
        ([1, 2], [3, 3]),
        ([1, 2], [3, 4]),
        ([1, 1, 1], [2, 3, 4]),
        ([2, 3, 4], [1, 1, 1]),
    ],
)
def test_spearman_of_fewer_than_3_values_or_constant_input_is_none(
    values: list[float], ground_truth: list[float]
) -> None:
    assert spearman(np.array(values, float), np.array(ground_truth, float)) is None


def test_relative_errors_skip_images_without_people() -> None:
    errors = relative_errors(np.array([1.5, 1.0, 3.0]), np.array([1.0, 2.0, 0.0]))
    np.testing.assert_allclose(errors, [0.5, 0.5])


def test_class_distance_counts_the_boundaries_between_classes() -> None:
    distances = class_distance(
        np.array([0.1, 0.1, 5.0, 1.0]), np.array([0.2, 0.6, 0.1, 1.0]), LEVEL_OF_SERVICE_SCALES["fruin-walkway"]
    )
    assert distances.tolist() == [0, 2, 5, 0]


def test_metrics_are_computed_over_the_estimated_images() -> None:
    estimates = [
        example_estimate(0.5, (0.4, 0.6)),
        example_estimate(1.5, (1.2, 1.8)),
        example_estimate(3.3, (3.0, 3.6)),
        example_estimate(9.0, (3.0, 27.0)),
        DensityEstimate.unknown("persons/m²", "the image is dark"),
        DensityEstimate.unknown("persons/m²", "no people"),
        DensityEstimate.unknown("persons/m²", "the image is dark"),
    ]
    result = evaluate_estimates(estimates, [0.5, 1.0, 3.0, 0.9, 1.0, 0.0, 2.0], SCALE)
    assert result == EvaluationResult(
        images=7,
        num_estimated=4,
        spearman=pytest.approx(spearmanr([0.5, 1.5, 3.3, 9.0], [0.5, 1.0, 3.0, 0.9]).statistic),
        median_error=pytest.approx(0.3),
        high_error=pytest.approx(np.quantile([0, 0.5, 0.1, 9], 0.9)),
        class_accuracy=0.25,
        within_one_class=0.75,
        coverage=0.5,
        interval_ratio=1.5,
        reasons={"the image is dark": 2, "no people": 1},
    )


def test_estimates_in_other_units_have_only_a_rank_correlation() -> None:
    estimates = [
        example_estimate(10, unit="persons"),
        example_estimate(20, unit="persons"),
        example_estimate(30, (20, 40), unit="persons"),
    ]
    result = evaluate_estimates(estimates, [0.5, 0.7, 1.0], SCALE)
    undefined = dict.fromkeys(
        ("median_error", "high_error", "class_accuracy", "within_one_class", "coverage", "interval_ratio")
    )
    assert result == EvaluationResult(images=3, num_estimated=3, spearman=pytest.approx(1.0), reasons={}, **undefined)


def test_metrics_of_unknown_densities_are_none() -> None:
    result = evaluate_estimates([DensityEstimate.unknown("persons/m²", "no people")], [0.5], SCALE)
    assert (result.num_estimated, result.spearman, result.median_error, result.coverage) == (0, None, None, None)
    assert result.reasons == {"no people": 1}


def test_units_of_persons_per_square_metre_are_recognised() -> None:
    units = ("persons/m²", "persons/m² of the image plane", "persons", "persons/m²·s")
    assert [is_per_m2(unit) for unit in units] == [True, True, False, False]


def test_the_repr_of_a_result_is_one_line() -> None:
    result = evaluate_estimates([example_estimate(value) for value in (0.5, 1.2, 2.4)], [0.5, 1.0, 2.0], SCALE)
    assert repr(result) == "EvaluationResult(spearman 1.000, median error 20.0 %, 3 of 3 images estimated)"
    unknown = evaluate_estimates([DensityEstimate.unknown("persons", "no people")], [0.5], SCALE)
    assert repr(unknown) == "EvaluationResult(spearman unknown, 0 of 1 images estimated)"


@dataclass(frozen=True, kw_only=True)
class RelativeCountEstimator(DensityEstimator):
    """Person count divided by the maximum count of the dataset."""

    name: ClassVar[str] = "relative"
    unit: ClassVar[str] = "persons/m²"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")
    count_max: int = 0

    def fit(self, scenes: list[Scene]) -> DensityEstimator:  # type: ignore[override]
        return replace(self, count_max=max(len(scene) for scene in scenes))

    def estimate(self, scene: Scene) -> DensityEstimate:
        return DensityEstimate(value=len(scene) / self.count_max, unit=self.unit, class_index=0)


def test_estimators_are_fitted_to_all_scenes_and_compared_on_those_with_ground_truth() -> None:
    scenes = [example_scene(count) for count in (2, 5, 20)]
    results = evaluate([RelativeCountEstimator()], scenes, {"example-2": 0.2, "example-5": 0.5, "other": 1.0}, "1,2,3")
    assert list(results) == ["relative"]
    assert (results["relative"].num_estimated, results["relative"].median_error) == (2, pytest.approx(0.5))


def test_names_of_ground_truth_may_differ_in_bytes_from_those_of_the_source() -> None:
    scenes = [replace(example_scene(count), source_name=f"Images/cafe\u0301 {count}") for count in (2, 5)]
    ground_truth = {"Images\\caf\u00e9 2": 0.2, "./Images/caf\u00e9 5": 0.5}
    assert evaluate([RelativeCountEstimator()], scenes, ground_truth, "1,2,3")["relative"].num_estimated == 2
    assert scenes_without_ground_truth(scenes, ground_truth, Path("truth.json")) == {}


def test_evaluating_on_an_unknown_scale_is_an_error() -> None:
    with pytest.raises(ConfigError, match="^no such scale fruin; choose from"):
        evaluate([RelativeCountEstimator()], [example_scene(2)], {"example-2": 0.2}, "fruin")

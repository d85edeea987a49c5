"""How well estimates agree with the truth: each number by hand, and the ranks by scipy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import spearmanr

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.testing import example_scene
from crowdgan_density.evaluation.metrics import (
    EvaluationResult,
    class_steps,
    evaluate,
    evaluate_all,
    is_per_m2,
    rank_correlation,
    relative_errors,
)
from crowdgan_density.level_of_service import LEVEL_OF_SERVICE_SCALES, parse_scale

SCALE = parse_scale("1,2,3")


def told(value: float, interval: tuple[float, float] | None = None, unit: str = "persons/m²") -> DensityEstimate:
    return DensityEstimate(value=value, unit=unit, class_index=0, interval=interval)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
def test_the_rank_correlation_is_scipys(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    values, truth = rng.normal(size=(2, 40))
    if ties:
        values, truth = values.round(), truth.round()
    assert rank_correlation(values, truth) == pytest.approx(spearmanr(values, truth).statistic)


def test_the_rank_correlation_does_not_mind_the_unit() -> None:
    values = np.array([1.0, 2.0, 5.0])
    assert rank_correlation(values, np.exp(values)) == pytest.approx(1.0)
    assert rank_correlation(values, -values) == pytest.approx(-1.0)


@pytest.mark.parametrize(("values", "truth"), [([], []), ([1.0], [2.0]), ([1.0, 1.0], [2.0, 3.0]), ([1, 2], [3, 3])])
def test_there_is_no_rank_correlation_without_an_order(values: list[float], truth: list[float]) -> None:
    assert rank_correlation(np.array(values, float), np.array(truth, float)) is None


def test_relative_errors_are_of_images_with_people() -> None:
    errors = relative_errors(np.array([1.5, 1.0, 3.0]), np.array([1.0, 2.0, 0.0]))
    np.testing.assert_allclose(errors, [0.5, 0.5])


def test_class_steps_count_the_classes_between() -> None:
    steps = class_steps(
        np.array([0.1, 0.1, 5.0, 1.0]), np.array([0.2, 0.6, 0.1, 1.0]), LEVEL_OF_SERVICE_SCALES["fruin-walkway"]
    )
    assert steps.tolist() == [0, 2, 5, 0]


def test_every_number_is_told_of_the_images_that_are_told() -> None:
    densities = [
        told(0.5, (0.4, 0.6)),
        told(1.5, (1.2, 1.8)),
        told(3.3, (3.0, 3.6)),
        told(9.0, (3.0, 27.0)),
        DensityEstimate.unknown("persons/m²", "it is dark"),
        DensityEstimate.unknown("persons/m²", "nobody"),
        DensityEstimate.unknown("persons/m²", "it is dark"),
    ]
    found = evaluate(densities, [0.5, 1.0, 3.0, 0.9, 1.0, 0.0, 2.0], SCALE)
    assert found == EvaluationResult(
        images=7,
        told=4,
        rank_correlation=pytest.approx(spearmanr([0.5, 1.5, 3.3, 9.0], [0.5, 1.0, 3.0, 0.9]).statistic),
        median_error=pytest.approx(0.3),
        high_error=pytest.approx(np.quantile([0, 0.5, 0.1, 9], 0.9)),
        exact_class=0.25,
        within_one_class=0.75,
        coverage=0.5,
        interval_ratio=1.5,
        reasons={"it is dark": 2, "nobody": 1},
    )


def test_another_unit_is_compared_by_ranks_alone() -> None:
    found = evaluate([told(10, unit="persons"), told(30, (20, 40), unit="persons")], [0.5, 1.0], SCALE)
    nothing = dict.fromkeys(
        ("median_error", "high_error", "exact_class", "within_one_class", "coverage", "interval_ratio")
    )
    assert found == EvaluationResult(images=2, told=2, rank_correlation=pytest.approx(1.0), reasons={}, **nothing)


def test_nothing_told_is_no_number() -> None:
    found = evaluate([DensityEstimate.unknown("persons/m²", "nobody")], [0.5], SCALE)
    assert (found.told, found.rank_correlation, found.median_error, found.coverage) == (0, None, None, None)
    assert found.reasons == {"nobody": 1}


def test_units_that_count_persons_per_square_metre_are_known() -> None:
    units = ("persons/m²", "persons/m² of the image plane", "persons", "persons/m²·s")
    assert [is_per_m2(unit) for unit in units] == [True, True, False, False]


@dataclass(frozen=True, kw_only=True)
class HalfOfTheMost(DensityEstimator):
    """Half of the persons over the most persons in a scene."""

    name: ClassVar[str] = "half"
    unit: ClassVar[str] = "persons/m²"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")
    most: int = 0

    def fit(self, scenes: list[Scene]) -> DensityEstimator:  # type: ignore[override]
        return replace(self, most=max(len(scene) for scene in scenes))

    def estimate(self, scene: Scene) -> DensityEstimate:
        return DensityEstimate(value=len(scene) / self.most, unit=self.unit, class_index=0)


def test_any_estimator_is_fitted_to_all_scenes_and_compared_on_those_with_a_truth() -> None:
    scenes = [example_scene(count) for count in (2, 5, 20)]
    found = evaluate_all([HalfOfTheMost()], scenes, {"example-2": 0.2, "example-5": 0.5, "other": 1.0}, SCALE)
    assert list(found) == ["half"]
    assert (found["half"].told, found["half"].median_error) == (2, pytest.approx(0.5))

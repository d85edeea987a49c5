"""Estimators of plugins: invalid results and exceptions become errors that name the estimator and the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from crowdgan_core.density.checked_calls import estimate_scene, exact_class_bounds, fit_estimator
from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import DensityError, PluginError
from crowdgan_core.pipeline.estimation import estimate_densities
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.testing import example_scene

NAME = "density estimator plugged"

EstimateFunction = Callable[[Scene], Any]


@dataclass(frozen=True, kw_only=True)
class PluggedEstimator(DensityEstimator):
    """Returns what a function returns."""

    name: ClassVar[str] = "plugged"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "some", "many")

    function: EstimateFunction

    def estimate(self, scene: Scene) -> DensityEstimate:
        estimate: DensityEstimate = self.function(scene)
        return estimate


def returning(value: Any, class_index: Any = 0, unit: Any = "persons") -> EstimateFunction:
    return lambda scene: DensityEstimate(value=value, unit=unit, class_index=class_index)


def test_a_valid_estimate_has_python_numbers() -> None:
    estimate = estimate_scene(PluggedEstimator(function=returning(np.float32(1.5), np.int64(2))), example_scene(3))
    assert estimate == DensityEstimate(value=1.5, unit="persons", class_index=2)
    assert (type(estimate.value), type(estimate.class_index)) == (float, int)
    assert type(estimate_scene(PluggedEstimator(function=returning(3, True)), example_scene(3)).class_index) is int


def test_interval_and_peak_of_a_valid_estimate_are_python_numbers() -> None:
    estimate = DensityEstimate(
        value=1, unit="persons", class_index=2, interval=np.array([0.5, 2], np.float32), peak=np.float32(3)
    )
    checked = estimate_scene(PluggedEstimator(function=lambda scene: estimate), example_scene(3))
    assert (checked.interval, checked.peak) == ((0.5, 2.0), 3.0)
    assert [type(number) for number in (*checked.interval, checked.peak)] == [float] * 3


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"interval": (0.5, float("nan"))}, "interval is (0.5, nan); it must be two finite numbers"),
        ({"interval": (2.0, 1.0)}, "interval is (2.0, 1.0); it must be two finite numbers"),
        ({"interval": 3.0}, "interval is 3.0; it must be two finite numbers"),
        ({"peak": float("inf")}, "peak is inf; it must be a finite number"),
        ({"peak": "high"}, "peak is 'high'; it must be a finite number"),
    ],
)
def test_an_invalid_interval_or_peak_is_an_error(changes: dict[str, Any], problem: str) -> None:
    estimate = DensityEstimate(value=1.0, unit="persons", class_index=0, **changes)
    with pytest.raises(PluginError, match="it must be") as caught:
        estimate_scene(PluggedEstimator(function=lambda scene: estimate), example_scene(3))
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (returning(1.0, 7), "class_index is 7; it must be from 0 to 2"),
        (returning(1.0, -1), "class_index is -1; it must be from 0 to 2"),
        (returning(1.0, 1.0), "class_index is 1.0; it must be from 0 to 2"),
        (returning(float("nan")), "value is nan; it must be a finite number"),
        (returning(float("inf")), "value is inf; it must be a finite number"),
        (returning("3"), "value is '3'; it must be a finite number"),
        (returning(1.0, unit="people"), "unit is 'people'; the estimator's unit is 'persons'"),
        (returning(1.0, unit=None), "unit is None; the estimator's unit is 'persons'"),
        (lambda scene: 3.0, "estimate returned float; it must return a DensityEstimate"),
        (lambda scene: DensityEstimate.unknown("persons", 5), "reason is 5; it must be a string"),  # type: ignore[arg-type]
    ],
)
def test_an_invalid_estimate_names_the_estimator_and_the_image(function: EstimateFunction, problem: str) -> None:
    with pytest.raises(PluginError) as caught:
        estimate_scene(PluggedEstimator(function=function), example_scene(3))
    assert str(caught.value) == f"{NAME}: image example-3: {problem}"


def test_an_exception_in_an_estimator_names_it_and_the_image_and_stays_the_cause() -> None:
    with pytest.raises(PluginError) as caught:
        estimate_densities([PluggedEstimator(function=lambda scene: 1 / 0)], [example_scene(2)])
    assert str(caught.value) == f"{NAME} failed: image example-2: ZeroDivisionError: division by zero"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_density_error_is_not_an_error_of_the_plugin() -> None:
    def refuse(scene: Scene) -> Any:
        raise DensityError("too foggy")

    [[estimate]] = estimate_densities([PluggedEstimator(function=refuse)], [example_scene(2)])
    assert estimate == DensityEstimate.unknown("persons", "too foggy")


def broken(**attributes: Any) -> DensityEstimator:
    cls = dataclass(frozen=True, kw_only=True)(type("Broken", (PluggedEstimator,), attributes))
    estimator: DensityEstimator = cls(function=returning(1.0))
    return estimator


def test_errors_of_fitting_name_the_estimator() -> None:
    with pytest.raises(PluginError, match=f"^{NAME}: fitting to the dataset: fit returned None; it must return"):
        fit_estimator(broken(fit=lambda self, scenes: None), [])
    with pytest.raises(PluginError, match=f"^{NAME} failed: fitting to the dataset: IndexError: list index out"):
        fit_estimator(broken(fit=lambda self, scenes: scenes[0]), [])
    with pytest.raises(DensityError, match="^no scenes$"):
        fit_estimator(broken(fit=lambda self, scenes: raise_density_error()), [])


def raise_density_error() -> None:
    raise DensityError("no scenes")


def test_class_boundaries_must_match_the_classes() -> None:
    assert exact_class_bounds(broken()) is None
    assert exact_class_bounds(broken(class_bounds=ClassBounds(values=(1, 2)))) == ClassBounds(values=(1.0, 2.0))
    with pytest.raises(PluginError, match=f"^{NAME}: class boundaries: there are 1 boundaries for 3 classes$"):
        exact_class_bounds(broken(class_bounds=ClassBounds(values=(1.0,))))
    with pytest.raises(PluginError, match=r"options of class_bounds are \('high',\); the options are function$"):
        exact_class_bounds(broken(class_bounds=ClassBounds(values=(1, 2), options=("high",))))
    with pytest.raises(PluginError, match=r"class_bounds is \(1, 2\); it must be ClassBounds or None$"):
        exact_class_bounds(broken(class_bounds=(1, 2)))

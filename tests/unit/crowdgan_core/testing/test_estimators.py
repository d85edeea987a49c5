"""The contract check of density estimators detects every violation."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from crowdgan_core.density.class_bounds import ClassBounds
from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import HeatmapLayer, Layer, PointLayer
from crowdgan_core.density.options import option
from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.testing import EXAMPLE_CAMERA, EXAMPLE_GROUND_M, check_density_estimator, example_scene


@dataclass(frozen=True, kw_only=True)
class ValidEstimator(DensityEstimator):
    """Person count."""

    name: ClassVar[str] = "valid"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")

    limit: int = option(10, "maximum person count of class few")

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The count."""
        return DensityEstimate(
            value=scene.person_count, unit=self.unit, class_index=int(scene.person_count > self.limit)
        )


def test_a_valid_estimator_passes() -> None:
    check_density_estimator(ValidEstimator)
    check_density_estimator(ValidEstimator, {"limit": "3"})


@dataclass(frozen=True, kw_only=True)
class EstimatorWithLayers(ValidEstimator):
    """Person count, with layers."""

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """A point, and a heatmap with a missing value."""
        return [POINT, HEATMAP_WITH_NAN]


def test_layers_are_optional_and_a_heatmap_may_have_missing_values() -> None:
    check_density_estimator(EstimatorWithLayers)
    assert ValidEstimator().explain(example_scene(3)) == ()


def test_the_estimators_in_the_plugin_guide_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parents[4] / "docs" / "plugins" / "estimators.md").read_text(encoding="utf-8")
    examples = [text for text in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "(DensityEstimator)" in text]
    examples += [text for text in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "(Headcount)" in text]
    module = ModuleType("guide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for example in examples:
        exec(example, module.__dict__)
    check_density_estimator(module.Headcount)
    check_density_estimator(module.HeadcountWithLayer)
    [people] = module.HeadcountWithLayer().explain(example_scene(7))
    assert len(people.points) == 7


def _broken(**overrides: Any) -> type[DensityEstimator]:
    broken = type("Broken", (ValidEstimator,), {"__doc__": "An invalid estimator.", **overrides})
    return dataclass(frozen=True, kw_only=True)(broken)


def _estimate(**changes: Any) -> Any:
    return lambda self, scene: replace(ValidEstimator.estimate(self, scene), **changes)


def _width_of_first_box(self: ValidEstimator, scene: Scene) -> DensityEstimate:
    value = float(scene.full_boxes[0, 2]) if len(scene) and not np.isnan(scene.full_boxes[0, 2]) else 0.0
    return DensityEstimate(value=value, unit=self.unit, class_index=0)


def _modifies_scene(self: ValidEstimator, scene: Scene) -> DensityEstimate:
    scene.full_boxes[:] += 1
    return ValidEstimator.estimate(self, scene)


ESTIMATE_NUMBERS = itertools.count()


def _another_interval_each_time(self: ValidEstimator, scene: Scene) -> DensityEstimate:
    estimate = ValidEstimator.estimate(self, scene)
    assert estimate.value is not None
    return replace(estimate, interval=(-1.0, estimate.value + next(ESTIMATE_NUMBERS)))


def _inverse_extent(self: ValidEstimator, scene: Scene) -> DensityEstimate:
    boxes = scene.person_full_boxes[np.isfinite(scene.person_full_boxes).all(axis=1)]
    extent = float(np.ptp(boxes[:, :2], axis=0).sum()) if len(boxes) else 0.0
    return DensityEstimate(value=len(boxes) / extent if extent else 0.0, unit=self.unit, class_index=0)


@dataclass(frozen=True, kw_only=True)
class EstimatorWithBounds(ValidEstimator):
    """Person count, with its class boundary."""

    @property
    def class_bounds(self) -> ClassBounds:
        """The limit."""
        return ClassBounds(values=(self.limit,), included_above=(False,), options=("limit",))


def test_an_estimator_with_class_boundaries_passes() -> None:
    check_density_estimator(EstimatorWithBounds)


POINT = PointLayer(label="people", points=np.zeros((1, 2)))

POINT_WITH_NAN = PointLayer(label="lost", points=np.full((1, 2), np.nan))

HEATMAP_WITH_NAN = HeatmapLayer(label="map", unit="persons", values=np.array([[1.0, np.nan]]), extent=(0, 0, 2, 1))

POINT_VALUE_NAN = PointLayer(label="odd", unit="persons", points=np.zeros((1, 2)), values=np.array([np.nan]))

INFINITE_HEATMAP = HeatmapLayer(label="map", unit="persons", values=np.array([[np.inf]]), extent=(0, 0, 1, 1))


def _layers(*layers: Any) -> Any:
    return lambda self, scene: layers


def _modifies_scene_in_explain(self: ValidEstimator, scene: Scene) -> Any:
    scene.full_boxes[:] += 1
    return ()


def _invalid_layer(self: ValidEstimator, scene: Scene) -> Any:
    classes: Any = ("few", "many")
    return [PointLayer(label="people", points=np.zeros((1, 2)), classes=classes)]


def _raise_error(self: ValidEstimator, scene: Scene) -> Any:
    raise KeyError("people")


def _reject_options(self: ValidEstimator) -> None:
    raise ConfigError(f"limit is {self.limit}; it must be 11")


def _count_ignore_regions(self: ValidEstimator, scene: Scene) -> DensityEstimate:
    return DensityEstimate(value=len(scene), unit=self.unit, class_index=0)


def _inverse_count(self: ValidEstimator, scene: Scene) -> DensityEstimate:
    return DensityEstimate(value=1 / (1 + scene.person_count), unit=self.unit, class_index=0)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"name": "Bad Name"}, "name is 'Bad Name'"),
        ({"unit": ""}, "unit is ''"),
        ({"classes": ("one",)}, "there must be at least two"),
        ({"classes": ("a", "a")}, "names must be unique"),
        ({"estimate": _estimate(unit="people")}, "unit is 'people', not 'persons'"),
        ({"estimate": _estimate(value=float("nan"))}, "return DensityEstimate.unknown with a reason"),
        ({"estimate": _estimate(class_index=2)}, "class_index is 2; there are 2 classes"),
        ({"estimate": _estimate(interval=(-2.0, -1.0))}, "outside its interval"),
        ({"estimate": lambda self, scene: 3.0}, "estimate returned float, not DensityEstimate"),
        ({"estimate": _width_of_first_box}, "the order of people must not matter"),
        ({"estimate": _modifies_scene}, "estimate must not modify the scene"),
        ({"estimate": _another_interval_each_time}, "the output size must not matter: the estimate of a crop is"),
        ({"estimate": _inverse_extent}, "the last digits of boxes must not matter: for people at one position, moved"),
        ({"estimate": _inverse_count}, "the value must increase with density"),
        ({"class_bounds": ClassBounds(values=(1.0, 2.0))}, "there are 2 boundaries for 2 classes"),
        ({"class_bounds": (10.0,)}, "class_bounds is (10.0,); it must be ClassBounds or None"),
        ({"class_bounds": ClassBounds(values=(6.0,))}, "class_index is 0 for the value 6; by class_bounds it is 1"),
        ({"explain": lambda self, scene: POINT}, "it returned PointLayer; it must return a list or tuple"),
        ({"explain": _layers(POINT, "a map")}, "it returned 'a map'; it must return layers of crowdgan_core"),
        ({"explain": _layers(POINT_WITH_NAN)}, "the layer 'lost' has coordinates that are not finite"),
        ({"explain": _layers(POINT_VALUE_NAN)}, "the layer 'odd' has values that are not finite"),
        ({"explain": _layers(INFINITE_HEATMAP)}, "the layer 'map' has values that are not finite"),
        ({"explain": _modifies_scene_in_explain}, "explain must not modify the scene"),
        ({"explain": _invalid_layer}, "ValueError: people: classes is ('few', 'many'); it must be ValueClasses"),
        ({"explain": _raise_error}, "density estimator valid failed: explain: image example-6: KeyError: 'people'"),
        ({"estimate": _raise_error}, "unexpected KeyError: 'people'"),
        ({"__post_init__": _reject_options}, "unexpected ConfigError: limit is 10; it must be 11"),
        ({"class_bounds": ClassBounds(values=(10.5,), options=("high",))}, "('high',); the options are limit"),
        ({"__annotations__": {"name": str}}, "name is a field, and hence an option; declare it as name: ClassVar[str]"),
        ({"__annotations__": {"area": dict}, "area": None}, "option area has the type dict; it must be bool, int"),
        (
            {"estimate": _count_ignore_regions},
            "ignore regions are not people: for 6 people and 6 ignore regions, 6 becomes 12",
        ),
        ({}, "it cannot be sent to worker processes"),
        ({"fit": lambda self, scenes: type("Other", (), {"name": "other"})()}, "an estimator of the same name"),
    ],
)
def test_each_violation_is_described(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_density_estimator(_broken(**overrides))
    assert message in str(caught.value)


def test_a_class_that_is_not_frozen_is_a_violation() -> None:
    @dataclass
    class Mutable:
        """Not frozen."""

        name: ClassVar[str] = "mutable"
        unit: ClassVar[str] = "persons"

    with pytest.raises(AssertionError, match="must be a frozen dataclass"):
        check_density_estimator(Mutable)  # type: ignore[type-abstract, arg-type]


def feet_of(scene: Scene) -> np.ndarray:
    return scene.full_boxes[:, :2] + scene.full_boxes[:, 2:] * [0.5, 1.0]


def test_example_scenes_are_reproducible_and_have_the_given_extent() -> None:
    wide, narrow = example_scene(50), example_scene(50, extent=0.5)
    assert example_scene(50).full_boxes.tolist() == wide.full_boxes.tolist()
    grounds = [EXAMPLE_CAMERA.ground_from_pixels(feet_of(scene)) for scene in (wide, narrow)]
    extents = [np.ptp(ground, axis=0) for ground in grounds]
    assert extents[1] == pytest.approx(extents[0] / 2)
    assert np.all(extents[0] <= EXAMPLE_GROUND_M)

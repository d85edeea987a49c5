"""The check that plugin authors run finds each breach of the contract."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.density.layers import HeatmapLayer, Layer, PointLayer
from crowdgan_core.density.options import option
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.testing import EXAMPLE_CAMERA, EXAMPLE_GROUND_M, check_density_estimator, example_scene


@dataclass(frozen=True, kw_only=True)
class Good(DensityEstimator):
    """Persons in the image."""

    name: ClassVar[str] = "good"
    unit: ClassVar[str] = "persons"
    classes: ClassVar[tuple[str, ...]] = ("few", "many")

    limit: int = option(10, "persons up to which a scene has few")

    def estimate(self, scene: Scene) -> DensityEstimate:
        """The count."""
        return DensityEstimate(
            value=scene.person_count, unit=self.unit, class_index=int(scene.person_count > self.limit)
        )


def test_a_good_estimator_passes() -> None:
    check_density_estimator(Good)
    check_density_estimator(Good, {"limit": "3"})


@dataclass(frozen=True, kw_only=True)
class Explaining(Good):
    """Persons in the image, with layers."""

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """A point and a map with a hole."""
        return [POINT, HOLED]


def test_layers_may_be_offered_and_a_map_may_have_holes() -> None:
    check_density_estimator(Explaining)
    assert Good().explain(example_scene(3)) == ()


def test_the_estimators_of_the_guide_keep_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parents[4] / "docs" / "plugins.md").read_text(encoding="utf-8")
    programs = [text for text in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "(DensityEstimator)" in text]
    programs += [text for text in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "(Headcount)" in text]
    module = ModuleType("guide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for program in programs:
        exec(program, module.__dict__)
    check_density_estimator(module.Headcount)
    check_density_estimator(module.ShownHeadcount)
    [people] = module.ShownHeadcount().explain(example_scene(7))
    assert len(people.points) == 7


def _broken(**overrides: Any) -> type[DensityEstimator]:
    made = type("Broken", (Good,), {"__doc__": "A breach.", **overrides})
    return dataclass(frozen=True, kw_only=True)(made)


def _estimate(**changes: Any) -> Any:
    return lambda self, scene: replace(Good.estimate(self, scene), **changes)


def _first_width(self: Good, scene: Scene) -> DensityEstimate:
    value = float(scene.full_boxes[0, 2]) if len(scene) and not np.isnan(scene.full_boxes[0, 2]) else 0.0
    return DensityEstimate(value=value, unit=self.unit, class_index=0)


def _moves_people(self: Good, scene: Scene) -> DensityEstimate:
    scene.full_boxes[:] += 1
    return Good.estimate(self, scene)


POINT = PointLayer(label="people", points=np.zeros((1, 2)))

NO_PLACE = PointLayer(label="lost", points=np.full((1, 2), np.nan))

HOLED = HeatmapLayer(label="map", unit="persons", values=np.array([[1.0, np.nan]]), extent=(0, 0, 2, 1))

NO_VALUE = PointLayer(label="odd", unit="persons", points=np.zeros((1, 2)), values=np.array([np.nan]))

ENDLESS = HeatmapLayer(label="map", unit="persons", values=np.array([[np.inf]]), extent=(0, 0, 1, 1))


def _offer(*layers: Any) -> Any:
    return lambda self, scene: layers


def _moves_people_to_explain(self: Good, scene: Scene) -> Any:
    scene.full_boxes[:] += 1
    return ()


def _spacing(self: Good, scene: Scene) -> DensityEstimate:
    return DensityEstimate(value=1 / (1 + scene.person_count), unit=self.unit, class_index=0)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"name": "Bad Name"}, "name is 'Bad Name'"),
        ({"unit": ""}, "unit is ''"),
        ({"classes": ("one",)}, "there must be at least two"),
        ({"classes": ("a", "a")}, "no two may have the same name"),
        ({"estimate": _estimate(unit="people")}, "unit is 'people', not 'persons'"),
        ({"estimate": _estimate(value=float("nan"))}, "say why it cannot be told instead"),
        ({"estimate": _estimate(class_index=2)}, "class_index is 2; there are 2 classes"),
        ({"estimate": _estimate(interval=(-2.0, -1.0))}, "outside of its interval"),
        ({"estimate": lambda self, scene: 3.0}, "estimate returned float, not Density"),
        ({"estimate": _first_width}, "the order of persons must not matter"),
        ({"estimate": _moves_people}, "estimate must not change the scene"),
        ({"estimate": _spacing}, "the value must grow with crowding"),
        ({"explain": lambda self, scene: POINT}, "explain returned PointLayer, not a list or tuple"),
        ({"explain": _offer(POINT, "a map")}, "explain offers 'a map', no layer of crowdgan_core.layers"),
        ({"explain": _offer(NO_PLACE)}, "the layer 'lost' has coordinates that are not finite"),
        ({"explain": _offer(NO_VALUE)}, "the layer 'odd' has values that are not finite"),
        ({"explain": _offer(ENDLESS)}, "the layer 'map' has values that are not finite"),
        ({"explain": _moves_people_to_explain}, "explain must not change the scene"),
        ({}, "it cannot be sent to worker processes"),
        ({"fit": lambda self, scenes: type("Other", (), {"name": "other"})()}, "an estimator of the same name"),
    ],
)
def test_each_breach_is_named(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_density_estimator(_broken(**overrides))
    assert message in str(caught.value)


def test_a_class_that_can_be_changed_is_a_breach() -> None:
    @dataclass
    class Loose:
        """Not frozen."""

        name: ClassVar[str] = "loose"
        unit: ClassVar[str] = "persons"

    with pytest.raises(AssertionError, match="must be a frozen dataclass"):
        check_density_estimator(Loose)  # type: ignore[type-abstract, arg-type]


def feet_of(scene: Scene) -> np.ndarray:
    return scene.full_boxes[:, :2] + scene.full_boxes[:, 2:] * [0.5, 1.0]


def test_example_scenes_are_repeatable_and_as_dense_as_asked() -> None:
    wide, narrow = example_scene(50), example_scene(50, extent=0.5)
    assert example_scene(50).full_boxes.tolist() == wide.full_boxes.tolist()
    grounds = [EXAMPLE_CAMERA.ground_from_pixels(feet_of(scene)) for scene in (wide, narrow)]
    spreads = [np.ptp(ground, axis=0) for ground in grounds]
    assert spreads[1] == pytest.approx(spreads[0] / 2)
    assert np.all(spreads[0] <= EXAMPLE_GROUND_M)

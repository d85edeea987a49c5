"""The sg3-* estimators compared with recorded results of the published tool for 120 scenes.

Labels must be equal, values within a relative tolerance of 1e-9 (the published tool uses double precision too).
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.image_plane.grid import GridEstimator, MetricGridEstimator
from crowdgan_density.image_plane.sg3_compat import (
    Sg3EuclideanEstimator,
    Sg3GridEstimator,
    Sg3GridMetresEstimator,
    Sg3NormalisedEstimator,
    Sg3ThresholdEstimator,
)
from tests.support.recorded_values import RECORDED, load_json

SG3_ESTIMATORS = {
    "threshold": Sg3ThresholdEstimator,
    "normalised": Sg3NormalisedEstimator,
    "euclidean": Sg3EuclideanEstimator,
    "grid": Sg3GridEstimator,
    "grid-metres": Sg3GridMetresEstimator,
}


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    labels: dict[str, Any] = load_json("labels/reference_labels")
    return labels


@pytest.fixture(scope="module")
def scenes(recorded: dict[str, Any]) -> dict[str, Scene]:
    lines = (RECORDED / "labels" / "annotations.odgt").read_text(encoding="utf-8").splitlines()
    return {record["ID"]: read_scene(record, recorded["image_sizes"]) for record in map(json.loads, lines)}


def read_scene(record: dict[str, Any], image_sizes: dict[str, list[int]]) -> Scene:
    width, height = image_sizes[record["ID"]]
    rows = record["gtboxes"]
    masks = [row["tag"] != "person" for row in rows]
    return Scene(
        source_name=record["ID"],
        size=(height, width),
        full_boxes=np.array([row["fbox"] for row in rows], float),
        ignore=np.array([mask or row["extra"].get("ignore", 0) == 1 for mask, row in zip(masks, rows, strict=True)]),
        tagged_person=~np.array(masks),
    )


def estimate_or_none(estimator: DensityEstimator, scene: Scene) -> DensityEstimate | None:
    """The estimate; None if the estimator raises an error."""
    try:
        return estimator.estimate(scene)
    except DensityError:
        return None


@pytest.mark.parametrize("method", SG3_ESTIMATORS)
def test_all_recorded_labels_and_values_are_reproduced(
    method: str, scenes: dict[str, Scene], recorded: dict[str, Any]
) -> None:
    estimator = SG3_ESTIMATORS[method]().fit(scenes.values())
    differing = []
    for name, scene in scenes.items():
        expected, estimate = recorded["reference"][name][method], estimate_or_none(estimator, scene)
        if estimate is None or "error" in expected:
            same = estimate is None and "error" in expected
        else:
            same = estimate.class_index == expected["label"] and is_equal(estimate.value, expected["density"])
        if not same:
            differing.append((name, expected, estimate))
    assert differing == []
    assert len(scenes) == 120


def is_equal(value: float | None, expected: float | None) -> bool:
    if expected is None:  # the published tool recorded no value
        return True
    if math.isnan(expected):  # ours is 0 where the published tool has NaN
        return value == 0
    return value is not None and math.isclose(value, expected, rel_tol=1e-9)


def test_the_records_include_all_peculiar_cases(scenes: dict[str, Scene], recorded: dict[str, Any]) -> None:
    results = [result for methods in recorded["reference"].values() for result in methods.values()]
    assert [result for result in results if "error" in result] == [{"error": "ValueError"}]
    assert sum(math.isnan(result.get("density") or 0) for result in results) == 11
    assert sum(scene.ignore.any() for scene in scenes.values()) > 10
    assert sum(bool((scene.full_boxes[:, :2] < 0).any()) for scene in scenes.values()) > 10


@pytest.mark.parametrize(
    ("native", "sg3"), [(GridEstimator, Sg3GridEstimator), (MetricGridEstimator, Sg3GridMetresEstimator)]
)
def test_native_grids_equal_the_published_tool_on_ordinary_scenes(
    native: type[DensityEstimator], sg3: type[DensityEstimator], scenes: dict[str, Scene]
) -> None:
    pairs = [
        (native().estimate(scene), estimate_or_none(sg3(), scene)) for scene in scenes.values() if is_ordinary(scene)
    ]
    defined = [(ours, published) for ours, published in pairs if published is not None]
    assert [ours.value for ours, _ in defined] == [published.value for _, published in defined]
    assert [ours.class_index for ours, _ in defined] == [published.class_index for _, published in defined]
    assert len(defined) > 10


def test_native_grid_is_defined_where_the_published_tool_stops(
    scenes: dict[str, Scene], recorded: dict[str, Any]
) -> None:
    failed = [name for name in scenes if "error" in recorded["reference"][name]["grid-metres"]]
    estimates = [MetricGridEstimator().estimate(scenes[name]) for name in failed]
    assert estimates == [DensityEstimate(value=1.0, unit="persons per 1 m cell", class_index=0)]


def is_ordinary(scene: Scene) -> bool:
    """Whether all boxes are people inside the image."""
    ends = scene.full_boxes[:, :2] + scene.full_boxes[:, 2:]
    inside = (scene.full_boxes[:, :2] >= 0).all() and (ends <= [scene.size[1], scene.size[0]]).all()
    return bool(inside and not scene.ignore.any())

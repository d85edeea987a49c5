"""The compat estimators against the answers of the original tool for 120 scenes.

Source: `reference/labels` beside the repository, recorded from sg3-crowd-density at 3705691. Labels must be equal,
values within 1e-9 of their size (the original works in double precision too).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdgan_core.density.estimator import DensityEstimate, DensityEstimator
from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.image_plane.grid import GridEstimator, MetricGridEstimator
from crowdgan_density.image_plane.sg3_compat import (
    Sg3Euclidean,
    Sg3Grid,
    Sg3GridMetres,
    Sg3Normalised,
    Sg3ThresholdEstimator,
)

COMPAT = {
    "threshold": Sg3ThresholdEstimator,
    "normalised": Sg3Normalised,
    "euclidean": Sg3Euclidean,
    "grid": Sg3Grid,
    "grid-metres": Sg3GridMetres,
}


@pytest.fixture(scope="module")
def labels_folder(shared: Path) -> Path:
    folder = shared / "reference" / "labels"
    if not folder.is_dir():
        pytest.skip("../shared/reference/labels is absent: no recorded labels to compare with")
    return folder


@pytest.fixture(scope="module")
def recorded(labels_folder: Path) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads((labels_folder / "reference_labels.json").read_text())
    return recorded


@pytest.fixture(scope="module")
def scenes(labels_folder: Path, recorded: dict[str, Any]) -> dict[str, Scene]:
    lines = (labels_folder / "annotations.odgt").read_text().splitlines()
    return {record["ID"]: scene_of(record, recorded["image_sizes"]) for record in map(json.loads, lines)}


def scene_of(record: dict[str, Any], image_sizes: dict[str, list[int]]) -> Scene:
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


def outcome(estimator: DensityEstimator, scene: Scene) -> DensityEstimate | None:
    try:
        return estimator.estimate(scene)
    except DensityError:
        return None


@pytest.mark.parametrize("method", COMPAT)
def test_every_recorded_label_and_value_comes_back(
    method: str, scenes: dict[str, Scene], recorded: dict[str, Any]
) -> None:
    estimator = COMPAT[method]().fit(scenes.values())
    differing = []
    for name, scene in scenes.items():
        expected, found = recorded["reference"][name][method], outcome(estimator, scene)
        if found is None or "error" in expected:
            same = found is None and "error" in expected
        else:
            same = found.class_index == expected["label"] and same_value(found.value, expected["density"])
        if not same:
            differing.append((name, expected, found))
    assert differing == []
    assert len(scenes) == 120


def same_value(found: float | None, expected: float | None) -> bool:
    if expected is None:  # the original kept no value
        return True
    if math.isnan(expected):  # ours holds 0 where the original has NaN
        return found == 0
    return found is not None and math.isclose(found, expected, rel_tol=1e-9)


def test_the_records_have_the_cases_that_the_quirks_are_about(
    scenes: dict[str, Scene], recorded: dict[str, Any]
) -> None:
    answers = [answer for methods in recorded["reference"].values() for answer in methods.values()]
    assert [answer for answer in answers if "error" in answer] == [{"error": "ValueError"}]
    assert sum(math.isnan(answer.get("density") or 0) for answer in answers) == 11
    assert sum(scene.ignore.any() for scene in scenes.values()) > 10
    assert sum(bool((scene.full_boxes[:, :2] < 0).any()) for scene in scenes.values()) > 10


@pytest.mark.parametrize(("native", "compat"), [(GridEstimator, Sg3Grid), (MetricGridEstimator, Sg3GridMetres)])
def test_native_grids_equal_the_original_on_ordinary_scenes(
    native: type[DensityEstimator], compat: type[DensityEstimator], scenes: dict[str, Scene]
) -> None:
    pairs = [(native().estimate(scene), outcome(compat(), scene)) for scene in scenes.values() if is_ordinary(scene)]
    answered = [(ours, original) for ours, original in pairs if original is not None]
    assert [ours.value for ours, _ in answered] == [original.value for _, original in answered]
    assert [ours.class_index for ours, _ in answered] == [original.class_index for _, original in answered]
    assert len(answered) > 10


def test_native_grid_answers_where_the_original_stops(scenes: dict[str, Scene], recorded: dict[str, Any]) -> None:
    stopped = [name for name in scenes if "error" in recorded["reference"][name]["grid-metres"]]
    answers = [MetricGridEstimator().estimate(scenes[name]) for name in stopped]
    assert answers == [DensityEstimate(value=1.0, unit="persons per 1 m cell", class_index=0)]


def is_ordinary(scene: Scene) -> bool:
    """Whether all boxes are persons' and inside the image."""
    ends = scene.full_boxes[:, :2] + scene.full_boxes[:, 2:]
    inside = (scene.full_boxes[:, :2] >= 0).all() and (ends <= [scene.size[1], scene.size[0]]).all()
    return bool(inside and not scene.ignore.any())

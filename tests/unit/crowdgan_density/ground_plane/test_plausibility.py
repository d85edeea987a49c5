"""Plausibility checks of cameras: silent for correct ones, and each one found with a wrong camera."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Scene
from crowdgan_core.testing import EXAMPLE_CAMERA
from crowdgan_density.ground_plane.calibration import calibrate_camera, focal_length_log_evidence
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.homography import Homography
from crowdgan_density.ground_plane.people_heights import people_heights_m
from crowdgan_density.ground_plane.plausibility import camera_height_warning, deviating_views
from crowdgan_density.ground_plane.report import camera_warnings, report_rows, report_scene
from crowdgan_density.ground_plane.view import MeasuredView
from crowdgan_density.zones.zone_placement import pixel_matrix
from tests.support.crowds import crowd_positions, crowd_scene

OTHER_CAMERA = replace(EXAMPLE_CAMERA, height_m=EXAMPLE_CAMERA.height_m * 1.15)


def crowd_scenes(count: int, camera: Camera = EXAMPLE_CAMERA) -> Iterator[Scene]:
    """Scenes of 100 people in 20 m x 20 m by one camera."""
    for seed in range(count):
        near = (crowd_positions(100, seed) - [0, 16]) * 2 + [0, 20]
        yield replace(crowd_scene(near, camera=camera, seed=seed), source_name=f"{camera.height_m:.0f}-{seed}")


def test_evidence_has_its_maximum_near_the_focal_length() -> None:
    factors = np.array([0.33, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0])
    scenes = list(crowd_scenes(10))
    focal_lengths = EXAMPLE_CAMERA.focal_length_px * factors
    by_scene = [focal_length_log_evidence(scene.full_boxes, scene.size, focal_lengths) for scene in scenes]
    assert factors[int(np.sum(by_scene, axis=0).argmax())] in (0.7, 1.0, 1.4)


def test_evidence_is_that_of_the_calibration() -> None:
    [scene] = crowd_scenes(1)
    posterior = calibrate_camera(scene.full_boxes, scene.size)
    focal_lengths = np.unique(posterior.focal_lengths_px)
    evidence = focal_length_log_evidence(scene.full_boxes, scene.size, focal_lengths)
    weights = [posterior.weights[posterior.focal_lengths_px == focal].sum() for focal in focal_lengths]
    assert np.exp(evidence - evidence.max()) == pytest.approx(np.array(weights) / max(weights))


@pytest.mark.parametrize("factor", [1 / 2.8, 0.5])
def test_a_wrong_focal_length_is_found(factor: float) -> None:
    scenes = list(crowd_scenes(10))
    assert camera_warnings(GroundPlaneEstimator(), scenes) == []
    wrong = [replace(scene, focal_length_px=EXAMPLE_CAMERA.focal_length_px * factor) for scene in scenes]
    [warning] = camera_warnings(GroundPlaneEstimator(), wrong)
    assert "fit a longer focal length" in warning


def test_a_wrong_focal_length_of_one_image_is_in_its_report_and_row() -> None:
    [scene] = crowd_scenes(1, replace(EXAMPLE_CAMERA, pitch_rad=math.radians(30)))
    wrong = replace(scene, focal_length_px=EXAMPLE_CAMERA.focal_length_px / 3)
    assert report_scene(GroundPlaneEstimator(), scene).warnings == ()
    report = report_scene(GroundPlaneEstimator(), wrong)
    assert len(report.warnings) == 1
    assert report_rows([report], GroundPlaneEstimator().class_bounds.values)[0]["warnings"] == report.warnings[0]


@pytest.mark.parametrize("height_m", [0.4, 90.0])
def test_implausible_camera_heights_are_found(height_m: float) -> None:
    assert camera_height_warning(EXAMPLE_CAMERA) is None
    assert f"{height_m:g} m high" in (camera_height_warning(replace(EXAMPLE_CAMERA, height_m=height_m)) or "")


def test_images_of_another_camera_are_found() -> None:
    scenes = [*crowd_scenes(6), *crowd_scenes(2, OTHER_CAMERA)]
    estimator = GroundPlaneEstimator(shared_camera=True)
    assert camera_warnings(estimator.fit(scenes[:6]), scenes[:6]) == []
    [warning] = camera_warnings(estimator.fit(scenes[:6]), scenes)
    assert f"in 2 of 8 images ({scenes[6].source_name}, {scenes[7].source_name})" in warning
    views = [MeasuredView.from_scene(scene) for scene in scenes]
    assert deviating_views(views, EXAMPLE_CAMERA) == [6, 7]


def test_a_shared_camera_of_two_cameras_is_found() -> None:
    scenes = [*crowd_scenes(4), *crowd_scenes(4, OTHER_CAMERA)]
    warnings = camera_warnings(GroundPlaneEstimator(shared_camera=True).fit(scenes), scenes)
    assert any("images are of several cameras" in warning for warning in warnings)


def with_homography(folder: Path, scale: float = 1.0) -> GroundPlaneEstimator:
    """An estimator with the homography of the example camera, whose metres are multiplied by a scale."""
    height, width = EXAMPLE_CAMERA.size
    matrix = np.diag([scale, scale, 1.0]) @ np.linalg.inv(pixel_matrix(EXAMPLE_CAMERA, (0, 0, width, height)))
    path = folder / f"{scale}.json"
    path.write_text(json.dumps({"image_to_ground_m": matrix.tolist()}))
    return GroundPlaneEstimator(homography=path)


@pytest.mark.parametrize(("scale", "height"), [(1.3, "2.19"), (0.8, "1.35")])
def test_a_homography_in_another_unit_is_found(scale: float, height: str, tmp_path: Path) -> None:
    scenes = list(crowd_scenes(3))
    assert camera_warnings(with_homography(tmp_path), scenes) == []
    assert report_scene(with_homography(tmp_path), scenes[0]).warnings == ()
    [warning] = camera_warnings(with_homography(tmp_path, scale), scenes)
    assert f"people would be {height} m tall by the homography (median of 300 boxes)" in warning
    report = report_scene(with_homography(tmp_path, scale), scenes[0])
    assert report.density_per_m2 is not None
    assert "m tall by the homography (median of 100 boxes)" in report.warnings[0]


def test_heights_by_a_homography_are_those_of_its_camera(tmp_path: Path) -> None:
    [scene] = crowd_scenes(1, replace(EXAMPLE_CAMERA, pitch_rad=math.radians(50), height_m=20.0))
    view = MeasuredView.from_scene(scene)
    camera = replace(EXAMPLE_CAMERA, pitch_rad=math.radians(50), height_m=20.0)
    homography = Homography(
        matrix=tuple(map(tuple, np.linalg.inv(pixel_matrix(camera, (0, 0, *camera.size[::-1]))).tolist()))
    )
    assert people_heights_m(view, homography) == pytest.approx(people_heights_m(view, camera))


def halve_boxes(scene: Scene) -> Scene:
    """The scene with boxes of the lower half of each body."""
    boxes = scene.full_boxes * [1, 1, 1, 0.5]
    boxes[:, 1] += boxes[:, 3]
    return replace(scene, full_boxes=boxes)


def test_boxes_of_half_the_body_are_found(tmp_path: Path) -> None:
    scenes = [halve_boxes(scene) for scene in crowd_scenes(2)]
    [warning] = camera_warnings(GroundPlaneEstimator(), scenes)
    assert "boxes are 0.72 times as wide as high (median of 200)" in warning
    assert report_scene(GroundPlaneEstimator(), scenes[0]).warnings[0].startswith("boxes are 0.72 times")
    assert len(camera_warnings(with_homography(tmp_path), scenes)) == 2


@pytest.mark.parametrize("options", [{"cameras": (5.0, 20.0, 560.0)}, {"perspective": (200.0, 20.0, 400.0, 90.0)}])
def test_people_who_contradict_a_given_camera_are_the_reason(options: dict[str, tuple[float, ...]]) -> None:
    scene = replace(next(crowd_scenes(1)), full_boxes=next(crowd_scenes(1)).full_boxes * [1, 1, 1, 0.7])
    reason = GroundPlaneEstimator(**options).estimate(scene).reason or ""  # type: ignore[arg-type]
    assert re.fullmatch(
        r"the given camera does not fit the image: people would be [0-9.]+ m tall \(median of [0-9]+ boxes\); "
        "[0-9]+% of all boxes have implausible heights",
        reason,
    )

"""Plausibility checks of cameras: silent for correct ones, and each one found with a wrong camera."""

from __future__ import annotations

import math
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
from crowdgan_density.ground_plane.plausibility import camera_height_warning, deviating_views
from crowdgan_density.ground_plane.report import camera_warnings, report_rows, report_scene
from crowdgan_density.ground_plane.view import MeasuredView
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


def test_homographies_have_no_camera_to_check(tmp_path: Path) -> None:
    assert camera_warnings(GroundPlaneEstimator(homography=tmp_path / "any.json"), list(crowd_scenes(1))) == []

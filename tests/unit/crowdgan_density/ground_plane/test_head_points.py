"""People of whom only heads are annotated, by a camera, a homography or a perspective."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.errors import ConfigError
from crowdgan_core.scenes.camera import Camera
from crowdgan_core.scenes.scene import Crop, Scene
from crowdgan_core.testing import EXAMPLE_CAMERA
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.head_points import (
    CAMERA_NEEDED,
    CAMERA_TOO_LOW,
    HEAD_CENTRE_HEIGHT_M,
    HEADS_ABOVE_HORIZON,
)
from crowdgan_density.ground_plane.homography import Homography
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.perspective import cameras_of_perspective
from crowdgan_density.ground_plane.report import report_scene
from tests.support.crowds import crowd_positions, crowd_scene

POSITIONS_M = crowd_positions(100)


def head_scene(camera: Camera = EXAMPLE_CAMERA, height_sd_m: float = 0.0) -> Scene:
    """The scene of `POSITIONS_M` with head points only."""
    heights = HEAD_CENTRE_HEIGHT_M + np.random.default_rng(0).normal(0, 1, len(POSITIONS_M)) * height_sd_m
    points = camera.project(np.column_stack([POSITIONS_M, heights]))
    boxes = np.hstack([points, np.zeros((len(points), 2))])
    return Scene(source_name="heads", size=camera.size, head_boxes=boxes, focal_length_px=camera.focal_length_px)


def camera_option(camera: Camera = EXAMPLE_CAMERA) -> tuple[float, ...]:
    return (camera.height_m, math.degrees(camera.pitch_rad), camera.focal_length_px)


def ground_homography(camera: Camera) -> Homography:
    """The homography from the image to the ground of a camera."""
    cos, sin = math.cos(camera.pitch_rad), math.sin(camera.pitch_rad)
    focal, (cx, cy), height = camera.focal_length_px, camera.centre_px, camera.height_m
    to_pixels = np.array(
        [
            [focal, cx * cos, cx * height * sin],
            [0.0, cy * cos - focal * sin, cy * height * sin + focal * height * cos],
            [0.0, cos, height * sin],
        ]
    )
    return Homography(matrix=tuple(map(tuple, np.linalg.inv(to_pixels).tolist())))


def measure(estimator: GroundPlaneEstimator, scene: Scene) -> GroundMeasurement:
    measurement = estimator.measure(scene)
    assert isinstance(measurement, GroundMeasurement), measurement
    return measurement


def test_positions_below_heads_are_those_of_the_feet() -> None:
    measurement = measure(GroundPlaneEstimator(cameras=camera_option()), head_scene())
    assert measurement.positions_m == pytest.approx(POSITIONS_M)
    assert measurement.residual is None


@pytest.mark.parametrize("known", [False, True])
def test_a_homography_of_the_ground_is_lifted_to_the_heads(tmp_path: Path, known: bool) -> None:
    path = tmp_path / "homography.json"
    path.write_text(json.dumps({"image_to_ground_m": ground_homography(EXAMPLE_CAMERA).matrix}))
    scene = head_scene() if known else replace(head_scene(), focal_length_px=None)
    measurement = measure(GroundPlaneEstimator(homography=path), scene)
    assert measurement.positions_m == pytest.approx(POSITIONS_M)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_homography_determines_planes_above_its_ground(sign: int) -> None:
    homography = ground_homography(EXAMPLE_CAMERA)
    mirrored = np.diag([1, -1, 1]) @ np.array(homography.matrix) * sign  # other handedness and scale of the axes
    for matrix in (homography.matrix, tuple(map(tuple, mirrored.tolist()))):
        plane = Homography(matrix=matrix).at_height(1.5, EXAMPLE_CAMERA.size, None)
        assert plane is not None
        points = EXAMPLE_CAMERA.project(np.array([[1.0, 10.0, 1.5], [-4.0, 20.0, 1.5]]))
        assert np.abs(plane.ground_from_pixels(points)) == pytest.approx(np.array([[1.0, 10.0], [4.0, 20.0]]))


def test_a_homography_without_perspective_needs_a_focal_length(tmp_path: Path) -> None:
    path = tmp_path / "homography.json"
    path.write_text(json.dumps({"image_to_ground_m": np.diag([0.05, 0.05, 1]).tolist()}))
    reason = GroundPlaneEstimator(homography=path).measure(replace(head_scene(), focal_length_px=None))
    assert "set focal_mm35" in str(reason)


def test_two_rows_with_pixels_per_metre_determine_the_camera() -> None:
    ends = EXAMPLE_CAMERA.pixels_from_ground(np.array([[-1.0, 8], [1, 8], [-1, 20], [1, 20]]))
    rows, scales = ends[::2, 1].tolist(), ((ends[1::2, 0] - ends[::2, 0]) / 2).tolist()
    perspective = (rows[0], scales[0], rows[1], scales[1])
    [first, second] = cameras_of_perspective(perspective, EXAMPLE_CAMERA.size, EXAMPLE_CAMERA.focal_length_px)
    assert first == second
    assert camera_option(first) == pytest.approx(camera_option())
    measurement = measure(GroundPlaneEstimator(perspective=perspective), head_scene())
    assert measurement.positions_m == pytest.approx(POSITIONS_M)
    unknown = measure(GroundPlaneEstimator(perspective=perspective), replace(head_scene(), focal_length_px=None))
    low, high = unknown.interval_per_m2
    assert low < 0.9 * measurement.density_per_m2 < 1.1 * measurement.density_per_m2 < high


@pytest.mark.parametrize(
    ("perspective", "message"),
    [((1, 2, 3), "3 numbers"), ((100, 40, 300, 20), "more pixels per metre"), ((100, 20, 100, 40), "two rows")],
)
def test_invalid_perspectives_are_refused(perspective: tuple[float, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        GroundPlaneEstimator(perspective=perspective)


def test_unknown_heights_are_corrected_and_widen_the_interval() -> None:
    """At 3 m, heights that vary by 0.09 m scatter positions by 6 % of their distance."""
    camera = replace(EXAMPLE_CAMERA, height_m=3.0, pitch_rad=math.radians(10))
    scene = crowd_scene(POSITIONS_M, camera=camera)
    estimator = GroundPlaneEstimator(cameras=camera_option(camera))
    with_boxes = measure(estimator, scene)
    with_heads = measure(estimator, head_scene(camera, height_sd_m=0.09))
    assert with_heads.density_per_m2 == pytest.approx(with_boxes.density_per_m2, rel=0.15)
    assert np.ptp(np.log(with_heads.interval_per_m2)) > np.ptp(np.log(with_boxes.interval_per_m2))


def test_heads_need_a_camera_above_them() -> None:
    assert GroundPlaneEstimator().measure(head_scene()) == CAMERA_NEEDED
    assert GroundPlaneEstimator(cameras=(1.7, 2.0, 560.0)).measure(head_scene()) == CAMERA_TOO_LOW


def test_heads_above_the_horizon_do_not_fit_the_camera() -> None:
    boxes = head_scene().head_boxes.copy()
    boxes[:10, 1] = -50.0  # the horizon is in row 36
    estimator = GroundPlaneEstimator(cameras=camera_option())
    assert estimator.measure(replace(head_scene(), head_boxes=boxes)) == HEADS_ABOVE_HORIZON


def test_crops_are_measured_by_the_camera_of_the_full_image() -> None:
    full = head_scene()
    crop = Crop(full_scene=full, left=0, top=0, size=full.size)
    estimator = GroundPlaneEstimator(cameras=camera_option())
    assert estimator.estimate(replace(full, crop=crop)).value == estimator.estimate(full).value


def test_reports_of_heads_have_no_residual() -> None:
    report = report_scene(GroundPlaneEstimator(perspective=(200, 20, 400, 60)), head_scene())
    assert report.camera is not None
    assert report.camera.residual is None
    assert report.warnings == ()

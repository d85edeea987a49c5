"""What `crowdgan calibrate` shows of images."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.testing import EXAMPLE_CAMERA
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.report import ImageReport, report_scene, report_scenes, shared_camera
from tests.unit.crowdgan_density.ground_plane.test_ground import places, scene_of
from tests.unit.crowdgan_density.test_plugin import strange_scene


def test_the_camera_and_the_density_are_told() -> None:
    report, density = (
        report_scene(GroundPlaneEstimator(), scene_of(places(100))),
        GroundPlaneEstimator().estimate(scene_of(places(100))),
    )
    assert report.camera is not None
    assert report.camera.height_m == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.1)
    assert report.camera.pitch_deg == pytest.approx(math.degrees(EXAMPLE_CAMERA.pitch_rad), abs=2)
    assert report.camera.focal_length_px == EXAMPLE_CAMERA.focal_length_px
    assert report.camera.residual == pytest.approx(0.09 / 1.685, rel=0.2)
    assert (report.density_per_m2, report.interval_per_m2) == (density.value, density.interval)
    assert report.peak_per_m2 is not None
    assert report.peak_per_m2 > 1.0
    assert (report.person_count, report.level, report.reason) == (100, "ABCDEF"[density.class_index or 0], None)


def test_a_focal_length_that_nothing_tells_is_marked() -> None:
    reports = [report_scene(GroundPlaneEstimator(), scene_of(places(100), focal=focal)) for focal in (True, False)]
    known = [report.camera.focal_length_known for report in reports if report.camera is not None]
    assert known == [True, False]


def test_the_reason_stands_where_nothing_can_be_told() -> None:
    report = report_scene(GroundPlaneEstimator(), scene_of(places(3)))
    reason = "fewer than 5 people with a full-body box"
    assert report == ImageReport(image="crowd", person_count=3, reason=reason)


def test_one_camera_is_told_for_all() -> None:
    scenes = [scene_of(places(12, seed), seed=seed) for seed in range(8)]
    fitted = GroundPlaneEstimator(shared_camera=True).fit(scenes)
    camera = shared_camera(fitted, scenes)
    assert camera is not None
    assert camera.height_m == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.1)
    assert camera.focal_length_known
    heights = [report.camera and report.camera.height_m for report in report_scenes(fitted, scenes)]
    assert heights == [pytest.approx(camera.height_m)] * 8
    assert shared_camera(GroundPlaneEstimator(), scenes) is None


def test_a_homography_has_no_camera(tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    path.write_text(json.dumps({"image_to_ground_m": [[0.02, 0, 0], [0, 0.04, 0], [0, 0, 1]]}))
    report = report_scene(GroundPlaneEstimator(homography=path), replace(scene_of(places(100)), focal_length_px=None))
    assert report.camera is None
    assert report.density_per_m2 is not None
    assert report.peak_per_m2 is not None


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_boxes_are_what_is_told_is_finite(seed: int) -> None:
    rng = np.random.default_rng(seed)
    strange = [strange_scene(rng, int(count)) for count in rng.integers(0, 60, 30)]
    far = [scene_of(places(int(count), seed, (rng.uniform(-8, 8), rng.uniform(8, 60)))) for count in range(5, 80, 5)]
    given = GroundPlaneEstimator(cameras=(5.0, 20.0, 560.0))
    reports = [report_scene(ground, scene) for ground in (GroundPlaneEstimator(), given) for scene in (*strange, *far)]
    told = [report for report in reports if report.reason is None]
    assert len(told) > 10
    for report in told:
        assert report.interval_per_m2 is not None
        assert np.isfinite([report.density_per_m2, report.peak_per_m2, *report.interval_per_m2]).all()

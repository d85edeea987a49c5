"""Reports of images, as printed by `crowdgan calibrate`."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdgan_core.testing import EXAMPLE_CAMERA
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.report import (
    ImageReport,
    report_rows,
    report_scene,
    report_scenes,
    report_shared_camera,
)
from tests.support.crowds import crowd_positions, crowd_scene, irregular_scene


def test_a_report_contains_camera_and_density() -> None:
    scene = crowd_scene(crowd_positions(100))
    report, estimate = report_scene(GroundPlaneEstimator(), scene), GroundPlaneEstimator().estimate(scene)
    assert report.camera is not None
    assert report.camera.height_m == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.1)
    assert report.camera.pitch_deg == pytest.approx(math.degrees(EXAMPLE_CAMERA.pitch_rad), abs=2)
    assert report.camera.focal_length_px == EXAMPLE_CAMERA.focal_length_px
    assert report.camera.residual == pytest.approx(0.09 / 1.685, rel=0.2)
    assert (report.density_per_m2, report.interval_per_m2) == (estimate.value, estimate.interval)
    assert report.peak_per_m2 is not None
    assert report.peak_per_m2 > 1.0
    assert (report.person_count, report.level, report.reason) == (100, "ABCDEF"[estimate.class_index or 0], None)


def test_the_peak_has_a_level_and_people_above_each_boundary_are_counted() -> None:
    """A dense group of 40 people and 60 people spread out: the mean hides the group."""
    rng = np.random.default_rng(1)
    dense = np.array([0.0, 14.0]) + 0.55 * np.stack(np.mgrid[:8, :5], -1).reshape(-1, 2) + rng.normal(0, 0.05, (40, 2))
    spread = np.stack([rng.uniform(-8, 8, 60), rng.uniform(11, 24, 60)], axis=1)
    estimator = GroundPlaneEstimator(scale="0.7,1,2")
    scene = crowd_scene(np.concatenate([dense, spread]))
    report, measurement = report_scene(estimator, scene), estimator.measure(scene)
    assert isinstance(measurement, GroundMeasurement)
    assert (report.level, report.peak_level) == ("below 0.7", "above 2")
    expected = [np.mean(measurement.local_densities_per_m2 > bound) for bound in (0.7, 1, 2)]
    assert report.fractions_above == pytest.approx(expected)
    assert 0.6 > report.fractions_above[0] > report.fractions_above[1] > report.fractions_above[2] > 0.1


def test_rows_have_the_same_columns_for_known_and_unknown_densities() -> None:
    estimator = GroundPlaneEstimator(scale="0.5,1")
    reports = report_scenes(estimator, [crowd_scene(crowd_positions(count)) for count in (100, 3)])
    known, unknown = report_rows(reports, estimator.class_bounds.values)
    assert list(known) == list(unknown)
    assert known["fraction_above_0.5_per_m2"] == reports[0].fractions_above[0]
    assert (known["density_per_m2"], known["level"], known["peak_level"]) == (
        reports[0].density_per_m2,
        reports[0].level,
        reports[0].peak_level,
    )
    assert unknown["density_per_m2"] is unknown["fraction_above_1_per_m2"] is unknown["camera_height_m"] is None
    assert unknown["reason"] == "fewer than 5 people with a full-body box"


def test_an_unknown_focal_length_is_marked() -> None:
    reports = [
        report_scene(GroundPlaneEstimator(), crowd_scene(crowd_positions(100), focal_length_known=is_known))
        for is_known in (True, False)
    ]
    known = [report.camera.focal_length_known for report in reports if report.camera is not None]
    assert known == [True, False]


def test_a_report_of_an_unknown_density_contains_the_reason() -> None:
    report = report_scene(GroundPlaneEstimator(), crowd_scene(crowd_positions(3)))
    reason = "fewer than 5 people with a full-body box"
    assert report == ImageReport(image="crowd", person_count=3, reason=reason)


def test_the_repr_of_a_report_is_one_line() -> None:
    report = ImageReport(
        image="a,1", person_count=31, density_per_m2=0.84, interval_per_m2=(0.66, 1.07), peak_per_m2=2.0, level="D"
    )
    assert repr(report) == "ImageReport('a,1', 31 people, 0.84 persons/m², 0.66–1.07, level 'D')"
    unknown = ImageReport(image="b", person_count=3, reason="fewer than 5 people with a full-body box")
    assert repr(unknown) == "ImageReport('b', 3 people, unknown: fewer than 5 people with a full-body box)"


def test_a_shared_camera_is_that_of_all_reports() -> None:
    scenes = [crowd_scene(crowd_positions(12, seed), seed=seed) for seed in range(8)]
    fitted = GroundPlaneEstimator(shared_camera=True).fit(scenes)
    camera = report_shared_camera(fitted, scenes)
    assert camera is not None
    assert camera.height_m == pytest.approx(EXAMPLE_CAMERA.height_m, rel=0.1)
    assert camera.focal_length_known
    heights = [report.camera and report.camera.height_m for report in report_scenes(fitted, scenes)]
    assert heights == [pytest.approx(camera.height_m)] * 8
    assert report_shared_camera(GroundPlaneEstimator(), scenes) is None


def test_a_report_with_a_homography_has_no_camera(tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    path.write_text(json.dumps({"image_to_ground_m": [[0.02, 0, 0], [0, 0.04, 0], [0, 0, 1]]}))
    scene = replace(crowd_scene(crowd_positions(100)), focal_length_px=None)
    report = report_scene(GroundPlaneEstimator(homography=path), scene)
    assert report.camera is None
    assert report.density_per_m2 is not None
    assert report.peak_per_m2 is not None


@pytest.mark.parametrize("seed", range(3))
def test_reported_numbers_of_irregular_scenes_are_finite(seed: int) -> None:
    rng = np.random.default_rng(seed)
    irregular = [irregular_scene(rng, int(count)) for count in rng.integers(0, 60, 30)]
    far = [
        crowd_scene(crowd_positions(int(count), seed, (rng.uniform(-8, 8), rng.uniform(8, 60))))
        for count in range(5, 80, 5)
    ]
    estimators = (GroundPlaneEstimator(), GroundPlaneEstimator(cameras=(5.0, 20.0, 560.0)))
    reports = [report_scene(estimator, scene) for estimator in estimators for scene in (*irregular, *far)]
    known = [report for report in reports if report.reason is None]
    assert len(known) > 10
    for report in known:
        assert report.interval_per_m2 is not None
        assert np.isfinite([report.density_per_m2, report.peak_per_m2, *report.interval_per_m2]).all()

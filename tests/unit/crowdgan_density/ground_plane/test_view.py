"""The measured part of an image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_core.scenes.transform import ImageTransform
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.view import MeasuredView, visible_ground
from tests.support.crowds import SIDE_M, crowd_positions, crowd_scene


def test_people_with_feet_below_the_image_are_outside_the_region() -> None:
    scene = crowd_scene(crowd_positions(100))
    view = MeasuredView.from_scene(scene)
    cut = MeasuredView.from_scene(replace(scene, size=(300, 640)))
    assert np.count_nonzero(cut.in_region) == np.count_nonzero(view.feet_px[:, 1] <= 300)


def test_a_crop_restricts_the_region_of_the_full_image() -> None:
    scene = crowd_scene(np.vstack([crowd_positions(36, 1, (-5.5, 20.0)), crowd_positions(144, 2, (5.5, 20.0))]))
    transform = ImageTransform(name="center-crop", size=(240, 240))
    view = MeasuredView.from_scene(transform.scene(scene, transform.geometry(scene.size)))
    assert view.size == scene.size
    assert 0 < np.count_nonzero(view.in_region) < len(scene)


def test_visible_ground_contains_all_people_and_ends_behind_them() -> None:
    scene = crowd_scene(crowd_positions(100))
    measurement = GroundPlaneEstimator().measure(scene)
    assert isinstance(measurement, GroundMeasurement)
    ground = visible_ground(MeasuredView.from_scene(scene), measurement.projection, measurement.positions_m)
    assert polygon_area_m2(ground) > SIDE_M**2
    assert ground[:, 1].max() < 1.5 * measurement.positions_m[:, 1].max()


def test_reprs_of_views_and_measurements_are_one_line() -> None:
    scene = crowd_scene(crowd_positions(100))
    view = MeasuredView.from_scene(scene)
    assert repr(view) == "MeasuredView(640x480, 100 people, 100 in the measured region)"
    measurement = GroundPlaneEstimator().measure(scene)
    assert isinstance(measurement, GroundMeasurement)
    density, (low, high) = measurement.density_per_m2, measurement.interval_per_m2
    positions = len(measurement.positions_m)
    assert (
        repr(measurement)
        == f"GroundMeasurement({density:.2f} persons/m², {low:.2f}–{high:.2f}, {positions} positions, 1 groups)"
    )

"""Persons/m² from Voronoi cells on the ground, and the peak of the local densities."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.scenes.scene import Scene
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.voronoi import VoronoiEstimator, inner_areas_m2
from crowdgan_density.ground_plane.voronoi_cells import local_densities_per_m2, peak_per_m2
from tests.support.crowds import SIDE_M, crowd_positions, crowd_scene


def measure(scene: Scene) -> GroundMeasurement:
    measurement = GroundPlaneEstimator().measure(scene)
    assert isinstance(measurement, GroundMeasurement)
    return measurement


@pytest.mark.parametrize("num_people", [49, 100, 196])
def test_a_known_density_is_recovered(num_people: int) -> None:
    estimate = VoronoiEstimator().estimate(crowd_scene(crowd_positions(num_people)))
    assert estimate.value == pytest.approx(num_people / SIDE_M**2, rel=0.2)
    assert estimate.interval is not None
    assert estimate.interval[0] < num_people / SIDE_M**2 < estimate.interval[1]


def test_the_density_is_that_of_ground_if_too_few_cells_are_inside_groups() -> None:
    scene = crowd_scene(crowd_positions(9))
    assert len(inner_areas_m2(measure(scene).positions_m)) < 5
    assert VoronoiEstimator().estimate(scene).value == GroundPlaneEstimator().estimate(scene).value


def test_the_interval_is_wider_than_that_of_ground() -> None:
    scene = crowd_scene(crowd_positions(100))
    widths = [
        estimate.interval[1] / estimate.interval[0]
        for estimator in (GroundPlaneEstimator(), VoronoiEstimator())
        if (estimate := estimator.estimate(scene)).interval is not None
    ]
    assert widths[1] > 1.05 * widths[0]


def test_cells_inside_a_lattice_are_its_squares() -> None:
    lattice = np.stack(np.meshgrid(range(5), range(4)), axis=-1).reshape(-1, 2) * 4.0
    np.testing.assert_allclose(inner_areas_m2(lattice), np.full(3 * 2, 16.0))
    line = np.column_stack([np.arange(9.0), np.zeros(9)])
    assert len(inner_areas_m2(line)) == 0


def test_ground_between_two_groups_belongs_to_no_cell() -> None:
    lattice = np.stack(np.meshgrid(range(5), range(5)), axis=-1).reshape(-1, 2) * 1.0
    areas = inner_areas_m2(np.vstack([lattice, lattice + np.array([40.0, 0.0])]))
    np.testing.assert_allclose(areas, np.ones(2 * 9))


def test_the_peak_is_above_the_mean_and_increases_with_a_dense_spot() -> None:
    even = crowd_scene(crowd_positions(100))
    spot = np.array([0.0, 16.0]) + crowd_positions(25, 5, (0.0, 0.0)) * 0.1
    uneven = crowd_scene(np.vstack([crowd_positions(100), spot]))
    peaks = [measure(scene).peak_per_m2 for scene in (even, uneven)]
    assert peaks[0] > 1.0
    assert peaks[1] > 5 * peaks[0]


def test_the_peak_of_a_few_people_is_at_least_the_mean() -> None:
    measurement = measure(crowd_scene(crowd_positions(8, 8), seed=8))
    assert measurement.peak_per_m2 == measurement.density_per_m2


def test_one_in_twenty_people_has_a_local_density_above_the_peak() -> None:
    positions, ground = crowd_positions(100), np.array([[-6.0, 10.0], [6.0, 10.0], [6.0, 22.0], [-6.0, 22.0]])
    local = local_densities_per_m2(positions, ground, 3.0)
    assert np.count_nonzero(local > peak_per_m2(positions, ground)) == 5
    outside = np.vstack([positions, [100.0, 100.0]])
    assert peak_per_m2(outside, ground) == pytest.approx(peak_per_m2(positions, ground))


def test_people_with_outlier_boxes_increase_peak_and_density_equally() -> None:
    scene = crowd_scene(crowd_positions(100))
    doubled = scene.select(np.repeat(np.arange(100), [2] * 12 + [1] * 88))
    doubled.full_boxes[:24:2, 3] *= 0.4  # an outlier box at the position of each of 12 people
    with_outliers, without = measure(doubled), measure(scene)
    assert with_outliers.people_per_position == pytest.approx(1.12 * without.people_per_position, rel=0.02)
    assert with_outliers.peak_per_m2 == pytest.approx(1.12 * without.peak_per_m2, rel=0.1)

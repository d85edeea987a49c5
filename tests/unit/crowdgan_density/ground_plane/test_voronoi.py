"""Persons/m² from Voronoi cells on the ground, and the peak of the local densities."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.measurement import GroundMeasurement
from crowdgan_density.ground_plane.view import MeasuredView, visible_ground
from crowdgan_density.ground_plane.voronoi import VoronoiEstimator, inner_areas_m2
from crowdgan_density.ground_plane.voronoi_cells import local_densities_per_m2, peak_per_m2
from tests.unit.crowdgan_density.ground_plane.test_ground import SIDE_M, places, scene_of


def measured(scene: Scene) -> GroundMeasurement:
    found = GroundPlaneEstimator().measured(scene)
    assert isinstance(found, GroundMeasurement)
    return found


@pytest.mark.parametrize("count", [49, 100, 196])
def test_a_known_density_comes_back(count: int) -> None:
    density = VoronoiEstimator().estimate(scene_of(places(count)))
    assert density.value == pytest.approx(count / SIDE_M**2, rel=0.2)
    assert density.interval is not None
    assert density.interval[0] < count / SIDE_M**2 < density.interval[1]


def test_where_too_few_stand_inside_the_crowd_it_is_the_density_of_ground() -> None:
    scene = scene_of(places(9))
    assert len(inner_areas_m2(measured(scene).positions_m)) < 5
    assert VoronoiEstimator().estimate(scene).value == GroundPlaneEstimator().estimate(scene).value


def test_fewer_people_make_a_wider_interval_than_that_of_ground() -> None:
    scene = scene_of(places(100))
    widths = [
        density.interval[1] / density.interval[0]
        for using in (GroundPlaneEstimator(), VoronoiEstimator())
        if (density := using.estimate(scene)).interval is not None
    ]
    assert widths[1] > 1.05 * widths[0]


def test_cells_inside_a_lattice_are_its_squares() -> None:
    lattice = np.stack(np.meshgrid(range(5), range(4)), axis=-1).reshape(-1, 2) * 4.0
    np.testing.assert_allclose(inner_areas_m2(lattice), np.full(3 * 2, 16.0))
    line = np.column_stack([np.arange(9.0), np.zeros(9)])
    assert len(inner_areas_m2(line)) == 0


def test_ground_between_two_groups_is_nobodys() -> None:
    lattice = np.stack(np.meshgrid(range(5), range(5)), axis=-1).reshape(-1, 2) * 1.0
    areas = inner_areas_m2(np.vstack([lattice, lattice + np.array([40.0, 0.0])]))
    np.testing.assert_allclose(areas, np.ones(2 * 9))


def test_the_peak_is_above_the_mean_and_rises_with_a_knot_of_people() -> None:
    even = scene_of(places(100))
    knot = scene_of(np.vstack([places(100), np.array([0.0, 16.0]) + places(25, 5, (0.0, 0.0)) * 0.1]))
    peaks = [measured(scene).peak_per_m2 for scene in (even, knot)]
    assert peaks[0] > 1.0
    assert peaks[1] > 5 * peaks[0]


def test_the_peak_of_a_few_people_is_at_least_the_mean() -> None:
    found = measured(scene_of(places(8, 8), seed=8))
    assert found.peak_per_m2 == found.density_per_m2


def test_the_peak_is_what_one_in_twenty_people_is_in() -> None:
    positions, ground = places(100), np.array([[-6.0, 10.0], [6.0, 10.0], [6.0, 22.0], [-6.0, 22.0]])
    local = local_densities_per_m2(positions, ground, 3.0)
    assert np.count_nonzero(local > peak_per_m2(positions, ground)) == 5
    outside = np.vstack([positions, [100.0, 100.0]])
    assert peak_per_m2(outside, ground) == pytest.approx(peak_per_m2(positions, ground))


def test_people_with_wrong_boxes_raise_the_peak_as_they_raise_the_density() -> None:
    scene = scene_of(places(100))
    twice = scene.select(np.repeat(np.arange(100), [2] * 12 + [1] * 88))
    twice.full_boxes[:24:2, 3] *= 0.4  # heads and feet of other people: wrong boxes where people stand
    found, right = measured(twice), measured(scene)
    assert found.people_per_position == pytest.approx(1.12 * right.people_per_position, rel=0.02)
    assert found.peak_per_m2 == pytest.approx(1.12 * right.peak_per_m2, rel=0.1)


def test_the_shown_ground_holds_everybody_and_ends_behind_them() -> None:
    scene = scene_of(places(100))
    found = measured(scene)
    ground = visible_ground(MeasuredView.of(scene), found.view, found.positions_m)
    assert polygon_area_m2(ground) > SIDE_M**2
    assert ground[:, 1].max() < 1.5 * found.positions_m[:, 1].max()

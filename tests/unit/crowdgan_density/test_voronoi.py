"""Persons/m² from Voronoi cells on the ground."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.camera import polygon_area_m2
from crowdgan_core.errors import ConfigError
from crowdgan_density.frame import Frame, shown_ground
from crowdgan_density.ground import Ground, GroundMeasure
from crowdgan_density.voronoi import Voronoi
from tests.unit.crowdgan_density.test_ground import SIDE_M, places, scene_of


def measured(count: int) -> GroundMeasure:
    found = Voronoi().measured(scene_of(places(count)))
    assert isinstance(found, GroundMeasure)
    return found


@pytest.mark.parametrize("count", [49, 100, 196])
def test_a_known_density_comes_back(count: int) -> None:
    density = Voronoi().estimate(scene_of(places(count)))
    assert density.value == pytest.approx(count / SIDE_M**2, rel=0.2)
    assert density.interval is not None
    assert density.interval[0] < count / SIDE_M**2 < density.interval[1]


def test_where_every_cell_is_cut_it_is_the_density_of_ground() -> None:
    scene, narrow = scene_of(places(9)), Voronoi(cutoff_m=0.5)
    assert len(narrow.inner_areas(measured(9))) == 0
    assert narrow.estimate(scene).value == Ground().estimate(scene).value


def test_the_peak_is_above_the_mean_and_rises_with_a_knot_of_people() -> None:
    even = scene_of(places(100))
    knot = scene_of(np.vstack([places(100), np.array([0.0, 16.0]) + places(25, 5, (0.0, 0.0)) * 0.1]))
    founds = [Voronoi().measured(scene) for scene in (even, knot)]
    assert all(isinstance(found, GroundMeasure) for found in founds), founds
    peaks = [Voronoi().peak_per_m2(scene, found) for scene, found in zip((even, knot), founds, strict=True)]
    assert peaks[0] > 1.0
    assert peaks[1] > 5 * peaks[0]


def test_the_shown_ground_holds_everybody_and_ends_behind_them() -> None:
    scene, found = scene_of(places(100)), measured(100)
    ground = shown_ground(Frame.of(scene), found.view, found.positions_m)
    assert polygon_area_m2(ground) > SIDE_M**2
    assert ground[:, 1].max() < 1.5 * found.positions_m[:, 1].max()


def test_a_radius_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cutoff_m is 0.0; it must be above 0"):
        Voronoi(cutoff_m=0.0)

"""Voronoi cells on the ground, compared with PedPy and with their definition."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdgan_core.errors import DensityError
from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_density.ground_plane.voronoi_cells import (
    cell_areas,
    interior_cell_areas,
    local_densities_per_m2,
    voronoi_cells,
)

TRAPEZOID = np.array([[-3, 4], [3, 4], [20, 40], [-20, 40]], float)
SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
PENTAGON = np.array([[0, 0], [10, 0], [12, 7], [5, 11], [-2, 6]], float)


def random_positions(ground, count, seed=17):
    """Random positions inside a convex counterclockwise polygon, by barycentric weights of its corners."""
    return np.random.default_rng(seed).dirichlet(np.full(len(ground), 0.7), count) @ ground


def is_inside(polygon, point, tolerance=1e-9):
    edges, offsets = np.roll(polygon, -1, axis=0) - polygon, point - polygon
    return bool((edges[:, 0] * offsets[:, 1] - edges[:, 1] * offsets[:, 0] >= -tolerance).all())


def cell_fraction(positions, person, polygon, cutoff_m, points):
    """Fraction of the points that are in the polygon, nearest to one person and within the cut-off."""
    distances = np.hypot(*(points[:, None] - positions).transpose(2, 0, 1))
    inside = np.array([is_inside(polygon, point) for point in points])
    nearest = distances.argmin(axis=1) == person
    return np.mean(inside & nearest & (distances[:, person] <= cutoff_m))


@pytest.mark.parametrize("cutoff_m", [None, 0.5, 2.0, 100.0])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 10, 300])
@pytest.mark.parametrize("ground", [TRAPEZOID, PENTAGON], ids=["trapezoid", "pentagon"])
def test_areas_and_densities_equal_those_of_pedpy(ground, count, cutoff_m):
    pedpy = pytest.importorskip("pedpy", reason="PedPy needs Python 3.11 and numpy 2")
    import pandas as pd

    positions = random_positions(ground, count)
    table = pd.DataFrame({"id": range(count), "frame": 0, "x": positions[:, 0], "y": positions[:, 1]})
    cells = pedpy.compute_individual_voronoi_polygons(
        traj_data=pedpy.TrajectoryData(table, frame_rate=1.0),
        walkable_area=pedpy.WalkableArea(ground),
        cut_off=None if cutoff_m is None else pedpy.Cutoff(radius=cutoff_m),
    ).sort_values("id")
    areas = [polygon.area for polygon in cells["polygon"]]
    np.testing.assert_allclose(cell_areas(positions, ground, cutoff_m), areas, rtol=1e-9)
    np.testing.assert_allclose(local_densities_per_m2(positions, ground, cutoff_m), cells["density"], rtol=1e-9)


def test_cells_contain_the_points_nearest_to_their_person():
    positions, points = random_positions(SQUARE, 6), np.random.default_rng(3).uniform(0, 10, (4000, 2))
    areas = cell_areas(positions, SQUARE, 2.5, quad_segments=50)
    for person in range(6):
        fraction = cell_fraction(positions, person, SQUARE, 2.5, points)
        assert areas[person] == pytest.approx(100 * fraction, abs=3)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 40, 400])
def test_cells_without_a_disc_cover_the_ground(count):
    areas = cell_areas(random_positions(PENTAGON, count), PENTAGON, None)
    assert areas.sum() == pytest.approx(polygon_area_m2(PENTAGON))


def test_cells_of_collinear_people_are_strips():
    positions = np.array([[1, 5], [3, 5], [5, 5], [9, 5]], float)
    np.testing.assert_allclose(cell_areas(positions, SQUARE, None), [20, 20, 30, 30])


def test_corners_of_cells_are_counterclockwise():
    first, second = voronoi_cells(np.array([[2.0, 5.0], [8.0, 5.0]]), SQUARE, None)
    np.testing.assert_allclose(np.roll(first, -np.lexsort(first.T)[0], axis=0), [[0, 0], [5, 0], [5, 10], [0, 10]])
    np.testing.assert_allclose(np.roll(second, -np.lexsort(second.T)[0], axis=0), [[5, 0], [10, 0], [10, 10], [5, 10]])


@pytest.mark.parametrize("cutoff_m", [None, 1.5])
def test_areas_of_polygons_equal_cell_areas(cutoff_m):
    positions = random_positions(TRAPEZOID, 60)
    polygons = voronoi_cells(positions, TRAPEZOID, cutoff_m)
    areas = [polygon_area_m2(polygon) for polygon in polygons]
    np.testing.assert_allclose(areas, cell_areas(positions, TRAPEZOID, cutoff_m))


def test_the_cell_of_a_single_person_is_the_disc():
    areas = [cell_areas(np.array([[5.0, 5.0]]), SQUARE, 2.0, quad_segments=n)[0] for n in (1, 3, 1000)]
    np.testing.assert_allclose(areas, [8, 12, 4 * math.pi], rtol=1e-6)


def test_local_densities_in_a_hexagonal_lattice_equal_its_density():
    spacing, (rows, columns) = 0.8, np.mgrid[0:20, 0:20]
    positions = np.stack([columns + rows % 2 / 2, rows * math.sqrt(3) / 2], axis=-1) * spacing
    ground = SQUARE * 1.7 - 0.5
    inner = local_densities_per_m2(positions.reshape(-1, 2), ground, 1.0).reshape(20, 20)[3:-3, 3:-3]
    np.testing.assert_allclose(inner, 2 / (math.sqrt(3) * spacing**2))


def test_areas_do_not_depend_on_order_direction_or_translation():
    positions, order = random_positions(TRAPEZOID, 50), np.random.default_rng(5).permutation(50)
    offset = np.array([300, -70])
    areas = cell_areas(positions, TRAPEZOID, 2.0)
    np.testing.assert_allclose(cell_areas(positions[order], TRAPEZOID[::-1], 2.0), areas[order])
    np.testing.assert_allclose(cell_areas(positions + offset, TRAPEZOID + offset, 2.0), areas)


def test_people_at_the_same_position_have_equal_fractions_of_their_cell():
    positions = np.array([[2, 5], [8, 5], [2, 5], [2, 5 + 1e-7]], float)
    np.testing.assert_allclose(cell_areas(positions, SQUARE, None), [50 / 3, 50, 50 / 3, 50 / 3])
    np.testing.assert_allclose(local_densities_per_m2(positions, SQUARE, None), [0.06, 0.02, 0.06, 0.06])
    polygons = voronoi_cells(positions, SQUARE, None)
    assert [polygon_area_m2(polygon) for polygon in polygons] == pytest.approx([50, 50, 50, 50])


def test_people_outside_have_no_cell_but_bound_the_cells_inside():
    positions = np.array([[5, 5], [5, 11], [math.nan, 3], [math.inf, 3], [1e9, 5]])
    np.testing.assert_allclose(cell_areas(positions, SQUARE, None), [80, 0, 0, 0, 0])
    densities = local_densities_per_m2(positions, SQUARE, None)
    np.testing.assert_allclose(densities, [1 / 80, math.nan, math.nan, math.nan, math.nan])
    assert [polygon.shape for polygon in voronoi_cells(positions, SQUARE, None)] == [(4, 2), *[(0, 2)] * 4]


def test_people_on_the_edge_are_inside():
    areas = cell_areas(PENTAGON, PENTAGON, None)
    assert (areas > 0).all()
    assert areas.sum() == pytest.approx(polygon_area_m2(PENTAGON))


@pytest.mark.parametrize("positions", [np.empty((0, 2)), np.array([[20.0, 20.0]])], ids=["no people", "outside"])
def test_ground_without_people_has_no_cells(positions):
    assert cell_areas(positions, SQUARE, 2.0).tolist() == [0.0] * len(positions)
    assert np.isnan(local_densities_per_m2(positions, SQUARE, 2.0)).all()
    assert [polygon.shape for polygon in voronoi_cells(positions, SQUARE, 2.0)] == [(0, 2)] * len(positions)


@pytest.mark.parametrize(
    ("ground", "cutoff_m", "message"),
    [
        (np.empty((0, 2)), None, "the ground has 0 corners and an area of 0.0 m²; it must have an area"),
        (SQUARE[[0, 2]], None, "the ground has 2 corners and an area of 0.0 m²; it must have an area"),
        (np.vstack([SQUARE, [[5, 5]]]), None, "the ground is not convex; give the corners of a convex polygon"),
        (SQUARE, 0.0, "the disc has radius 0.0 m and 3 edges per quarter; both must be above 0"),
    ],
)
def test_an_invalid_ground_or_disc_is_an_error(ground, cutoff_m, message):
    with pytest.raises(DensityError, match=f"^{re.escape(message)}$"):
        cell_areas(np.array([[5.0, 5.0]]), ground, cutoff_m)


coordinates = st.floats(0, 10) | st.integers(0, 10).map(float)


@given(
    st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=40), st.sampled_from([0.0, 1e-12, 1e-7, 1e-4])
)
def test_cells_cover_the_ground_and_contain_their_person(points, jitter_m):
    rng = np.random.default_rng(17)
    positions = np.clip(
        np.array(points + points[:5]) + rng.uniform(-jitter_m, jitter_m, (len(points + points[:5]), 2)), 0, 10
    )
    assert cell_areas(positions, SQUARE, None).sum() == pytest.approx(100)
    polygons = voronoi_cells(positions, SQUARE, None)
    assert all(
        is_inside(polygon, position, tolerance=1e-4) for polygon, position in zip(polygons, positions, strict=True)
    )
    limited = cell_areas(positions, SQUARE, 1.0)
    assert (limited <= cell_areas(positions, SQUARE, None) + 1e-9).all()
    assert (limited <= 3 + 1e-9).all()


def test_interior_cells_are_those_not_clipped_by_the_edge() -> None:
    positions = np.random.default_rng(4).uniform(0, 10, (80, 2))
    ground = np.array([[2.0, 2.0], [8.0, 2.0], [8.0, 8.0], [2.0, 8.0]])
    interior, clipped = interior_cell_areas(positions, ground), cell_areas(positions, ground, None)
    is_interior = np.isfinite(interior)
    assert 5 < np.count_nonzero(is_interior) < np.count_nonzero(clipped)
    np.testing.assert_allclose(interior[is_interior], clipped[is_interior])
    unclipped = cell_areas(positions, np.array([[-99.0, -99.0], [99.0, -99.0], [99.0, 99.0], [-99.0, 99.0]]), None)
    assert (clipped[~is_interior] < unclipped[~is_interior]).all()


def test_people_at_the_same_position_have_equal_fractions_of_an_interior_cell() -> None:
    lattice = np.stack(np.meshgrid(range(3), range(3)), axis=-1).reshape(-1, 2) * 1.0
    areas = interior_cell_areas(np.vstack([lattice, lattice[4]]), lattice[[0, 2, 8, 6]])
    np.testing.assert_allclose(areas[[4, 9]], [0.5, 0.5])
    assert np.isnan(np.delete(areas, [4, 9])).all()

"""Map of the local density on occupied ground."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_density.ground_plane.density_map import DensityMap, cell_centres, density_map
from crowdgan_density.ground_plane.groups import hull_density
from crowdgan_density.ground_plane.voronoi_cells import interior_cell_areas

NO_KERNEL_M = 1e-6
"""Radius of a kernel that smooths nothing."""


def lattice(spacing_m: float, columns: int, rows: int) -> np.ndarray:
    return spacing_m * np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=2).reshape(-1, 2)


def random_crowd(density_per_m2: float, size_m: tuple[float, float], seed: int) -> np.ndarray:
    count = int(density_per_m2 * size_m[0] * size_m[1])
    return np.random.default_rng(seed).uniform(0, size_m, (count, 2))


def require_map(*groups: np.ndarray, people_per_position: float = 1.0, kernel_radius_m: float = 1.0) -> DensityMap:
    result = density_map(groups, people_per_position, kernel_radius_m)
    assert result is not None
    return result


@pytest.mark.parametrize("density_per_m2", [0.5, 1.5, 4.0])
def test_the_mean_of_the_map_is_the_density_of_the_group(density_per_m2: float) -> None:
    ratios = []
    for seed in range(8):
        crowd = random_crowd(density_per_m2, (12, 9), seed)
        estimate = hull_density(crowd, [np.arange(len(crowd))])
        assert estimate is not None
        ratios.append(np.nanmean(require_map(crowd).occupied_values_per_m2()) / estimate[0])
    assert np.mean(ratios) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("spacing_m", [0.5, 1.0, 2.0])
def test_the_density_inside_a_lattice_is_one_person_per_cell(spacing_m: float) -> None:
    inside = lattice(spacing_m, 8, 4) + 3 * spacing_m
    density = require_map(lattice(spacing_m, 14, 10)).density_per_m2(inside)
    assert density == pytest.approx(1 / spacing_m**2, rel=0.03)


def test_the_density_of_a_cell_is_the_inverse_of_its_area_without_a_kernel() -> None:
    crowd = random_crowd(0.8, (12, 9), 0)
    result = require_map(crowd, kernel_radius_m=NO_KERNEL_M)
    areas = interior_cell_areas(crowd, result.hulls_m[0])
    inner = np.isfinite(areas) & (areas > 0.1)
    rows, columns = ((crowd[inner] - result.corner_m) / result.cell_m).astype(int).T[::-1]
    assert result.values_per_m2[rows, columns] == pytest.approx(1 / areas[inner])


def test_edges_of_a_crowd_are_about_as_dense_as_its_inside() -> None:
    at_edge, inside = [], []
    for seed in range(8):
        result = require_map(random_crowd(1.5, (12, 6), seed))
        values = result.occupied_values_per_m2()
        centres = cell_centres(result.extent_m, values.shape)
        distances = np.minimum(centres, [12, 6] - centres).min(axis=1).reshape(values.shape)
        at_edge.append(np.nanmean(values[distances < 0.6]))
        inside.append(np.nanmean(values[distances > 1.5]))
    assert np.mean(at_edge) == pytest.approx(np.mean(inside), rel=0.05)


def test_the_density_is_that_of_all_people_if_some_have_no_position() -> None:
    crowd = random_crowd(1.0, (8, 8), 0)
    once, twice = require_map(crowd), require_map(crowd, people_per_position=2.0)
    assert twice.values_per_m2 == pytest.approx(2 * once.values_per_m2)


def test_people_at_one_position_count_as_many_people() -> None:
    crowd = lattice(1.0, 9, 9)
    pile = np.vstack([crowd, np.tile([4.0, 4.0], (3, 1))])
    single, several = (require_map(item, kernel_radius_m=NO_KERNEL_M) for item in (crowd, pile))
    at_pile = np.array([[4.0, 4.0]])
    assert several.density_per_m2(at_pile) == pytest.approx(4 * single.density_per_m2(at_pile), rel=0.01)


def test_ground_outside_the_hulls_has_no_density() -> None:
    left, right = lattice(1.0, 5, 5), lattice(1.0, 5, 5) + np.array([20.0, 0.0])
    result = require_map(left, right)
    assert np.isnan(result.density_per_m2(np.array([[10.0, 2.0], [-0.1, 2.0], [np.nan, 2.0]]))).all()
    assert np.isfinite(result.density_per_m2(np.array([[2.0, 2.0], [22.0, 2.0], [0.0, 0.0]]))).all()
    values = result.occupied_values_per_m2()
    assert np.isnan(values[:, values.shape[1] // 2]).all()
    assert repr(result) == "DensityMap(300x57 cells of 0.082 m, 2 groups)"


def test_the_map_does_not_depend_on_the_order_and_moves_with_the_people() -> None:
    crowd = random_crowd(1.0, (10, 5), 1)
    first = require_map(crowd)
    shuffled = require_map(crowd[np.random.default_rng(2).permutation(len(crowd))])
    moved = require_map(crowd + np.array([100.0, -40.0]))
    assert shuffled.values_per_m2 == pytest.approx(first.values_per_m2)
    assert moved.values_per_m2 == pytest.approx(first.values_per_m2, rel=0.02)
    assert np.subtract(moved.corner_m, first.corner_m) == pytest.approx([100, -40])


@pytest.mark.parametrize("groups", [[], [np.array([[0.0, 0], [1, 0], [2, 0], [3, 0], [4, 0]])]])
def test_without_a_group_that_spans_an_area_there_is_no_map(groups: list[np.ndarray]) -> None:
    assert density_map(groups) is None

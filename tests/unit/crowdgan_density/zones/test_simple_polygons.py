"""Points in simple polygons, distances to their outline, and crossing edges; compared with Shapely."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from crowdgan_density.zones.simple_polygons import crossing_edges, is_inside, outline_distances

L_SHAPE = np.array([[0, 0], [4, 0], [4, 1], [1, 1], [1, 3], [0, 3]], float)
BOW_TIE = np.array([[0, 0], [2, 2], [2, 0], [0, 2]], float)


def star(num_corners: int, seed: int) -> np.ndarray:
    """A simple polygon that is not convex: random radii around a centre."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, num_corners))
    return 5 + rng.uniform(1, 4, (num_corners, 1)) * np.stack([np.cos(angles), np.sin(angles)], axis=1)


@pytest.mark.parametrize("polygon", [L_SHAPE, L_SHAPE[::-1], star(9, 1), star(40, 2)], ids=len)
def test_points_and_distances_equal_those_of_shapely(polygon: np.ndarray) -> None:
    points = np.random.default_rng(0).uniform(-1, 10, (500, 2))
    shape = shapely.Polygon(polygon)
    assert is_inside(points, polygon).tolist() == shapely.contains_xy(shape, points).tolist()
    expected = shapely.distance(shape.exterior, shapely.points(points))
    np.testing.assert_allclose(outline_distances(points, polygon), expected, atol=1e-9)


def test_points_that_are_not_finite_are_outside() -> None:
    assert not is_inside(np.array([[np.nan, 1.0], [np.inf, 1.0]]), L_SHAPE).any()


def test_crossing_edges_are_found() -> None:
    assert crossing_edges(BOW_TIE) == (0, 2)
    touching = np.array([[0, 0], [4, 0], [4, 4], [2, 0], [0, 4]], float)  # a corner on another edge
    assert crossing_edges(touching) is not None
    spike = np.array([[0, 0], [4, 0], [4, 4], [4, 2], [0, 4]], float)  # an edge that returns along another
    assert crossing_edges(spike) is not None


@pytest.mark.parametrize("seed", range(40))
def test_polygons_are_simple_if_shapely_finds_them_valid(seed: int) -> None:
    polygon = np.random.default_rng(seed).uniform(0, 10, (4 + seed % 4, 2))
    assert (crossing_edges(polygon) is None) == shapely.Polygon(polygon).is_valid
    assert crossing_edges(star(4 + seed, seed)) is None or not shapely.Polygon(star(4 + seed, seed)).is_valid

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_core.synthetic.world.polygons import ellipse_polygon, hard_core_points, random_points
from crowdgan_core.utils.clipping import clip_half_plane, inside_mask, intersect_convex
from tests.support.synthetic_worlds import min_distance

SQUARE = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])


def test_a_half_plane_cuts_a_square_into_two_parts_of_the_same_total_area() -> None:
    normal, offset = np.array([0.6, 0.8]), 5.0
    first, second = clip_half_plane(SQUARE, normal, offset), clip_half_plane(SQUARE, -normal, -offset)
    assert polygon_area_m2(first) + polygon_area_m2(second) == pytest.approx(100)
    assert (first @ normal <= offset + 1e-9).all()
    assert clip_half_plane(SQUARE, normal, -1.0).shape == (0, 2)


def test_intersection_of_polygons_contains_the_points_that_lie_in_both() -> None:
    circle = ellipse_polygon(np.array([10.0, 5.0]), np.array([3.0, 2.0]), 0.3, 40)
    intersection = intersect_convex(circle, SQUARE)
    points = random_points(np.random.default_rng(0), np.array([[5.0, 0], [15, 0], [15, 10], [5, 10]]), 40_000)
    fraction = (inside_mask(points, circle) & inside_mask(points, SQUARE)).mean()
    assert polygon_area_m2(intersection) == pytest.approx(100 * fraction, rel=0.03)


def test_random_points_are_uniformly_distributed_in_the_polygon() -> None:
    points = random_points(np.random.default_rng(1), SQUARE, 40_000)
    assert inside_mask(points, SQUARE).all()
    counts, _, _ = np.histogram2d(*points.T, bins=4, range=[[0, 10], [0, 10]])
    np.testing.assert_allclose(counts, 2500, rtol=0.1)


@pytest.mark.parametrize(("count", "requested_m"), [(0, 0.5), (1, 0.5), (300, 0.3), (400, 2.0)])
def test_hard_core_points_have_the_exact_number_and_the_returned_distance(count: int, requested_m: float) -> None:
    points, distance_m = hard_core_points(np.random.default_rng(2), SQUARE, count, requested_m)
    assert points.shape == (count, 2)
    assert inside_mask(points, SQUARE).all()
    assert distance_m <= requested_m
    assert count < 2 or min_distance(points) >= distance_m
    if requested_m < 1:
        assert distance_m == requested_m  # 300 discs of 0.3 m fit: they cover 21 % of the square

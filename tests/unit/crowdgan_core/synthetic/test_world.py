from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_core.synthetic.world.polygons import (
    clip_convex,
    clip_half_plane,
    ellipse_polygon,
    hard_core_points,
    inside_convex,
    random_points,
)
from crowdgan_core.synthetic.world.world import STANDING_HEIGHT_RANGE_M, World, random_world

SQUARE = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])


def nearest_distance(points: np.ndarray) -> float:
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return float(distances.min())


def positions(world: World) -> np.ndarray:
    return np.array([(person.x_m, person.y_m) for person in world.people])


def make(density: float, index: int = 0, size: tuple[int, int] = (480, 640), max_people: int = 200) -> World:
    return random_world(np.random.default_rng([5, index]), size=size, density=density, max_people=max_people)


def test_a_half_plane_cuts_a_square_in_two_parts_that_make_the_whole() -> None:
    normal, offset = np.array([0.6, 0.8]), 5.0
    one, other = clip_half_plane(SQUARE, normal, offset), clip_half_plane(SQUARE, -normal, -offset)
    assert polygon_area_m2(one) + polygon_area_m2(other) == pytest.approx(100)
    assert (one @ normal <= offset + 1e-9).all()
    assert clip_half_plane(SQUARE, normal, -1.0).shape == (0, 2)


def test_intersection_of_polygons_is_where_both_are() -> None:
    circle = ellipse_polygon(np.array([10.0, 5.0]), np.array([3.0, 2.0]), 0.3, 40)
    part = clip_convex(circle, SQUARE)
    points = random_points(np.random.default_rng(0), np.array([[5.0, 0], [15, 0], [15, 10], [5, 10]]), 40_000)
    share = (inside_convex(points, circle) & inside_convex(points, SQUARE)).mean()
    assert polygon_area_m2(part) == pytest.approx(100 * share, rel=0.03)


def test_random_points_lie_inside_and_are_spread_evenly() -> None:
    points = random_points(np.random.default_rng(1), SQUARE, 40_000)
    assert inside_convex(points, SQUARE).all()
    counts, _, _ = np.histogram2d(*points.T, bins=4, range=[[0, 10], [0, 10]])
    np.testing.assert_allclose(counts, 2500, rtol=0.1)


@pytest.mark.parametrize(("count", "wanted_m"), [(0, 0.5), (1, 0.5), (300, 0.3), (400, 2.0)])
def test_hard_core_points_are_exactly_as_many_and_as_far_apart_as_said(count: int, wanted_m: float) -> None:
    points, distance_m = hard_core_points(np.random.default_rng(2), SQUARE, count, wanted_m)
    assert points.shape == (count, 2)
    assert inside_convex(points, SQUARE).all()
    assert distance_m <= wanted_m
    assert count < 2 or nearest_distance(points) >= distance_m
    if wanted_m < 1:
        assert distance_m == wanted_m  # 300 discs of 0.3 m are 21% of the square: there is room


@pytest.mark.parametrize("density", [0.08, 0.5, 1.5, 4.0, 6.0])
@pytest.mark.parametrize("size", [(480, 640), (640, 480), (1080, 1920), (96, 128)])
def test_density_is_the_count_over_the_area_and_close_to_the_wanted_one(density: float, size: tuple[int, int]) -> None:
    for index in range(6):
        world = make(density, index, size)
        count, area = len(world.people), polygon_area_m2(world.region_m)
        assert world.density_per_m2 == count / area
        assert abs(count - density * area) <= 1.0
        assert 1 <= count <= 200
        assert inside_convex(positions(world), world.region_m).all()
        assert nearest_distance(positions(world)) >= world.min_distance_m
        assert world.min_distance_m >= 0.9 * min(0.5, (0.43 / density) ** 0.5)


def test_crowds_are_as_dense_near_the_camera_as_far_from_it() -> None:
    near = far = 0
    for index in range(40):
        world = make(2.0, index)
        y = world.region_m[:, 1]
        halves = [clip_half_plane(world.region_m, np.array([0, sign]), sign * y.mean()) for sign in (1, -1)]
        count = np.count_nonzero(positions(world)[:, 1] <= y.mean())
        near += count - 2.0 * polygon_area_m2(halves[0])
        far += len(world.people) - count - 2.0 * polygon_area_m2(halves[1])
    assert abs(near) < 60  # of about 2,000 persons in each half
    assert abs(far) < 60


def test_the_camera_sees_the_crowd_and_some_feet_are_below_the_image() -> None:
    below = 0
    for index in range(20):
        world = make(1.0, index)
        feet = world.camera.project(np.column_stack([positions(world), np.zeros(len(world.people))]))
        heads = world.camera.project(np.column_stack([positions(world), [person.height_m for person in world.people]]))
        height, width = world.camera.size
        shown = (heads[:, 1] < height) & (feet[:, 1] > 0) & (heads[:, 0] > -20) & (heads[:, 0] < width + 20)
        assert shown.mean() > 0.7
        below += np.count_nonzero(shown & (feet[:, 1] > height))
    assert below > 20


def test_people_are_of_human_size() -> None:
    heights = np.array([person.height_m for index in range(20) for person in make(1.0, index).people])
    low, high = STANDING_HEIGHT_RANGE_M
    assert ((heights >= low) & (heights <= high)).all()
    assert heights.mean() == pytest.approx(1.685, abs=0.02)
    assert heights.std() == pytest.approx(0.09, abs=0.01)


def test_the_same_generator_makes_the_same_world() -> None:
    one, other = make(0.7), make(0.7)
    assert one.people == other.people
    assert one.camera == other.camera
    assert one.people != make(0.7, index=1).people


def test_no_more_than_the_largest_crowd_is_made() -> None:
    assert all(len(make(4.0, index, max_people=12).people) <= 12 for index in range(10))

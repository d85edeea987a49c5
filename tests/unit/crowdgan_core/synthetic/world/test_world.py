from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_core.synthetic.world.polygons import clip_half_plane, inside_mask
from crowdgan_core.synthetic.world.world import STANDING_HEIGHT_RANGE_M, World, random_world
from tests.support.synthetic_worlds import min_distance


def positions(world: World) -> np.ndarray:
    return np.array([(person.x_m, person.y_m) for person in world.people])


def create_world(density: float, index: int = 0, size: tuple[int, int] = (480, 640), max_people: int = 200) -> World:
    return random_world(np.random.default_rng([5, index]), size=size, density=density, max_people=max_people)


@pytest.mark.parametrize("density", [0.08, 0.5, 1.5, 4.0, 6.0])
@pytest.mark.parametrize("size", [(480, 640), (640, 480), (1080, 1920), (96, 128)])
def test_density_is_the_count_per_area_and_close_to_the_requested_one(density: float, size: tuple[int, int]) -> None:
    for index in range(6):
        world = create_world(density, index, size)
        count, area = len(world.people), polygon_area_m2(world.region_m)
        assert world.density_per_m2 == count / area
        assert abs(count - density * area) <= 1.0
        assert 1 <= count <= 200
        assert inside_mask(positions(world), world.region_m).all()
        assert min_distance(positions(world)) >= world.min_distance_m
        assert world.min_distance_m >= 0.9 * min(0.5, (0.43 / density) ** 0.5)


def test_crowds_are_equally_dense_near_the_camera_and_far_from_it() -> None:
    near = far = 0
    for index in range(40):
        world = create_world(2.0, index)
        y = world.region_m[:, 1]
        halves = [clip_half_plane(world.region_m, np.array([0, sign]), sign * y.mean()) for sign in (1, -1)]
        count = np.count_nonzero(positions(world)[:, 1] <= y.mean())
        near += count - 2.0 * polygon_area_m2(halves[0])
        far += len(world.people) - count - 2.0 * polygon_area_m2(halves[1])
    assert abs(near) < 60  # of about 2,000 people in each half
    assert abs(far) < 60


def test_the_camera_sees_the_crowd_and_some_feet_are_below_the_image() -> None:
    below = 0
    for index in range(20):
        world = create_world(1.0, index)
        feet = world.camera.project(np.column_stack([positions(world), np.zeros(len(world.people))]))
        heads = world.camera.project(np.column_stack([positions(world), [person.height_m for person in world.people]]))
        height, width = world.camera.size
        visible = (heads[:, 1] < height) & (feet[:, 1] > 0) & (heads[:, 0] > -20) & (heads[:, 0] < width + 20)
        assert visible.mean() > 0.7
        below += np.count_nonzero(visible & (feet[:, 1] > height))
    assert below > 20


def test_people_have_human_heights() -> None:
    heights = np.array([person.height_m for index in range(20) for person in create_world(1.0, index).people])
    low, high = STANDING_HEIGHT_RANGE_M
    assert ((heights >= low) & (heights <= high)).all()
    assert heights.mean() == pytest.approx(1.685, abs=0.02)
    assert heights.std() == pytest.approx(0.09, abs=0.01)


def test_equal_seeds_give_equal_worlds() -> None:
    first, second = create_world(0.7), create_world(0.7)
    assert first.people == second.people
    assert first.camera == second.camera
    assert first.people != create_world(0.7, index=1).people


def test_a_crowd_has_at_most_the_maximum_number_of_people() -> None:
    assert all(len(create_world(4.0, index, max_people=12).people) <= 12 for index in range(10))

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_core.synthetic.config import SyntheticConfig
from crowdgan_core.synthetic.world.world import STANDING_HEIGHT_RANGE_M, World, random_world
from crowdgan_core.utils.clipping import clip_half_plane, inside_mask
from tests.support.synthetic_worlds import min_distance


def positions(world: World) -> np.ndarray:
    return np.array([(person.x_m, person.y_m) for person in world.people])


def create_world(density: float, index: int = 0, size: tuple[int, int] = (480, 640), max_people: int = 200) -> World:
    config = SyntheticConfig(images=1, size=size, max_people=max_people)
    return random_world(np.random.default_rng([5, index]), config, density)


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


def surveillance_config(**changes: Any) -> SyntheticConfig:
    """A camera that looks down, so that its image shows only ground."""
    ranges: dict[str, Any] = {
        "camera_height_m": (3.5, 3.8),
        "camera_pitch_deg": (38.0, 40.0),
        "focal_length_mm": (40, 40),
    }
    return SyntheticConfig(images=1, **{**ranges, "crowd_region": "full", "max_people": 300, **changes})


@pytest.mark.parametrize("density", [0.1, 1.0, 4.0])
def test_cameras_are_within_their_ranges(density: float) -> None:
    worlds = [random_world(np.random.default_rng(index), surveillance_config(), density) for index in range(20)]
    assert all(3.5 <= world.camera.height_m <= 3.8 for world in worlds)
    assert all(38 <= math.degrees(world.camera.pitch_rad) <= 40 for world in worlds)
    assert {world.focal_35mm for world in worlds} == {40}
    assert len({world.camera.height_m for world in worlds}) == 20


def test_a_range_of_one_value_fixes_the_camera() -> None:
    config = surveillance_config(camera_height_m=(5, 5), camera_pitch_deg=(20, 20), focal_length_mm=(33, 33))
    cameras = {random_world(np.random.default_rng(index), config, 1.0).camera for index in range(5)}
    assert len(cameras) == 1


@pytest.mark.parametrize("density", [0.3, 4.0])
def test_a_full_region_covers_the_visible_ground(density: float) -> None:
    for index in range(10):
        world = random_world(np.random.default_rng(index), surveillance_config(max_people=1000), density)
        height, width = world.camera.size
        columns, rows = np.meshgrid(np.linspace(0, width, 9), np.linspace(1, height, 9))
        ground = world.camera.ground_from_pixels(np.column_stack([columns.ravel(), rows.ravel()]))
        assert inside_mask(ground, world.region_m).all()


def test_a_full_region_is_limited_by_the_number_of_people() -> None:
    world = random_world(np.random.default_rng(0), surveillance_config(max_people=40), 4.0)
    assert len(world.people) <= 40
    assert world.density_per_m2 == pytest.approx(4, rel=0.05)

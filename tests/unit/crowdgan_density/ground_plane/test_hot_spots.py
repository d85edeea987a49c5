"""Hot spots of density maps."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_density.ground_plane.density_map import density_map
from crowdgan_density.ground_plane.hot_spots import (
    MAX_HOT_SPOTS,
    MIN_DISTANCE_M,
    MIN_PEOPLE,
    MIN_RATIO,
    HotSpot,
    find_hot_spots,
)

BACKGROUND = np.stack(np.meshgrid(np.arange(0, 24, 1.5), np.arange(0, 15, 1.5)), axis=2).reshape(-1, 2)
"""A uniform crowd of 0.44 persons/m² on 22.5 m x 13.5 m."""


def clump(x: float, y: float, count: int, radius_m: float = 1.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    angles, radii = rng.uniform(0, 2 * np.pi, count), radius_m * np.sqrt(rng.uniform(0, 1, count))
    return np.array([x, y]) + np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def hot_spots_of(positions_m: np.ndarray) -> list[HotSpot]:
    result = density_map([positions_m])
    assert result is not None
    return find_hot_spots(result, positions_m)


def test_two_clumps_are_two_hot_spots_and_the_denser_one_is_first() -> None:
    crowd = np.vstack([BACKGROUND, clump(6, 6, 15), clump(17, 8, 25)])
    first, second = hot_spots_of(crowd)
    assert np.hypot(*np.subtract(first.position_m, [17, 8])) < 0.6
    assert np.hypot(*np.subtract(second.position_m, [6, 6])) < 0.6
    assert first.density_per_m2 > second.density_per_m2 > 2
    assert 25 <= first.people <= 25 + 8
    assert 15 <= second.people <= 15 + 8


def test_the_density_of_a_hot_spot_is_that_of_the_map_at_its_position() -> None:
    crowd = np.vstack([BACKGROUND, clump(6, 6, 15)])
    result = density_map([crowd])
    assert result is not None
    [spot] = find_hot_spots(result, crowd)
    assert result.density_per_m2(np.array([spot.position_m])) == pytest.approx(spot.density_per_m2)
    assert spot.density_per_m2 == np.nanmax(result.occupied_values_per_m2())


def test_a_uniform_crowd_has_only_its_maximum() -> None:
    [spot] = hot_spots_of(BACKGROUND)
    assert 1 / 1.5**2 < spot.density_per_m2 < MIN_RATIO / 1.5**2


def test_clumps_close_to_one_another_are_one_hot_spot() -> None:
    near = np.vstack([BACKGROUND, clump(9, 6, 20), clump(9 + 0.6 * MIN_DISTANCE_M, 6, 20, seed=1)])
    assert len(hot_spots_of(near)) == 1


def test_a_pair_of_people_is_no_further_hot_spot() -> None:
    crowd = np.vstack([2 * BACKGROUND, clump(12, 12, 20), [[34.4, 16.2], [34.6, 16.4]]])
    assert len(hot_spots_of(crowd)) == 1
    assert len(hot_spots_of(np.vstack([crowd, clump(34.5, 16.3, 8)]))) == 2


@pytest.mark.parametrize("seed", range(4))
def test_hot_spots_are_few_far_from_one_another_and_dense(seed: int) -> None:
    centres = np.random.default_rng(seed).uniform([2, 2], [20, 11], (8, 2))
    clumps = [clump(x, y, 12, seed=index) for index, (x, y) in enumerate(centres.tolist())]
    crowd = np.vstack([BACKGROUND, *clumps])
    result = density_map([crowd])
    assert result is not None
    spots = find_hot_spots(result, crowd)
    assert 1 < len(spots) <= MAX_HOT_SPOTS
    densities = [spot.density_per_m2 for spot in spots]
    assert densities == sorted(densities, reverse=True)
    assert densities[-1] >= MIN_RATIO * np.nanmean(result.occupied_values_per_m2())
    assert min(spot.people for spot in spots) >= MIN_PEOPLE
    for index, spot in enumerate(spots):
        for other in spots[:index]:
            assert np.hypot(*np.subtract(spot.position_m, other.position_m)) >= MIN_DISTANCE_M

"""Groups of people, and the density on the ground that they occupy."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_density.ground_plane.groups import find_groups, hull_density


def test_hull_density_of_a_lattice_and_of_random_positions() -> None:
    lattice = np.stack(np.meshgrid(range(20), range(20)), axis=-1).reshape(-1, 2) * 0.5
    estimate = hull_density(lattice, find_groups(lattice))
    assert estimate is not None
    assert estimate[0] == pytest.approx(4.0, rel=0.15)
    random = np.random.default_rng(0).uniform(0, 20, (800, 2))
    estimate = hull_density(random, find_groups(random))
    assert estimate is not None
    assert estimate[0] == pytest.approx(2.0, rel=0.05)


def test_collinear_people_have_no_hull_density() -> None:
    line = np.column_stack([np.arange(9.0), np.zeros(9)])
    assert hull_density(line, find_groups(line)) is None


def test_three_people_are_not_a_group() -> None:
    assert find_groups(np.zeros((3, 2))) == []

"""Groups of people, and the density on the ground that they occupy."""

from __future__ import annotations

import numpy as np
import pytest

from crowdgan_core.utils.arrays import IndexArray, Points
from crowdgan_density.ground_plane.groups import (
    LINK_DISTANCE_FACTORS,
    MIN_GROUP_PEOPLE,
    connected_labels,
    find_groupings,
    find_groups,
    hull_density,
    neighbour_distance_m,
)


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


def two_crowds(gap_m: float) -> Points:
    """Two random crowds of 2 persons/m² on 6 m x 6 m each, with `gap_m` metres of empty ground between them."""
    crowd = np.random.default_rng(4).uniform(0, 6, (72, 2))
    return np.vstack([crowd, crowd[:, ::-1] + [6 + gap_m, 0]])


def mean_log_density(positions_m: Points) -> float:
    """Mean over the groupings of the log of the density in persons/m²."""
    groupings = find_groupings(positions_m)
    estimates = [hull_density(positions_m, grouping.groups) for grouping in groupings]
    assert all(estimate is not None for estimate in estimates)
    logs = [np.log(estimate[0]) for estimate in estimates if estimate is not None]
    return float(np.dot(logs, [grouping.weight for grouping in groupings]))


def test_weights_of_groupings_add_up_to_one() -> None:
    for gap_m in (0.5, 2.0, 3.0, 9.0):
        assert sum(grouping.weight for grouping in find_groupings(two_crowds(gap_m))) == pytest.approx(1)


@pytest.mark.parametrize(("gap_m", "num_groups"), [(0.3, {1}), (2.5, {1, 2}), (30.0, {2})])
def test_two_crowds_are_one_group_or_two_depending_on_the_gap(gap_m: float, num_groups: set[int]) -> None:
    assert {len(grouping.groups) for grouping in find_groupings(two_crowds(gap_m))} == num_groups


def test_density_is_continuous_while_two_crowds_move_apart() -> None:
    gaps_m = np.arange(0.0, 6.0, 0.05)
    logs = [mean_log_density(two_crowds(gap_m)) for gap_m in gaps_m]
    assert np.abs(np.diff(logs)).max() < 0.05
    assert logs[-1] == pytest.approx(logs[0], abs=0.1)  # empty ground between distant crowds does not count
    jumps = [np.log(hull_density(two_crowds(gap_m), find_groups(two_crowds(gap_m)))[0]) for gap_m in gaps_m]  # type: ignore[index]
    assert np.abs(np.diff(jumps)).max() > 0.15  # for a single link distance it jumps


def test_people_at_equal_positions_have_one_grouping() -> None:
    (grouping,) = find_groupings(np.zeros((8, 2)))
    assert [len(group) for group in grouping.groups] == [8]
    assert grouping.weight == 1


def test_groupings_are_those_of_single_linkage() -> None:
    positions = two_crowds(2.5)
    for grouping in find_groupings(positions):
        labels = {frozenset(group.tolist()) for group in grouping.groups}
        assert any(
            labels == {frozenset(group.tolist()) for group in groups_at(positions, factor)}
            for factor in np.geomspace(*LINK_DISTANCE_FACTORS, 400)
        )


def groups_at(positions_m: Points, factor: float) -> list[IndexArray]:
    """Connected sets of at least five people for one link distance."""
    labels = connected_labels(positions_m, factor * neighbour_distance_m(positions_m))
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return [group for group in groups if len(group) >= MIN_GROUP_PEOPLE]

"""Groups of people on the ground, and the density on the ground that they occupy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crowdgan_core.scenes.camera import polygon_area_m2
from crowdgan_core.utils.arrays import IndexArray, Points

LINK_DISTANCE_FACTOR = 4.0
"""Distance up to which two people are linked, in typical distances between neighbours, ours: of people placed at
random one in a million is farther from all others."""

MIN_GROUP_PEOPLE = 5
"""Minimum number of people of a group whose density is estimated."""

MIN_HULL_AREA_PER_PERSON_M2 = 0.01
"""Minimum area of a group's convex hull per person in m², ours: a tenth of the area per person in the densest crowds.
On less, people's positions are equal or in one row within the precision of their boxes."""


def hull_density(positions_m: Points, groups: Sequence[IndexArray]) -> tuple[float, int] | None:
    """Density in persons/m² on the ground that groups occupy, and the number of people it is computed from.

    Each group occupies approximately its convex hull. People on the hull are at the boundary of the occupied ground,
    so only a part of each is inside. Of n people with v on the hull, n − v/2 − 1 are inside for a lattice (Pick), and
    n − v for random positions (Efron; Ripley and Rasson). People keep distances without forming a lattice, so the mean
    of both is used.

    Args:
        positions_m: `[num_people, 2]`.
        groups: indices of the people of each group, as returned by `find_groups`.

    Returns:
        None if no group spans an area.

    Source: Pick, "Geometrisches zur Zahlenlehre", 1899; Ripley and Rasson, "Finding the edge of a Poisson forest",
    J. Appl. Prob. 1977; the mean is ours, with a bias below 1 % on synthetic crowds.
    """
    inside = area_m2 = 0.0
    people = 0
    for group in groups:
        hull = group_hull(positions_m[group])
        if hull is not None:
            inside += max(len(group) - 0.75 * len(hull) - 0.5, 0.25)
            area_m2 += polygon_area_m2(hull)
            people += len(group)
    return (inside / area_m2, people) if people else None


def group_hull(positions_m: Points) -> Points | None:
    """Corners of a group's convex hull as for `convex_hull`; None if it has less area than people can stand on."""
    hull = convex_hull(positions_m)
    if hull is None or polygon_area_m2(hull) < MIN_HULL_AREA_PER_PERSON_M2 * len(positions_m):
        return None
    return hull


def find_groups(positions_m: Points) -> list[IndexArray]:
    """Indices of the people of each group of at least `MIN_GROUP_PEOPLE`, the largest group first.

    People are linked if their distance is at most `LINK_DISTANCE_FACTOR` times the median distance to the second
    nearest neighbour; a group is a connected set of linked people.
    """
    from scipy.spatial import cKDTree

    if len(positions_m) < MIN_GROUP_PEOPLE:
        return []
    distances_m = np.asarray(cKDTree(positions_m).query(positions_m, k=3)[0])
    labels = connected_labels(positions_m, LINK_DISTANCE_FACTOR * float(np.median(distances_m[:, 2])))
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return sorted((group for group in groups if len(group) >= MIN_GROUP_PEOPLE), key=len, reverse=True)


def convex_hull(points_m: Points) -> Points | None:
    """Corners of the convex hull in metres, counterclockwise, `[num_corners, 2]`; None for collinear points."""
    from scipy.spatial import ConvexHull, QhullError

    if len(points_m) < 3:
        return None
    try:
        return np.asarray(points_m[ConvexHull(points_m).vertices])
    except QhullError:
        return None


def connected_labels(positions_m: Points, reach_m: float) -> IndexArray:
    """Label of each person's connected set of linked people, `[num_people]`, from 0.

    Args:
        positions_m: `[num_people, 2]` in metres.
        reach_m: maximum distance of linked people.
    """
    from scipy.sparse import coo_array  # imported late: `crowdgan --help` must not load scipy
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(positions_m).query_pairs(reach_m, output_type="ndarray")
    if not len(pairs):
        return np.arange(len(positions_m))
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(positions_m),) * 2)
    return np.asarray(connected_components(links, directed=False)[1], np.intp)

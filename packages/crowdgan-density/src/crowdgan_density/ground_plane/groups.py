"""How densely people stand on the ground that they occupy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from crowdgan_core.scenes.camera import polygon_area_m2

Points = npt.NDArray[np.float64]
"""`[num_people, 2]` positions on the ground in metres."""


Indices = npt.NDArray[np.intp]


LINK_DISTANCE_FACTOR = 4.0
"""People nearer than this many typical distances belong to one group, ours: of people scattered at random over a place
one in a million stands farther from all others."""


MIN_GROUP = 5
"""People from which a group tells its density."""


def hull_density(positions_m: Points, among: Sequence[Indices]) -> tuple[float, int] | None:
    """Density in persons/m² on the ground that people occupy, and the number of people that it was told from.

    Each group of people who stand near one another occupies about its convex hull. The people on the hull
    stand at the border of what they occupy, and only a part of each is inside. Of n people with v on the hull,
    n − v/2 − 1 are inside where they stand in a lattice (Pick), and n − v where they stand at random (Efron, Ripley
    and Rasson). People keep distances without standing in a lattice: the mean of both is taken.

    Args:
        positions_m: `[num_people, 2]`.
        among: indices of the people of each group, as `find_groups` finds them.

    Returns:
        None when no group spans an area.

    Source: Pick, "Geometrisches zur Zahlenlehre", 1899; Ripley and Rasson, "Finding the edge of a Poisson forest",
    J. Appl. Prob. 1977; the mean is ours, unbiased to 1 % on made-up crowds.
    """
    inside = area_m2 = 0.0
    people = 0
    for group in among:
        hull = convex_hull(positions_m[group])
        if hull is not None:
            inside += max(len(group) - 0.75 * len(hull) - 0.5, 0.25)
            area_m2 += polygon_area_m2(hull)
            people += len(group)
    return (inside / area_m2, people) if people else None


def find_groups(positions_m: Points) -> list[Indices]:
    """Indices of the people of each group of at least `MIN_GROUP`, the largest group first.

    Two people belong to one group when they, or a chain of others between them, are within
    `LINK_DISTANCE_FACTOR` times the median
    distance to the second nearest neighbour.
    """
    from scipy.spatial import cKDTree

    if len(positions_m) < MIN_GROUP:
        return []
    distances_m = np.asarray(cKDTree(positions_m).query(positions_m, k=3)[0])
    labels = connected_labels(positions_m, LINK_DISTANCE_FACTOR * float(np.median(distances_m[:, 2])))
    found = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return sorted((item for item in found if len(item) >= MIN_GROUP), key=len, reverse=True)


def convex_hull(points_m: Points) -> Points | None:
    """Corners of the convex hull in metres, anticlockwise, `[num_corners, 2]`; None when all points lie on a line."""
    from scipy.spatial import ConvexHull, QhullError

    if len(points_m) < 3:
        return None
    try:
        return np.asarray(points_m[ConvexHull(points_m).vertices])
    except QhullError:
        return None


def connected_labels(positions_m: Points, reach_m: float) -> Indices:
    """A number per person `[num_people]`, the same for two who are linked, by a chain of others too; 0, 1, and so on.

    Args:
        positions_m: `[num_people, 2]` in metres.
        reach_m: distance up to which two people are linked.
    """
    from scipy.sparse import coo_array  # here, because `crowdgan --help` shall not load scipy
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(positions_m).query_pairs(reach_m, output_type="ndarray")
    if not len(pairs):
        return np.arange(len(positions_m))
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(positions_m),) * 2)
    return np.asarray(connected_components(links, directed=False)[1], np.intp)

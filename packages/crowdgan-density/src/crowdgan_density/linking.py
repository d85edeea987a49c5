"""Who is linked to whom by short distances."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


def linked(positions_m: Points, reach_m: float) -> Indices:
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

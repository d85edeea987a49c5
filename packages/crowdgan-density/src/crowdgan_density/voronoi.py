"""Persons per square metre of ground from people's Voronoi cells: `voronoi`.

The camera is told as for `ground`. A person's cell is the ground nearer to that person than to anybody else, and its
inverse area the local density there. People at the border of the crowd or of the view have cells that reach into ground
where nobody was looked for: the scene's density is that of the others, or where there are too few that of `ground`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.density import Density
from crowdgan_core.scene import Scene
from crowdgan_density.cells import cell_areas
from crowdgan_density.ground import Ground
from crowdgan_density.occupied import MIN_GROUP, Points, convex_hull, groups

WHOLE = 1e-6
"""Relative difference of areas up to which a cell was not cut."""


def inner_areas_m2(positions_m: Points) -> npt.NDArray[np.float64]:
    """Areas in m² of the cells that lie within the convex hull of their group, `[num_inner]`.

    No disc cuts them: it would take the largest cells alone, and make sparse crowds seem dense.

    Args:
        positions_m: `[num_people, 2]`.
    """
    free = _free_areas_m2(positions_m)
    inner = []
    for group in groups(positions_m):
        hull = convex_hull(positions_m[group])
        if hull is not None:
            own, uncut = cell_areas(positions_m, hull, None)[group], free[group]
            inner.append(own[np.abs(own - uncut) <= WHOLE * uncut])
    return np.concatenate(inner) if inner else np.empty(0)


@dataclass(frozen=True, kw_only=True)
class Voronoi(Ground):
    """Persons/m² of ground, from the Voronoi cells of people on it.

    It needs what `ground` needs. Where fewer than 5 people stand inside the crowd, it is the density of `ground`.

    Source: Steffen and Seyfried, "Methods for measuring pedestrian density, flow, speed and direction with minimal
    scatter", Physica A 2010, arXiv 0911.2165.
    """

    name: ClassVar[str] = "voronoi"

    def estimate(self, scene: Scene) -> Density:
        """Persons inside the crowd over the area of their cells; the interval has the width of that of `ground`."""
        found = self.measured(scene)
        if isinstance(found, str):
            return Density.unknown(self.unit, found)
        areas = inner_areas_m2(found.positions_m)
        value = found.density_per_m2
        if len(areas) >= MIN_GROUP:
            value = found.people_per_position * len(areas) / float(areas.sum())
        low, high = (bound / found.density_per_m2 * value for bound in found.interval_per_m2)
        return Density(value=value, unit=self.unit, class_index=self.class_index(value), interval=(low, high))


def _free_areas_m2(positions_m: Points) -> npt.NDArray[np.float64]:
    """Areas of the cells in a frame so large that only those of the outermost people reach it, `[num_people]`."""
    low, high = positions_m.min(axis=0), positions_m.max(axis=0)
    middle, half = (low + high) / 2, 10 * float((high - low).max())
    frame = middle + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return cell_areas(positions_m, frame, None)

"""Persons per square metre of ground from people's Voronoi cells: `voronoi`.

The camera is told as for `ground`. A person's cell is the ground nearer to that person than to anybody else, and its
inverse area the local density there. People at the border of the crowd or of the view have cells that reach into ground
where nobody was looked for: the scene's density is that of the others, or where there are too few that of `ground`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from crowdgan_core.density.estimator import DensityEstimate
from crowdgan_core.density.layers import Layer
from crowdgan_core.scenes.scene import Scene
from crowdgan_density.ground_plane.ground import GroundPlaneEstimator
from crowdgan_density.ground_plane.groups import MIN_GROUP, Indices, Points, convex_hull, find_groups
from crowdgan_density.ground_plane.measurement import RELATIVE_SAMPLING_SD, GroundMeasurement
from crowdgan_density.ground_plane.voronoi_cells import interior_cells, whole_cell_areas

BOUND_SDS = 1.96
"""Standard deviations from the middle of a normal distribution between which 95 % of it lie, as for `ground`."""


def inner_areas_m2(positions_m: Points) -> npt.NDArray[np.float64]:
    """Areas in m² of the cells that lie within the convex hull of their group, `[num_inner]`.

    No disc cuts them: it would take the largest cells alone, and make sparse crowds seem dense.

    Args:
        positions_m: `[num_people, 2]`.
    """
    found = [whole_cell_areas(positions_m, hull)[group] for group, hull in _hulls(positions_m)]
    areas: npt.NDArray[np.float64] = np.concatenate([np.empty(0), *found])
    return np.asarray(areas[np.isfinite(areas)])


def inner_cells_m(positions_m: Points) -> list[Points]:
    """Corners in metres of the cells whose areas `inner_areas_m2` gives, `[num_corners, 2]` each, in its order."""
    found: list[Points] = []
    for group, hull in _hulls(positions_m):
        cells = interior_cells(positions_m, hull)
        found += [cells[person] for person in group.tolist() if len(cells[person])]
    return found


def _hulls(positions_m: Points) -> Iterator[tuple[Indices, Points]]:
    """People of each group that spans an area, and its convex hull."""
    for group in find_groups(positions_m):
        hull = convex_hull(positions_m[group])
        if hull is not None:
            yield group, hull


@dataclass(frozen=True, kw_only=True)
class VoronoiEstimator(GroundPlaneEstimator):
    """Persons/m² of ground, from the Voronoi cells of people on it.

    It needs what `ground` needs. Where fewer than 5 people stand inside the crowd, it is the density of `ground`.

    Source: Steffen and Seyfried, "Methods for measuring pedestrian density, flow, speed and direction with minimal
    scatter", Physica A 2010, arXiv 0911.2165.
    """

    name: ClassVar[str] = "voronoi"

    def estimate(self, scene: Scene) -> DensityEstimate:
        """Persons inside the crowd over the area of their cells, its interval and level; or why it cannot be told."""
        found = self.measured(scene)
        if isinstance(found, str):
            return DensityEstimate.unknown(self.unit, found)
        value, interval = found.density_per_m2, found.interval_per_m2
        areas = inner_areas_m2(found.positions_m)
        if len(areas) >= MIN_GROUP:
            value = found.people_per_position * len(areas) / float(areas.sum())
            interval = _moved(found, value, len(areas))
        return DensityEstimate(value=value, unit=self.unit, class_index=self.class_index(value), interval=interval)

    def explain(self, scene: Scene) -> Sequence[Layer]:
        """The cells of people inside the crowd with their local densities, in the image and from above."""
        from crowdgan_density.ground_plane.ground_layers import occupied_cells

        found = self.measured(scene)
        areas = np.empty(0) if isinstance(found, str) else inner_areas_m2(found.positions_m)
        if isinstance(found, str) or len(areas) < MIN_GROUP:
            return super().explain(scene)
        values = found.people_per_position / areas
        return occupied_cells(scene, found, inner_cells_m(found.positions_m), values, self.unit)


def _moved(found: GroundMeasurement, density_per_m2: float, people: int) -> tuple[float, float]:
    """The interval of a measure moved to another density, which fewer people tell: their chance is larger."""
    more_chance = BOUND_SDS**2 * RELATIVE_SAMPLING_SD**2 * (1 / people - 1 / len(found.positions_m))
    low, high = (math.log(bound / found.density_per_m2) for bound in found.interval_per_m2)
    return (
        density_per_m2 * math.exp(-math.sqrt(low**2 + more_chance)),
        density_per_m2 * math.exp(math.sqrt(high**2 + more_chance)),
    )
